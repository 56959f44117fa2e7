// Properties that hold for all logits and options.

import Base
import Glibc
import Kernels
import Sampling
import Support
import Testing

@Suite struct PropertyTests {
  /// Probabilities of a softmax at a temperature.
  private func softmax(_ logits: [Float], _ temperature: Double) -> [Double] {
    let top = Double(logits.max() ?? 0)
    let weights = logits.map { exp((Double($0) - top) / temperature) }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }

  @Test(arguments: [0.5, 1, 2] as [Float])
  func frequenciesAreTheProbabilities(temperature: Float) throws {
    let logits: [Float] = [0, 1.5, -1, -.infinity, 2, 0.25, 2, -2.5]
    var sampler = try Sampler(
      SamplerOptions { ($0.temperature, $0.seed) = (temperature, 17) })
    var counts = [Int](repeating: 0, count: logits.count)
    for _ in 0..<200_000 { counts[Int(try sampler.draw(logits))] += 1 }
    let (value, freedom) = chiSquare(counts, softmax(logits, Double(temperature)))
    #expect(freedom == 6)
    #expect(value < chiSquareBound(freedom: freedom))
  }

  @Test func frequenciesWithTopK() throws {
    let logits: [Float] = [0, 1.5, -1, 2.25, 2, 0.25]
    var sampler = try Sampler(
      SamplerOptions { ($0.temperature, $0.topK, $0.seed) = (1, 3, 18) })
    var counts = [Int](repeating: 0, count: logits.count)
    for _ in 0..<100_000 { counts[Int(try sampler.draw(logits))] += 1 }
    let kept: [Float] = [-.infinity, 1.5, -.infinity, 2.25, 2, -.infinity]
    let (value, freedom) = chiSquare(counts, softmax(kept, 1))
    #expect(value < chiSquareBound(freedom: freedom))
  }

  /// The tokens that are left after the filters.
  private func survivors(_ options: SamplerOptions, _ logits: [Float]) throws -> Set<Int> {
    Set(try SamplingTests.survivors(options, logits).map(\.token))
  }

