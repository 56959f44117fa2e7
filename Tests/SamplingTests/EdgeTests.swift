// Draws at the edges, by the numbers of the list of edge cases (N03 to N20).

import Base
import Sampling
import Support
import Testing

@Suite struct EdgeTests {
  private func drawn(_ options: SamplerOptions, _ logits: [Float], count: Int) throws -> Set<Int32>
  {
    var sampler = try Sampler(options)
    return Set(try (0..<count).map { _ in try sampler.draw(logits) })
  }

  private func expectNumeric(_ logits: [Float], _ temperature: Float, _ part: String) throws {
    var sampler = try Sampler(SamplerOptions { $0.temperature = temperature })
    let error = failure { () throws(EngineError) in _ = try sampler.draw(logits) }
    #expect(error?.kind == .numeric)
    #expect(error?.message.contains(part) == true, "\(error?.message ?? "none")")
  }

  @Test func N03_equalLogits() throws {
    let logits = [Float](repeating: 2.5, count: 50)
    #expect(try Sampler.greedy(logits) == 0)
    #expect(try drawn(SamplerOptions(), logits, count: 3) == [0])
    let uniform = SamplerOptions { $0.temperature = 1 }
    #expect(try drawn(uniform, logits, count: 2000) == Set(0..<50))
    // The lower ids win each cut; min-p keeps what is as likely as the most likely one.
    let four = SamplerOptions { ($0.temperature, $0.topK) = (1, 4) }
    #expect(try drawn(four, logits, count: 200) == [0, 1, 2, 3])
    let tenth = SamplerOptions { ($0.temperature, $0.topP) = (1, 0.09) }
    #expect(try drawn(tenth, logits, count: 200) == [0, 1, 2, 3, 4])
    let typical = SamplerOptions { ($0.temperature, $0.typicalP) = (1, 0.09) }
    #expect(try drawn(typical, logits, count: 200) == [0, 1, 2, 3, 4])
    // Exactly half of the probability: enough for top-p, not for typical.
    let half = SamplerOptions { ($0.temperature, $0.topP) = (1, 0.5) }
    #expect(try drawn(half, [6, 6, 6, 6], count: 100) == [0, 1])
    let overHalf = SamplerOptions { ($0.temperature, $0.typicalP) = (1, 0.5) }
    #expect(try drawn(overHalf, [6, 6, 6, 6], count: 100) == [0, 1, 2])
    let whole = SamplerOptions { ($0.temperature, $0.minP) = (1, 1) }
    #expect(try drawn(whole, logits, count: 2000) == Set(0..<50))
  }

  @Test func N04_hugeLogits() throws {
    let logits: [Float] = [-3e38, 3e38, -3e38, 3e38]
    for temperature: Float in [0x1p-149, 1e-30, 1, 1e30] {
      let options = SamplerOptions {
        ($0.temperature, $0.report, $0.topP, $0.typicalP, $0.minP) = (temperature, 4, 1, 1, 1e-9)
      }
      var sampler = try Sampler(options)
      #expect([1, 3].contains(try sampler.draw(logits)))
      try #expect(sampler.report.allSatisfy { !$0.logProbability.isNaN })
      try #expect(sampler.report.dropFirst().map(\.token) == [1, 3, 0, 2])
      try #expect(sampler.report[1].logProbability == -0.6931472)
      try #expect(sampler.report[3].logProbability == -.infinity)
    }
    let typical = SamplerOptions { ($0.temperature, $0.typicalP, $0.topP) = (1, 0.9, 0.9) }
    #expect(try drawn(typical, logits, count: 100) == [1, 3])
  }

  @Test func N05_everythingBanned() throws {
    let logits = [Float](repeating: -.infinity, count: 3)
    try expectNumeric(logits, 0, "every token is banned: all 3 logits are -inf")
    try expectNumeric(logits, 1, "every token is banned: all 3 logits are -inf")
    let error = failure { () throws(EngineError) in _ = try Sampler.greedy(logits) }
    #expect(error?.kind == .numeric)
  }

  @Test func N06_temperaturesAtTheEnds() throws {
    let logits = goldenLogits(100, seed: 4)
    let top = try Sampler.greedy(logits)
    for temperature: Float in [0, -0.0, 0x1p-149, 1e-30] {
      let options = SamplerOptions { $0.temperature = temperature }
      #expect(try drawn(options, logits, count: 50) == [top])
    }
    let hot = SamplerOptions { ($0.temperature, $0.seed) = (1e30, 5) }
    var sampler = try Sampler(hot)
    var counts = [Int](repeating: 0, count: 100)
    for _ in 0..<20_000 { counts[Int(try sampler.draw(logits))] += 1 }
    let (value, freedom) = chiSquare(counts, [Double](repeating: 0.01, count: 100))
    #expect(value < chiSquareBound(freedom: freedom))
  }

  @Test func N07_topK() throws {
    let logits = goldenLogits(30, seed: 6)
    let order = logits.indices.sorted { logits[$0] > logits[$1] }.map { Int32($0) }
    for k in [0, 30, 31, 1000, UInt32.max] {
      let options = SamplerOptions { ($0.temperature, $0.topK) = (50, k) }
      #expect(try drawn(options, logits, count: 2000) == Set(0..<30))
    }
    for k in 1...29 {
      let options = SamplerOptions { ($0.temperature, $0.topK) = (50, UInt32(k)) }
      #expect(try drawn(options, logits, count: 1000) == Set(order.prefix(k)))
    }
  }

