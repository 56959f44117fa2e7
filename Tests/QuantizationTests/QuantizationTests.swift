// QuantizationTests
