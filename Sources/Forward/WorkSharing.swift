// Work sharing: a phase of the pass is a number of pieces, and the workers claim them in units.
import Workers

extension ForwardPass {
  /// (pass, piece, worker).
  ///
  /// A function that captures nothing, so that a phase allocates nothing.
  typealias Piece = @Sendable (ForwardPass, Int, Int) -> Void

  /// Runs `body` once a row.
  func forRows(_ body: @escaping Piece) { forEach(batch.rowCount, body) }

  /// Runs `body` for each of `count` small pieces: a unit is a run of neighbours, about eight units
  /// a thread, so that claiming them costs little.
  func forEach(_ count: Int, _ body: @escaping Piece) {
    share(count, run: max(1, count / (workers.count * 8)), body)
  }

  /// Runs `body` for each of `count` large pieces, every one a unit of its own.
  func forUnits(_ count: Int, _ body: @escaping Piece) { share(count, run: 1, body) }

  private func share(_ count: Int, run: Int, _ body: @escaping Piece) {
    let job = Job(pass: self, count: count, run: run, body: body)
    withUnsafePointer(to: job) { job in
      workers.run((count + run - 1) / run, job) { context, unit, worker in
        let job = context.assumingMemoryBound(to: Job.self)
        let first = unit * job.pointee.run
        for piece in first..<min(first + job.pointee.run, job.pointee.count) {
          job.pointee.body(job.pointee.pass, piece, worker)
        }
      }
    }
  }

  private struct Job {
    unowned(unsafe) let pass: ForwardPass
    let count: Int
    /// Pieces of a unit.
    let run: Int
    let body: Piece
  }
}
