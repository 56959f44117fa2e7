// Options that a sampler refuses, by the numbers of the list of edge cases (N06 to N14).

import Base
import Sampling
import Testing

@Suite struct OptionTests {
  typealias Field = WritableKeyPath<SamplerOptions, Float>

  /// The sentence for a value in a field; nil when it is allowed.
  private func refusal(_ field: Field, _ value: Float) -> String? {
    let options = SamplerOptions { $0[keyPath: field] = value }
    let error = failure { () throws(EngineError) in _ = try Sampler(options) }
    if let error { #expect(error.kind == .invalidArgument) }
    return error?.message
  }

  private func expectRange(
    _ field: Field, _ name: String, allowed: [Float], refused: [Float]
  ) {
    for value in allowed + [0, -0.0] { #expect(refusal(field, value) == nil, "\(name) \(value)") }
    for value in refused + [.nan, -.nan, .infinity, -.infinity] {
      let message = refusal(field, value)
      #expect(message?.hasPrefix("\(name) is \(value); allowed ") == true, "\(name) \(value)")
    }
  }

  @Test func N06_temperature() {
    expectRange(
      \.temperature, "temperature",
      allowed: [0x1p-149, 1e-30, 0.7, 1, 1e30, .greatestFiniteMagnitude], refused: [-1, -0x1p-149])
  }

  @Test func N08_topP() {
    expectRange(
      \.topP, "top_p", allowed: [0x1p-149, 0.5, 1], refused: [-0.1, 1.1, Float(1).nextUp])
  }

  @Test func N09_minPAndTypicalP() {
    expectRange(\.minP, "min_p", allowed: [0.05, 1], refused: [-0.1, 1.1])
    expectRange(\.typicalP, "typical_p", allowed: [0.05, 1], refused: [-0.1, 1.1])
  }

  @Test func N10_penalties() {
    expectRange(
      \.repetitionPenalty, "repetition_penalty",
      allowed: [0x1p-149, 0.5, 1, 2, .greatestFiniteMagnitude], refused: [-1, -0x1p-149])
    expectRange(
      \.frequencyPenalty, "frequency_penalty", allowed: [-100, 1, 100],
      refused: [-100.00001, 100.00001])
    expectRange(
      \.presencePenalty, "presence_penalty", allowed: [-100, 1, 100],
      refused: [-100.00001, 100.00001])
  }

  @Test func N11_bias() {
    func refusal(_ bias: [(token: Int32, bias: Float)]) -> EngineError? {
      failure { () throws(EngineError) in _ = try Sampler(SamplerOptions { $0.bias = bias }) }
    }
    #expect(refusal([(0, 1), (7, -.infinity), (.max, 3e38)]) == nil)
    for value in [Float.nan, .infinity] {
      #expect(
        refusal([(0, 1), (7, value)])
          == EngineError(
            .invalidArgument, "bias[1].bias is \(value); allowed a finite number or -inf"))
    }
    #expect(
      refusal([(0, 1), (-1, 1)])
        == EngineError(.invalidArgument, "bias[1].token is -1; allowed 0 or more"))
    #expect(
      refusal([(5, 1), (3, 1), (9, 0), (3, 1)])
        == EngineError(.invalidArgument, "bias[3].token is 3, as in bias[1]; allowed once"))
    let many = (0..<1_048_577).map { (token: Int32($0), bias: Float(0)) }
    #expect(refusal(many)?.kind == .limitExceeded)
    #expect(refusal(many.dropLast()) == nil)
  }

  @Test func N11_biasBeyondTheVocabulary() throws {
    var sampler = try Sampler(SamplerOptions { $0.bias = [(2, 1), (4, 1)] })
    #expect(try sampler.draw([0, 0, 0, 0, 0]) == 2)
    let error = failure { () throws(EngineError) in _ = try sampler.draw([0, 0, 0, 0]) }
    #expect(error == EngineError(.invalidArgument, "bias[1].token is 4; allowed 0..3"))
  }

  @Test func defaultsAreAllZeroAndGreedy() throws {
    let options = SamplerOptions()
    #expect(options.topK == 0 && options.temperature == 0 && options.topP == 0)
    #expect(options.minP == 0 && options.typicalP == 0 && options.repetitionPenalty == 0)
    #expect(options.frequencyPenalty == 0 && options.presencePenalty == 0)
    #expect(options.penaltyWindow == 0 && options.report == 0 && options.seed == 0)
    #expect(options.bias.isEmpty)
    var sampler = try Sampler(options)
    #expect(try sampler.draw([1, 3, 2, 3], history: [1, 1, 1]) == 1)
  }
}
