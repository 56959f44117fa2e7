// A number that identifies a model: a session's state is of use only to the model that made it.
import Base
import Forward
import Kernels
import Synchronization
import Workers

extension Model {
  /// XXH64 of the weights as they lie in memory, and of the numbers that say how they are used.
  ///
  /// The same for a file and its packed copy, for every table and number of threads. The first time
  /// all weights are read, in a call of `session`. Throws `.cancelled` when that was asked to stop,
  /// `.changed` when a mapped file is no longer what was opened.
  func digest(for session: Session) throws(EngineError) -> UInt64 {
    let known = knownDigest.load(ordering: .relaxed)
    if known != 0 { return known }
    try weights.checkUnchanged()
    var sums = try Growable(filled: UInt64(0), count: weights.parts.count)
    let place = try sums.all()
    let end = inTurn {
      weights.parts.withUnsafeBufferPointer { parts in
        guard let parts = parts.baseAddress, let place = place.baseAddress else { return }
        var job = Job(parts: parts, sums: place, session: .passUnretained(session))
        withUnsafePointer(to: &job) { job in
          workers.run(weights.parts.count, job) { job, unit, _ in
            let job = job.assumingMemoryBound(to: Job.self)
            if job.pointee.session.takeUnretainedValue().isCancelled { return }
            job.pointee.sums[unit] = XXH64.of(job.pointee.parts[unit])
          }
        }
      }
    }
    if let end { throw end.error }
    try session.checkNotCancelled()
    try weights.checkUnchanged()
    try addNumbers(to: &sums)
    let all = try sums.all()
    let digest = XXH64.of(
      UnsafeRawBufferPointer(start: all.baseAddress, count: all.count &* 8))
    knownDigest.store(digest, ordering: .relaxed)
    return digest
  }

  private struct Job {
    let parts: UnsafePointer<UnsafeRawBufferPointer>
    let sums: UnsafeMutablePointer<UInt64>
    let session: Unmanaged<Session>
  }

  /// Adds what the forward pass computes with, besides the weights.
  private func addNumbers(to sums: inout Growable<UInt64>) throws(EngineError) {
    for count in [
      shape.layers, shape.hiddenWidth, shape.heads, shape.kvHeads, shape.headWidth,
      shape.feedForwardWidth, shape.experts, shape.expertsPerToken, shape.slidingWindow,
      shape.ropeWidth, vocabulary,
    ] { try sums.append(UInt64(clamping: count)) }
    // Two models may differ in nothing but the matrix that a bias belongs to.
    for index in below(weights.biased.count) {
      try sums.append(UInt64(clamping: weights.biased.at(index)))
    }
    if shape.ropeMagnitude != 1 { try sums.append(UInt64(shape.ropeMagnitude.bitPattern)) }
    for value in [shape.ropeBase, shape.ropeFactor, shape.normEpsilon] {
      try sums.append(UInt64(value.bitPattern))
    }
  }
}
