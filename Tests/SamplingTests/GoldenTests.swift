// Against llama.cpp's samplers, and a plain sampler in Python: see Tests/Oracle/sampling.

import Sampling
import Support
import Testing

@Suite struct GoldenTests {
  private func options(_ line: [Substring]) throws -> SamplerOptions {
    var options = SamplerOptions()
    options.topK = try #require(UInt32(line[3]))
    options.typicalP = try float(line[4])
    options.topP = try float(line[5])
    options.minP = try float(line[6])
    options.temperature = try float(line[7])
    return options
  }

  private func logits(_ line: [Substring]) throws -> [Float] {
    goldenLogits(try #require(Int(line[1])), seed: try #require(UInt64(line[2])))
  }

  @Test func survivorsAndProbabilitiesAreLlamaCpps() throws {
    let lines = try goldenLines("filters.golden")
    #expect(lines.count > 80)
    for line in lines {
      let options = try options(line)
      let found = try survivors(options, try logits(line))
      let total = found.map(\.weight).reduce(0, +)
      let expected = try line.dropFirst(9).map { pair in
        let parts = pair.split(separator: ":")
        return (token: try #require(Int(parts[0])), probability: Double(try float(parts[1])))
      }
      let kept = found.filter { $0.weight > 0 }
      #expect(kept.map(\.token) == expected.map(\.token), "\(line.prefix(9))")
      for (one, (_, probability)) in zip(kept, expected) {
        // llama.cpp's weights are 32-bit exponentials of 32-bit quotients of up to 140.
        let ours = one.weight / total
        #expect((ours - probability).magnitude <= 2e-5 * probability + 1e-7, "\(line.prefix(9))")
      }
    }
  }

  @Test func penaltiesAreLlamaCpps() throws {
    let lines = try goldenLines("penalties.golden")
    #expect(lines.count > 20)
    for line in lines {
      var options = SamplerOptions()
      options.repetitionPenalty = try float(line[3])
      options.frequencyPenalty = try float(line[4])
      options.presencePenalty = try float(line[5])
      options.penaltyWindow = try #require(UInt32(line[6]))
      let history =
        line[7] == "-" ? [] : try line[7].split(separator: ",").map { try #require(Int32($0)) }
      let expected = try line[8].split(separator: ",").map { try float($0) }
      var found: [Double] = []
      var penalties = Penalties(options)
      for _ in 0..<2 {
        try scores(try logits(line)) { scores in
          try penalties.prepare(vocabulary: scores.count)
          try history.withUnsafeBufferPointer { try penalties.apply(to: &scores, history: $0) }
          try scores.settle()
          found = try (0..<scores.count).map { try scores.at($0) }
          #expect(scores.largest == found.max())
          #expect(scores.mostLikely == found.firstIndex(of: scores.largest))
        }
      }
      #expect(found.count == expected.count)
      for (ours, theirs) in zip(found, expected) {
        // Two roundings to 32 bits of numbers below 128.
        #expect((ours - Double(theirs)).magnitude <= 2e-5, "\(line.prefix(7))")
      }
    }
  }

  @Test func randomNumbersAreSplitMix64() throws {
    let lines = try goldenLines("splitmix64.golden")
    #expect(lines.count == 7)
    for line in lines {
      let numbers = try line.map { try #require(UInt64($0, radix: 16)) }
      var generator = SplitMix64(seed: numbers[0])
      #expect((0..<8).map { _ in generator.next() } == Array(numbers[1...8]))
      var fractions = SplitMix64(seed: numbers[0])
      #expect(fractions.nextFraction().bitPattern == numbers[9])
    }
  }

  @Test func drawsAreThoseOfAPlainSampler() throws {
    let lines = try goldenLines("draws.golden")
    #expect(lines.count == 40)
    for line in lines {
      var options = try options(line)
      options.seed = 7 + (try #require(UInt64(line[2])))
      var sampler = try Sampler(options)
      let logits = try logits(line)
      let expected = try line[8].split(separator: ",").map { try #require(Int32($0)) }
      let drawn = try expected.map { _ in try sampler.draw(logits) }
      #expect(drawn == expected, "\(line.prefix(8))")
    }
  }
}
