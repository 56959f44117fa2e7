// Calls of the sampler over arrays, seeded logits, and the golden files beside their scripts.

import Formats
import Glibc
import Sampling

extension Sampler {
  mutating func draw(
    _ logits: [Float], history: [Int32] = [],
    filter: ((UnsafeMutableBufferPointer<Float>) -> Bool)? = nil
  ) throws(EngineError) -> Int32 {
    try unwrap(
      logits.withUnsafeBufferPointer { logits in
        history.withUnsafeBufferPointer { history in
          capture { () throws(EngineError) in
            try draw(logits: logits, history: history, filter: filter)
          }
        }
      })
  }

  mutating func distribution(
    _ logits: [Float], history: [Int32] = []
  ) throws(EngineError) -> [(token: Int32, probability: Double)] {
    try unwrap(
      logits.withUnsafeBufferPointer { logits in
        history.withUnsafeBufferPointer { history in
          capture { () throws(EngineError) in
            try distribution(logits: logits, history: history)
          }
        }
      })
  }

  static func greedy(_ logits: [Float]) throws(EngineError) -> Int32 {
    try unwrap(
      logits.withUnsafeBufferPointer { logits in
        capture { () throws(EngineError) in try greedy(logits) }
      })
  }
}

private func capture<T>(_ body: () throws(EngineError) -> T) -> Result<T, EngineError> {
  do { return .success(try body()) } catch { return .failure(error) }
}

private func unwrap<T>(_ result: Result<T, EngineError>) throws(EngineError) -> T {
  try result.get()
}

/// Options with some fields set.
func options(_ set: (inout SamplerOptions) -> Void) -> SamplerOptions {
  var options = SamplerOptions()
  set(&options)
  return options
}

/// The error of a call that must fail, or nil when it did not.
func failure(_ body: () throws(EngineError) -> Void) -> EngineError? {
  do {
    try body()
    return nil
  } catch { return error }
}

/// The error of making a sampler with some fields set.
func refusal(_ set: (inout SamplerOptions) -> Void) -> EngineError? {
  let options = options(set)
  return failure { () throws(EngineError) in _ = try Sampler(options) }
}

/// Numbers that look normal: the sum of twelve uniform ones, less 6, times `spread`.
func randomLogits(_ count: Int, spread: Double, seed: UInt64) -> [Float] {
  var random = SplitMix64(seed: seed)
  return (0..<count).map { _ in
    Float(spread * ((0..<12).reduce(0.0) { sum, _ in sum + random.nextFraction() } - 6))
  }
}

/// Softmax at a temperature with libm in Double.
func softmax(_ logits: [Float], temperature: Double = 1) -> [Double] {
  let largest = Double(logits.max() ?? 0)
  let weights = logits.map { Glibc.exp((Double($0) - largest) / temperature) }
  let total = weights.reduce(0, +)
  return weights.map { $0 / total }
}

/// The lines of a golden file, split at spaces.
func goldenLines(_ name: String) throws -> [[String]] {
  let root = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
  guard let file = fopen("/\(root)/Oracle/sampling/\(name)", "r") else {
    throw EngineError(.notFound, name)
  }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 1 << 20)
  let count = fread(&bytes, 1, bytes.count, file)
  return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n").map { line in
    line.split(separator: " ").map(String.init)
  }
}
