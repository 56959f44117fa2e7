// What a model is, as one number: a session's state is of use only to the model that made it.
import Formats
import Kernels
import Workers

extension Model {
  /// XXH64 of the weights as they lie in memory, and of the numbers that say how they are used.
  ///
  /// The same for a file and its packed copy, for every table and number of threads. The first time
  /// all weights are read; throws `.changed` when a mapped file is no longer what was opened.
  func digest() throws(EngineError) -> UInt64 {
    let known = knownDigest.load(ordering: .relaxed)
    if known != 0 { return known }
    try weights.checkUnchanged()
    var sums = [UInt64](repeating: 0, count: weights.parts.count)
    let end = inTurn {
      sums.withUnsafeMutableBufferPointer { sums in
        guard let base = sums.baseAddress else { return }
        var job = Job(parts: weights.parts, sums: base)
        withUnsafePointer(to: &job) { job in
          workers.run(weights.parts.count, job) { job, unit, _ in
            let job = job.assumingMemoryBound(to: Job.self)
            job.pointee.sums[unit] = XXH64.of(job.pointee.parts[unit])
          }
        }
      }
    }
    if let end { throw end.error }
    try weights.checkUnchanged()
    sums += numbers
    let digest = sums.withUnsafeBytes { XXH64.of($0) }
    knownDigest.store(digest, ordering: .relaxed)
    return digest
  }

  private struct Job {
    let parts: [UnsafeRawBufferPointer]
    let sums: UnsafeMutablePointer<UInt64>
  }

  /// What the forward pass computes with, besides the weights.
  private var numbers: [UInt64] {
    let counts = [
      shape.layers, shape.hiddenWidth, shape.heads, shape.kvHeads, shape.headWidth,
      shape.feedForwardWidth, shape.experts, shape.expertsPerToken, shape.slidingWindow,
      shape.ropeWidth, vocabulary,
    ]
    let values = [shape.ropeBase, shape.ropeFactor, shape.normEpsilon]
    return counts.map { UInt64(clamping: $0) } + values.map { UInt64($0.bitPattern) }
  }
}