  @Test func N08_topPKeepsAtLeastOneAndAtMostAll() throws {
    let logits = goldenLogits(30, seed: 6)
    let top = try Sampler.greedy(logits)
    let least = SamplerOptions { ($0.temperature, $0.topP) = (50, 0x1p-149) }
    #expect(try drawn(least, logits, count: 100) == [top])
    // Probabilities of 1/3 each: rounded sums may miss what 1 - 2^-24 asks for.
    for p: Float in [0, Float(1).nextDown, 1] {
      let options = SamplerOptions { ($0.temperature, $0.topP) = (1, p) }
      #expect(try drawn(options, [7, 7, 7], count: 200) == [0, 1, 2])
    }
  }

  @Test func N09_minPOfOneKeepsTheMostLikelyOnly() throws {
    let options = SamplerOptions { ($0.temperature, $0.minP) = (50, 1) }
    #expect(try drawn(options, [1, 4, 3.9999998, 4], count: 100) == [1, 3])
  }

  @Test func N10_penaltyOfOneIsOff() throws {
    let logits: [Float] = [1, 1.01, -2]
    let off = SamplerOptions { $0.repetitionPenalty = 1 }
    #expect(try Sampler(off).drawnOnce(logits, history: [1, 1]) == 1)
    let on = SamplerOptions { $0.repetitionPenalty = 1.1 }
    #expect(try Sampler(on).drawnOnce(logits, history: [1, 1]) == 0)
    // Outside the window, and tokens of another vocabulary.
    let windowed = SamplerOptions { ($0.repetitionPenalty, $0.penaltyWindow) = (1.1, 2) }
    #expect(try Sampler(windowed).drawnOnce(logits, history: [1, 2, 2]) == 1)
    #expect(try Sampler(windowed).drawnOnce(logits, history: [-1, 3]) == 1)
    #expect(try Sampler(windowed).drawnOnce(logits, history: [.min, .max]) == 1)
    #expect(try Sampler(windowed).drawnOnce(logits, history: [1, 2]) == 0)
  }

  @Test func N12_biasOfAllAndOfOne() throws {
    var banning = try Sampler(
      SamplerOptions { ($0.temperature, $0.bias) = (1, [(0, -.infinity), (1, -.infinity)]) })
    #expect(try banning.draw([0, 0, 0]) == 2)
    let error = failure { () throws(EngineError) in _ = try banning.draw([0, 0]) }
    #expect(
      error
        == EngineError(
          .numeric,
          "every token is banned: all 2 logits are -inf with the bias; allowed at least one above"))
    for temperature: Float in [0, 1, 100] {
      let huge = SamplerOptions {
        ($0.temperature, $0.bias, $0.report) = (temperature, [(2, 1e30)], 2)
      }
      #expect(try drawn(huge, [5, 6, -1e20, 4], count: 20) == [2])
      let beyondFloats = SamplerOptions {
        ($0.temperature, $0.bias) = (temperature, [(2, 3e38), (1, 3e38)])
      }
      #expect(try drawn(beyondFloats, [5, 0, 3e38, 4], count: 20) == [2])
    }
  }

  @Test func N13_seedsAtTheEnds() throws {
    let logits = goldenLogits(100, seed: 11)
    for seed in [0, UInt64.max] {
      var first = try Sampler(SamplerOptions { ($0.temperature, $0.seed) = (2, seed) })
      var second = try Sampler(SamplerOptions { ($0.temperature, $0.seed) = (2, seed) })
      let tokens = try (0..<100).map { _ in try first.draw(logits) }
      #expect(try tokens == (0..<100).map { _ in try second.draw(logits) })
      #expect(Set(tokens).count > 20)
    }
  }

  @Test func N15_noLogits() throws {
    var sampler = try Sampler(SamplerOptions())
    let error = failure { () throws(EngineError) in _ = try sampler.draw([]) }
    #expect(error?.kind == .invalidArgument)
    #expect(error?.message.contains("step first") == true)
    #expect(
      failure { () throws(EngineError) in _ = try Sampler.greedy([Float]()) }?.kind
        == .invalidArgument)
    try #expect(sampler.report.isEmpty)
  }

  @Test func N16_notANumberAnywhere() throws {
    for (value, name) in [(Float.nan, "nan"), (.infinity, "inf")] {
      for place in 0..<5 {
        var logits: [Float] = [1, 2, -.infinity, 4, 5]
        logits[place] = value
        for temperature: Float in [0, 1] {
          try expectNumeric(logits, temperature, "logit of token \(place) is \(name); allowed")
        }
        let greedy = failure { () throws(EngineError) in _ = try Sampler.greedy(logits) }
        #expect(greedy?.kind == .numeric)
        var sampler = try Sampler(SamplerOptions())
        let error = failure { () throws(EngineError) in
          _ = try sampler.draw([1, 2, 3, 4, 5]) {
            $0[place] = value
            return false
          }
        }
        #expect(error?.message.hasPrefix("logit of token \(place) is \(name) after") == true)
      }
    }
  }

  @Test func N20_reportsOfNoneAndOfMoreThanThereAre() throws {
    var none = try Sampler(SamplerOptions())
    _ = try none.draw([1, 2, 3])
    try #expect(none.report.isEmpty)
    var all = try Sampler(SamplerOptions { $0.report = 3 })
    try #expect(all.report.isEmpty)
    _ = try all.draw([1, 2, 3])
    try #expect(all.report.map(\.token) == [2, 2, 1, 0])
    for count in [4, UInt32.max] {
      var more = try Sampler(SamplerOptions { $0.report = count })
      let error = #expect(throws: EngineError.self) { _ = try more.draw([1, 2, 3]) }
      #expect(error?.kind == .invalidArgument)
    }
  }
}

extension Sampler {
  /// The token of the first draw of a copy.
  fileprivate func drawnOnce(_ logits: [Float], history: [Int32]) throws -> Int32 {
    var copy = self
    return try copy.draw(logits, history: history)
  }
}
