// All filters and draws against a sampler that sorts everything and adds up one token after
// another.

import Base
import Kernels
import KernelsAVX2
import KernelsAVX512
import KernelsAVXVNNI
import KernelsReference
import Platform
import Support
import Testing

import Sampling

/// The filters as their papers say them.
private struct PlainSampler {
  let options: SamplerOptions
  /// (token, score), in the order of the tokens.
  var left: [(token: Int, score: Double)]

  init(_ options: SamplerOptions, _ logits: [Float]) {
    self.options = options
    left = logits.enumerated().filter { $0.element > -.infinity }.map { ($0, Double($1)) }
    if options.topK > 0 {
      keep(Int(options.topK)) {
        $0
      } until: { _ in
        false
      }
    }
    if options.typicalP > 0, options.typicalP < 1 { keepTypical() }
    if options.topP > 0, options.topP < 1 { keepTopP() }
    if options.minP > 0 {
      let threshold = Elementary.log(Double(options.minP))
      let top = largest
      left.removeAll { $0.score - top < threshold }
    }
  }

  private var largest: Double { left.map(\.score).max() ?? 0 }

  /// Keeps the best by rank up to a number of them or until their weights are enough.
  private mutating func keep(
    _ most: Int, _ rank: (Double) -> Double, until isEnough: (Double) -> Bool
  ) {
    let top = largest
    let order = left.sorted { (rank($0.score), $1.token) > (rank($1.score), $0.token) }
    var kept: Set<Int> = []
    var sum = 0.0
    for (token, score) in order {
      if kept.count == most { break }
      kept.insert(token)
      sum += Elementary.exp(score - top)
      if isEnough(sum) { break }
    }
    left.removeAll { !kept.contains($0.token) }
  }

  private func total() -> Double {
    let top = largest
    return left.reduce(0) { $0 + Elementary.exp($1.score - top) }
  }

  private mutating func keepTypical() {
    let (top, total) = (largest, total())
    let logTotal = Elementary.log(total)
    var entropy = 0.0
    for (_, score) in left {
      entropy += Elementary.exp(score - top) / total * (logTotal - (score - top))
    }
    let target = Double(options.typicalP) * total
    keep(.max) {
      -((logTotal - ($0 - top)) - entropy).magnitude
    } until: {
      $0 > target
    }
  }

  private mutating func keepTopP() {
    let target = Double(options.topP) * total()
    keep(.max) {
      $0
    } until: {
      $0 >= target
    }
  }

  /// The token of a fraction.
  func choose(_ fraction: Double) -> Int {
    let (top, temperature) = (largest, Double(options.temperature))
    let weights = left.map { Elementary.exp(($0.score - top) / temperature) }
    let target = fraction * weights.reduce(0, +)
    var (sum, last) = (0.0, 0)
    for (one, weight) in zip(left, weights) where weight > 0 {
      sum += weight
      last = one.token
      if sum > target { return last }
    }
    return last
  }
}

@Suite struct PlainSamplerTests {
  private static let tables: [KernelTable] =
    [.reference] + (platform_has_avx2() != 0 ? [.avx2] : [])
    + (platform_has_avxvnni() != 0 ? [.avxvnni] : [])
    + (platform_has_avx512() != 0 ? [.avx512] : [])

  private enum Shape: CaseIterable {
    case normal, wide, flat, tiny, levels, two, equal, banned, huge, steep
  }

  private func logits(_ shape: Shape, _ count: Int, _ random: inout SeededGenerator) -> [Float] {
    var logits = (0..<count).map { _ -> Float in
      let normal = (0..<6).reduce(Float(-3)) { sum, _ in
        sum + Float.random(in: 0...1, using: &random)
      }
      return switch shape {
      case .normal, .banned: normal * 4
      case .wide: normal * 12
      case .flat: normal * 0.01
      case .tiny: normal * 1e-12
      case .levels: (normal * 4).rounded()
      case .two: normal > 0 ? 3 : 1
      case .equal: 2.5
      case .huge: normal * 1e38
      case .steep: normal * 300
      }
    }
    if shape == .banned {
      for place in logits.indices where place % 3 != 0 { logits[place] = -.infinity }
    }
    return logits
  }

  private static let options: [SamplerOptions] = [
    SamplerOptions { $0.topK = 0 },
    SamplerOptions { $0.topK = 7 },
    SamplerOptions { $0.topK = 800 },
    SamplerOptions { $0.topP = 0.9 },
    SamplerOptions { $0.topP = 0.5 },
    SamplerOptions { $0.topP = 0.999_999_9 },
    SamplerOptions { $0.topP = 0x1p-149 },
    SamplerOptions { $0.typicalP = 0.9 },
    SamplerOptions { $0.typicalP = 0.25 },
    SamplerOptions { $0.typicalP = 0.5 },
    SamplerOptions { $0.minP = 0.05 },
    SamplerOptions { $0.minP = 1 },
    SamplerOptions { ($0.topK, $0.topP, $0.minP) = (40, 0.95, 0.05) },
    SamplerOptions { ($0.topK, $0.typicalP) = (1000, 0.7) },
    SamplerOptions { ($0.typicalP, $0.topP, $0.minP) = (0.9, 0.8, 0.01) },
  ]

  @Test(arguments: [1, 2, 63, 64, 65, 400, 3000])
  func filtersAndDrawsAreThoseOfAPlainSampler(count: Int) throws {
    var random = SeededGenerator(seed: UInt64(count))
    for shape in Shape.allCases {
      let logits = logits(shape, count, &random)
      for (index, filters) in Self.options.enumerated() {
        var options = filters
        options.temperature = [0.3, 1, 3][index % 3]
        options.seed = UInt64(index)
        let plain = PlainSampler(options, logits)
        var fractions = SplitMix64(seed: options.seed)
        let expected = (0..<5).map { _ in Int32(plain.choose(fractions.nextFraction())) }
        for table in Self.tables {
          let kept = try survivors(options, logits, table)
          let comment: Comment = "\(shape), options \(index), \(table.name)"
          #expect(kept.map(\.token) == plain.left.map(\.token), comment)
          var sampler = try Sampler(options)
          let drawn = try (0..<5).map { _ in try sampler.draw(logits, table: table) }
          #expect(drawn == expected, comment)
        }
      }
    }
  }

  @Test func changedScoresAreThoseOfOtherLogits() throws {
    var random = SeededGenerator(seed: 41)
    for table in Self.tables {
      for (index, filters) in Self.options.enumerated() {
        let logits = logits(.normal, 1500, &random)
        var options = filters
        (options.temperature, options.seed) = (1, UInt64(index))
        var other = logits
        // Sums of these are exact in floats.
        options.bias = [(3, 4), (64, -2), (700, 8), (1499, 1), (9, -.infinity)]
        for place in other.indices { other[place] = (other[place] * 64).rounded() / 64 }
        let rounded = other
        for (token, bias) in options.bias { other[Int(token)] += bias }
        var changed = try Sampler(options)
        options.bias = []
        var plain = try Sampler(options)
        for _ in 0..<20 {
          #expect(
            try changed.draw(rounded, table: table) == plain.draw(other, table: table),
            "options \(index), \(table.name)")
        }
      }
    }
  }
}
