// Survivors and probabilities against llama.cpp's samplers, applied in our order.

import Formats
import Sampling
import Testing

@Suite struct OracleTests {
  /// The oracle works in Float: a logit of magnitude <= 32 is off by at most 3 x 2^-19 after three
  /// operations, a probability so by a factor of at most e^(2 x 3 x 2^-19); eight digits are kept.
  private static let relativeBound = 1.2e-5

  @Test("top-k, typical, top-p, min-p, temperature and penalties keep what llama.cpp keeps")
  func llama() throws {
    var logits: [String: [Float]] = [:]
    var history: [String: [Int32]] = [:]
    var caseCount = 0
    for line in try goldenLines("llama.txt") {
      let values = line.dropFirst(2)
      switch line[0] {
      case "logits": logits[line[1]] = values.compactMap { Float($0) }
      case "history": history[line[1]] = values.compactMap { Int32($0) }
      default:
        let parts = values.split(separator: "|")
        let settings = parts[0].joined(separator: " ")
        var sampler = try Sampler(parse(parts[0]))
        let kept = try sampler.distribution(
          #require(logits[line[1]]), history: #require(history[line[1]]))
        let expected = parts[1].map { $0.split(separator: ":") }
        #expect(kept.map(\.token) == expected.map { Int32($0[0]) }, "\(line[1]) \(settings)")
        for (ours, theirs) in zip(kept, expected) {
          let probability = try #require(Double(theirs[1]))
          let error = abs(ours.probability - probability)
          #expect(error <= Self.relativeBound * probability, "\(line[1]) \(settings) \(ours)")
        }
        caseCount += 1
      }
    }
    #expect(caseCount == 112)
  }

  private func parse(_ settings: ArraySlice<String>) -> SamplerOptions {
    var options = SamplerOptions()
    options.temperature = 1
    for setting in settings {
      let pair = setting.split(separator: "=")
      guard let value = Float(pair[1]) else { continue }
      switch pair[0] {
      case "temperature": options.temperature = value
      case "top_k": options.topK = UInt32(value)
      case "top_p": options.topP = value
      case "min_p": options.minP = value
      case "typical_p": options.typicalP = value
      case "repetition_penalty": options.repetitionPenalty = value
      case "frequency_penalty": options.frequencyPenalty = value
      case "presence_penalty": options.presencePenalty = value
      case "penalty_window": options.penaltyWindow = UInt32(value)
      default: Issue.record("unknown setting \(setting)")
      }
    }
    return options
  }
}