  @Test func looserFiltersKeepMore() throws {
    var generator = SeededGenerator(seed: 31)
    for round in 0..<200 {
      // Few values, so that there are many ties, and some bans.
      let count = Int.random(in: 1...60, using: &generator)
      let logits = (0..<count).map { i -> Float in
        if i > 0, Int.random(in: 0..<8, using: &generator) == 0 { return -.infinity }
        let value = Float.random(in: -5...5, using: &generator)
        return round % 2 == 0 ? value.rounded() : value
      }
      let fields: [WritableKeyPath<SamplerOptions, Float>] = [\.topP, \.typicalP]
      for field in fields {
        let a = Float.random(in: 0.01...1, using: &generator)
        let b = Float.random(in: a...1, using: &generator)
        let narrow = try survivors(SamplerOptions { $0[keyPath: field] = a }, logits)
        let wide = try survivors(SamplerOptions { $0[keyPath: field] = b }, logits)
        #expect(!narrow.isEmpty && narrow.isSubset(of: wide))
      }
      let k = UInt32.random(in: 1...60, using: &generator)
      let few = try survivors(SamplerOptions { $0.topK = k }, logits)
      #expect(few.count == min(Int(k), logits.filter { $0 > -.infinity }.count))
      try #expect(few.isSubset(of: survivors(SamplerOptions { $0.topK = k + 1 }, logits)))
      let low = Float.random(in: 0...1, using: &generator)
      let strict = Float.random(in: low...1, using: &generator)
      try #expect(
        survivors(SamplerOptions { $0.minP = strict }, logits)
          .isSubset(of: survivors(SamplerOptions { $0.minP = low }, logits)))
      try #expect(
        survivors(SamplerOptions { $0.minP = strict }, logits).contains(largestIndex(logits)))
    }
  }

  private func largestIndex(_ logits: [Float]) -> Int {
    logits.indices.max { (logits[$0], $1) < (logits[$1], $0) } ?? 0
  }

  @Test func selectionIsThePrefixOfASort() throws {
    var generator = SeededGenerator(seed: 32)
    for _ in 0..<300 {
      let count = Int.random(in: 1...1200, using: &generator)
      let logits = (0..<count).map { _ in Float(Int.random(in: -9...9, using: &generator)) }
      let sorted = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
      let k = Int.random(in: 0...count, using: &generator)
      try scores(logits) { scores in
        var best = Selection()
        try best.takeBest(k, scores)
        try best.sort()
        try #expect((0..<best.count).map { Int(try best.at($0).token) } == Array(sorted.prefix(k)))
        try best.sortByToken()
        try #expect(
          (0..<best.count).map { Int(try best.at($0).token) } == sorted.prefix(k).sorted())
        var candidates = Candidates()
        try candidates.reserve(count, needsRanks: false)
        try scores.collect(from: -.infinity, into: &candidates)
        try candidates.keepBest(max(k, 1), scores.kernels)
        try #expect(
          (0..<candidates.count).map { Int(try candidates.at($0).token) }
            == sorted.prefix(max(k, 1)).sorted())
      }
    }
  }

  @Test func greedyIsTheFirstMaximum() throws {
    var generator = SeededGenerator(seed: 33)
    for _ in 0..<500 {
      let count = Int.random(in: 1...40, using: &generator)
      let logits = (0..<count).map { _ in Float(Int.random(in: -3...3, using: &generator)) }
      let expected = Int32(largestIndex(logits))
      #expect(try Sampler.greedy(logits) == expected)
      var sampler = try Sampler(SamplerOptions())
      #expect(try sampler.draw(logits) == expected)
      var hot = try Sampler(SamplerOptions { ($0.temperature, $0.topK) = (3, 1) })
      #expect(try hot.draw(logits) == expected)
    }
  }

  @Test func reportIsOfTheUnmodifiedLogits() throws {
    let logits = goldenLogits(200, seed: 12)
    let options = SamplerOptions {
      ($0.temperature, $0.topK, $0.report, $0.presencePenalty) = (1.5, 20, 7, 3)
      $0.bias = [(3, 4), (5, -.infinity)]
    }
    var sampler = try Sampler(options)
    let probabilities = softmax(logits, 1)
    let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
    for round in 0..<20 {
      let token = try sampler.draw(logits, history: [Int32(order[0]), 9]) {
        for i in 0..<100 { $0[i] -= Float(round) }
        return false
      }
      let report = try sampler.report
      #expect(report.map(\.token) == [token] + order.prefix(7).map { Int32($0) })
      for candidate in report {
        #expect(candidate.logit == logits[Int(candidate.token)])
        let expected = log(probabilities[Int(candidate.token)])
        #expect((Double(candidate.logProbability) - expected).magnitude < 1e-6)
      }
    }
  }

  @Test func aFailedDrawChangesNothing() throws {
    let logits = goldenLogits(50, seed: 13)
    let options = SamplerOptions {
      ($0.temperature, $0.report, $0.frequencyPenalty, $0.bias) = (2, 3, 1, [(40, 1)])
    }
    var clean = try Sampler(options)
    var troubled = try Sampler(options)
    for round in 0..<40 {
      let before = try troubled.report
      let failures: [EngineError?] = [
        failure { () throws(EngineError) in _ = try troubled.draw([Float.nan] + logits) },
        failure { () throws(EngineError) in _ = try troubled.draw([1, 2, 3]) },
        failure { () throws(EngineError) in
          _ = try troubled.draw(logits, history: [1, 2]) {
            $0[0] = 99
            return true
          }
        },
        failure { () throws(EngineError) in
          _ = try troubled.draw(logits, history: [1, 2]) {
            for i in $0.indices { $0[i] = -.infinity }
            return false
          }
        },
      ]
      #expect(failures.map { $0?.kind } == [.numeric, .invalidArgument, .cancelled, .numeric])
      try #expect(troubled.report == before)
      let history = [Int32](repeating: Int32(round), count: 3)
      #expect(
        try troubled.draw(logits, history: history) == clean.draw(logits, history: history))
      try #expect(troubled.report == clean.report)
    }
  }

  @Test func oneSamplerServesManyVocabularies() throws {
    let options = SamplerOptions {
      ($0.temperature, $0.topP, $0.typicalP, $0.report) = (1, 0.9, 0.95, 5)
      $0.presencePenalty = 1
    }
    var shared = try Sampler(options)
    var random = SplitMix64(seed: 0)
    for count in [10, 300, 7, 300, 5, 64] {
      let logits = goldenLogits(count, seed: UInt64(count))
      let token = try shared.draw(logits, history: [0, 3, 200])
      try #expect(shared.report.count == 6)
      var filters = Filters(options)
      var expected = -1
      try scores(logits) { scores in
        for seen in [0, 3, 200] where seen < count {
          try scores.put(try scores.at(seen) - 1, at: seen)
        }
        try scores.settle()
        try filters.prepare(vocabulary: count)
        #expect(try filters.apply(to: &scores))
        expected = try filters.draw(temperature: 1, scores.kernels, &random)
      }
      #expect(Int(token) == expected)
    }
  }

  @Test func theFilterSeesTheLogitsAndItsChangesCount() throws {
    let logits: [Float] = [1, 2, 3]
    var sampler = try Sampler(SamplerOptions { $0.bias = [(0, 1)] })
    let token = try sampler.draw(logits) {
      #expect(Array($0) == logits)
      $0[0] = 2.5
      return false
    }
    #expect(token == 0)
    #expect(try sampler.draw(logits) == 2)
  }

  @Test func choosingCoversTheEnds() throws {
    // Weights 0, 1/4, 0, 1, 1/2, 0 where the second has what is left of it.
    let logits: [Float] = [-.infinity, -1.386_294_4, -.infinity, 0, -0.693_147_2, -.infinity]
    for options in [
      SamplerOptions { $0.temperature = 1 },
      SamplerOptions { ($0.temperature, $0.minP) = (1, 1e-6) },
    ] {
      try scores(logits) { scores in
        let total = try scores.weigh(temperature: 1).total
        let quarter = Elementary.exp(Double(logits[1]))
        var filters = Filters(options)
        try filters.prepare(vocabulary: logits.count)
        let isFiltered = try filters.apply(to: &scores)
        #expect(isFiltered == (options.minP > 0))
        var candidates = filters.candidates
        if isFiltered { _ = try candidates.weigh(0, temperature: 1, scores.kernels) }
        func chosen(_ total: Double, _ fraction: Double) throws -> Int {
          try isFiltered
            ? candidates.choose(total: total, fraction: fraction)
            : scores.choose(total: total, fraction: fraction, temperature: 1)
        }
        try #expect(chosen(total, 0) == 1)
        try #expect(chosen(quarter, Double(1).nextDown) == 1)
        try #expect(chosen(quarter, 1) == 3)
        try #expect(chosen(total, Double(1).nextDown) == 4)
        try #expect(chosen(2, Double(1).nextDown) == 4)
      }
    }
  }
}
