// The kernels of sampling.
import Kernels

func checkScores(_ tables: [KernelTable], _ check: inout Check) {
  var random = Random(state: 5)
  for count in [1, 7, 8, 15, 16, 17, 63, 64, 65, 128, 200, 1003] {
    for size: Float in [0, 1e-3, 8, 60, 1e4] {
      for spoiled in [false, true] {
        let logits = Guarded.bytes(count * 4)
        for i in 0..<count { logits.floats[i] = random.float(size) }
        if spoiled { logits.floats[count / 2] = random.next() % 2 == 0 ? .nan : -.infinity }
        let scores = Scores(logits: logits, count: count)
        for table in tables {
          check.expect(scores.scan(table) == scores.scan(referenceTable()), table, "scan")
          if spoiled { continue }
          for temperature in [0.05, 1, 7.5] {
            check.expect(
              scores.weigh(table, temperature) == scores.weigh(referenceTable(), temperature),
              table, "weigh \(count) of \(size)")
          }
          check.expect(
            scores.estimate(table) == scores.estimate(referenceTable()), table, "estimate")
          for bound in [-size, 0, size / 2, 2 * size] {
            check.expect(
              scores.mass(table, bound) == scores.mass(referenceTable(), bound), table, "mass")
            check.expect(
              scores.collect(table, bound) == scores.collect(referenceTable(), bound), table,
              "collect")
          }
        }
      }
    }
  }
}

/// Logits of a vocabulary; each kernel's results as bits.
private struct Scores {
  let logits: Guarded
  let count: Int

  func scan(_ table: KernelTable) -> [UInt64] {
    let maxima = Guarded.bytes((count + 63) / 64 * 8)
    var pass = ScoreScan(logits: logits.floats, count: count, blockMaxima: maxima.doubles)
    table.scores.scan(&pass)
    return (0..<(count + 63) / 64).map { maxima.doubles[$0].bitPattern } + [
      UInt64(pass.largest.bitPattern), UInt64(pass.block), pass.isValid ? 1 : 0,
    ]
  }

  private var largest: Float { (0..<count).reduce(-.infinity) { max($0, logits.floats[$1]) } }

  func weigh(_ table: KernelTable, _ temperature: Double) -> [UInt64] {
    let room = (count + 15) / 16 * 16
    let (scores, weights) = (Guarded.bytes(room * 8), Guarded.bytes(room * 8))
    var pass = ScoreWeights(
      logits: logits.floats, scores: scores.doubles, count: count, weights: weights.doubles,
      largest: Double(largest), temperature: temperature)
    table.scores.weigh(&pass)
    return (0..<count).map { weights.doubles[$0].bitPattern }
      + (0..<count).map { scores.doubles[$0].bitPattern }
      + [pass.total.bitPattern, pass.moment.bitPattern]
  }

  func estimate(_ table: KernelTable) -> [UInt64] {
    let workspace = Guarded.bytes(32 * 4)
    var pass = ScoreEstimate(
      logits: logits.floats, count: count, largest: largest, workspace: workspace.floats)
    table.scores.estimate(&pass)
    return [
      pass.total.bitPattern, pass.moment.bitPattern, UInt64(pass.heads.0.bitPattern),
      UInt64(pass.heads.1.bitPattern), UInt64(pass.heads.2.bitPattern),
      UInt64(pass.heads.3.bitPattern),
    ]
  }

  func mass(_ table: KernelTable, _ bound: Float) -> [UInt64] {
    let (ranks, weights) = (Guarded.bytes(count * 8), Guarded.bytes(count * 8))
    for i in 0..<count {
      ranks.doubles[i] = Double(logits.floats[i])
      weights.doubles[i] = Double(logits.floats[count - 1 - i].magnitude)
    }
    var pass = ScoreMass(
      ranks: ranks.doubles, weights: weights.doubles, count: count, bound: Double(bound))
    table.scores.mass(&pass)
    return [
      pass.mass.bitPattern, pass.found.bitPattern, pass.lowest.bitPattern,
      pass.highestBelow.bitPattern,
    ]
  }

  func collect(_ table: KernelTable, _ bound: Float) -> [UInt64] {
    let (scores, tokens) = (Guarded.bytes((count + 1) * 8), Guarded.bytes((count + 1) * 4))
    let ids = tokens.base.assumingMemoryBound(to: Int32.self)
    var pass = ScoreCollection(
      logits: logits.floats, count: count, token: 100, bound: bound, scores: scores.doubles,
      tokens: ids, found: 1)
    table.scores.collect(&pass)
    return (1..<pass.found).flatMap { [scores.doubles[$0].bitPattern, UInt64(ids[$0])] }
  }
}
