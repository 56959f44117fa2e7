// The kernels of sampling against plain loops, and the same bits from every table.
import Glibc
import Support
import Testing

import Kernels

@Suite("kernels of sampling")
struct ScoringTests {
  /// Lengths around whole vectors and blocks.
  private static let counts = [0, 1, 7, 8, 15, 16, 17, 63, 64, 65, 127, 128, 200, 512, 1000]

  private static func logits(_ count: Int, seed: UInt64) -> [Float] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { place in
      switch Int.random(in: 0..<12, using: &random) {
      case 0: -.infinity
      case 1: Float.random(in: -90 ... -80, using: &random)
      case 2: place % 2 == 0 ? 0 : -0.0
      case 3: Float.random(in: -1e38...0, using: &random)
      default: Float.random(in: -20...10, using: &random)
      }
    }
  }

  // MARK: exponential

  @Test("e^x in lanes has the bits of Elementary.exp")
  func exponential() {
    var random = SeededGenerator(seed: 0x5c0)
    var x = (0..<20_000).map { _ in Double.random(in: -746...0, using: &random) }
    x += (0..<20_000).map { _ in Double.random(in: -2...0, using: &random) }
    x += [0, -0.0, -.infinity, -1e300, -745, -745.133_219_101_941, -745.133_219_101_942, -708.4]
    x += (0..<2_000).map { -700 - Double($0) * 0.03 }
    x += (0..<1_000).flatMap { n -> [Double] in
      let edge = -(Double(n) + 0.5) * 0.693_147_180_559_945_3
      return [edge.nextDown, edge, edge.nextUp]
    }
    for table in Tables.all {
      let weights = weigh(table, x, largest: 0, temperature: 1).weights
      for (value, weight) in zip(x, weights) {
        #expect(
          weight.bitPattern == Elementary.exp(value).bitPattern, "\(table.name): e^\(value)")
      }
    }
  }

  /// The weights that the weighing kernel of a table makes of scores.
  private func weigh(
    _ table: KernelTable, _ scores: [Double], largest: Double, temperature: Double
  ) -> (weights: [Double], total: Double, moment: Double) {
    let room = (scores.count + 15) & ~15
    var padded = scores + [Double](repeating: .nan, count: room - scores.count)
    var weights = [Double](repeating: -1, count: room)
    return padded.withUnsafeMutableBufferPointer { padded in
      weights.withUnsafeMutableBufferPointer { weights in
        guard let scored = padded.baseAddress, let base = weights.baseAddress else {
          return ([], 0, 0)
        }
        var pass = ScoreWeights(
          logits: nil, scores: scored, count: scores.count, weights: base, largest: largest,
          temperature: temperature)
        table.scores.weigh(&pass)
        return (Array(weights.prefix(scores.count)), pass.total, pass.moment)
      }
    }
  }

  @Test("weights and their sum are those of a plain loop, whatever the table", arguments: counts)
  func weights(count: Int) {
    let logits = Self.logits(count, seed: UInt64(count)).map { Double($0) }
    let largest = logits.max() ?? 0
    for temperature in [0.01, 0.7, 1, 100] {
      var total = 0.0
      let expected = logits.map { score -> UInt64 in
        let weight = Elementary.exp((score - largest) / temperature)
        total += weight
        return weight.bitPattern
      }
      let moment = zip(logits, expected).map { score, weight in
        score > -.infinity ? Double(bitPattern: weight) * max(score - largest, -1000) : 0
      }.reduce(0, +)
      let moments = Tables.all.map { table in
        let found = weigh(table, logits, largest: largest, temperature: temperature)
        #expect(found.weights.map(\.bitPattern) == expected, "\(table.name)")
        #expect(found.total.bitPattern == total.bitPattern, "\(table.name)")
        #expect((found.moment - moment).magnitude <= 1e-10 * (1 + moment.magnitude))
        return found.moment.bitPattern
      }
      #expect(Set(moments).count == 1)
    }
  }

  @Test("weights of logits are those of the same scores", arguments: counts)
  func weightsOfLogits(count: Int) throws {
    let logits = Self.logits(count, seed: 3)
    for table in Tables.all where count > 0 {
      let expected = weigh(table, logits.map { Double($0) }, largest: 10, temperature: 1)
      let source = try GuardedBuffer(floats: logits)
      let room = try GuardedBuffer(byteCount: ((count + 15) & ~15) * 8)
      var pass = ScoreWeights(
        logits: source.floats, scores: room.base.assumingMemoryBound(to: Double.self),
        count: count, weights: room.base.assumingMemoryBound(to: Double.self), largest: 10,
        temperature: 1)
      table.scores.weigh(&pass)
      #expect(pass.total.bitPattern == expected.total.bitPattern, "\(table.name)")
      #expect(pass.moment == 0)
    }
  }

  // MARK: scan, estimate, mass, collection

  private struct Scan: Equatable {
    var largest: UInt32
    var block: Int
    var isValid: Bool
    var maxima: [UInt64]
  }

  private func scan(_ table: KernelTable, _ logits: [Float]) throws -> Scan {
    let source = try GuardedBuffer(floats: logits)
    let blocks = (logits.count + scoreBlock - 1) / scoreBlock
    let maxima = try GuardedBuffer(byteCount: blocks * 8)
    let found = maxima.base.assumingMemoryBound(to: Double.self)
    var pass = ScoreScan(logits: source.floats, count: logits.count, blockMaxima: found)
    table.scores.scan(&pass)
    return Scan(
      largest: pass.largest.bitPattern, block: pass.block, isValid: pass.isValid,
      maxima: (0..<blocks).map { found[$0].bitPattern })
  }

  @Test("a scan finds the largest of all and of each block", arguments: counts)
  func scan(count: Int) throws {
    for seed in 0..<4 as Range<UInt64> {
      let logits = Self.logits(count, seed: seed)
      let blocks = stride(from: 0, to: count, by: scoreBlock).map { start in
        Double(logits[start..<min(count, start + scoreBlock)].max() ?? 0)
      }
      let found = try scan(.reference, logits)
      #expect(found.maxima.map { Double(bitPattern: $0) } == blocks)
      #expect(Float(bitPattern: found.largest) == logits.max() ?? -.infinity)
      #expect(found.block == blocks.firstIndex(of: blocks.max() ?? 0) ?? 0)
      #expect(found.isValid)
      for table in Tables.fast { #expect(try scan(table, logits) == found, "\(table.name)") }
    }
  }

  @Test("a scan finds NaN and infinity anywhere", arguments: counts)
  func invalid(count: Int) throws {
    for place in Set([0, 1, 15, 16, count / 2, count - 1]) where (0..<count).contains(place) {
      for value in [Float.nan, -.nan, .infinity, Float(bitPattern: 0x7f80_0001)] {
        var logits = Self.logits(count, seed: 9)
        logits[place] = value
        for table in Tables.all { #expect(try !scan(table, logits).isValid, "\(table.name)") }
      }
      for table in Tables.all {
        let banned = [Float](repeating: -.infinity, count: count)
        #expect(try scan(table, banned).isValid)
      }
    }
  }

  @Test("an estimate is within its bounds, with the same bits from every table", arguments: counts)
  func estimate(count: Int) throws {
    for scale in [0.01, 1, 6] as [Float] {
      var random = SeededGenerator(seed: UInt64(count))
      var logits = (0..<count).map { _ in Float.random(in: -10...0, using: &random) * scale }
      if count > 2 { logits[count / 2] = -.infinity }
      let largest = logits.max() ?? 0
      let distances = logits.map { Double($0) - Double(largest) }
      let total = distances.map { exp($0) }.reduce(0, +)
      let moment = distances.map { $0 > -200 ? exp($0) * $0 : 0 }.reduce(0, +)
      // As Scores.estimateError and meanError derive them.
      let error = (4 + log(Double(max(count, 1)))) * 0x1p-24
      let found = try Tables.all.map { table -> [UInt64] in
        let source = try GuardedBuffer(floats: logits)
        let workspace = try GuardedBuffer(byteCount: 32 * 4)
        var pass = ScoreEstimate(
          logits: source.floats, count: count, largest: largest, workspace: workspace.floats)
        table.scores.estimate(&pass)
        #expect((pass.total - total).magnitude <= error * total, "\(table.name)")
        let momentError = (error + 87 * 0x1p-24) * (1 + moment.magnitude)
        #expect((pass.moment - moment).magnitude <= momentError, "\(table.name)")
        let heads = [pass.heads.0, pass.heads.1, pass.heads.2, pass.heads.3]
        for (place, head) in heads.enumerated() {
          let whole = distances.prefix(count / 16 * 16).map { exp($0) }
          let least = exp2(Double(-3 * (place + 1)))
          let low = whole.filter { $0 >= least * 1.00001 }.reduce(0, +)
          let high = whole.filter { $0 >= least * 0.99999 }.reduce(0, +)
          #expect(Double(head) >= low * 0.9999 && Double(head) <= high * 1.0001)
        }
        return [pass.total.bitPattern, pass.moment.bitPattern]
          + heads.map { UInt64($0.bitPattern) }
      }
      #expect(Set(found).count == 1)
    }
  }

  @Test("masses are those of a plain loop", arguments: counts)
  func mass(count: Int) throws {
    var random = SeededGenerator(seed: UInt64(count))
    let ranks = (0..<count).map { _ in Double(Int.random(in: -20...20, using: &random)) }
    // Sums of small integers are exact in any order.
    let weights = (0..<count).map { _ in Double(Int.random(in: 0...9, using: &random)) }
    for bound in [-.infinity, -20, -3.5, 0, 7, 20, 21, .infinity] as [Double] {
      let high = zip(ranks, weights).filter { $0.0 >= bound }
      for table in Tables.all {
        ranks.withUnsafeBufferPointer { ranks in
          weights.withUnsafeBufferPointer { weights in
            guard let first = ranks.baseAddress, let second = weights.baseAddress else { return }
            var pass = ScoreMass(ranks: first, weights: second, count: count, bound: bound)
            table.scores.mass(&pass)
            #expect(pass.mass == high.map(\.1).reduce(0, +), "\(table.name)")
            #expect(pass.found == Double(high.count))
            #expect(pass.lowest == high.map(\.0).min() ?? .infinity)
            #expect(pass.highestBelow == ranks.filter { $0 < bound }.max() ?? -.infinity)
          }
        }
      }
    }
  }

  @Test("a collection has what is not below the bound, in order", arguments: counts)
  func collection(count: Int) throws {
    let logits = Self.logits(count, seed: 77)
    for bound in [-Float.greatestFiniteMagnitude, -85, -0.0, 0, 3, 11] {
      let expected = logits.indices.filter { logits[$0] >= bound }
      for table in Tables.all {
        let source = try GuardedBuffer(floats: logits)
        let scores = try GuardedBuffer(byteCount: (2 + count) * 8)
        let tokens = try GuardedBuffer(byteCount: (2 + count) * 4)
        var pass = ScoreCollection(
          logits: source.floats, count: count, token: 100, bound: bound,
          scores: scores.base.assumingMemoryBound(to: Double.self),
          tokens: tokens.base.assumingMemoryBound(to: Int32.self), found: 2)
        table.scores.collect(&pass)
        #expect(pass.found == 2 + expected.count, "\(table.name), \(bound)")
        for (place, token) in expected.enumerated() {
          #expect(pass.tokens[2 + place] == Int32(100 + token))
          #expect(pass.scores[2 + place].bitPattern == Double(logits[token]).bitPattern)
        }
      }
    }
  }
}
