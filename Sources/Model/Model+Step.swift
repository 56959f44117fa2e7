// Stepping: tokens of one or many sessions are cut into passes, each pass takes a turn of the
// model.
//
// `take` compares the number of a request's tokens with what is left of its session's context: no
// count of them and no position after them wraps.
import Base
import Forward
import Synchronization
import Workers

/// The tokens that one session is to be fed.
package struct StepRequest {
  package let session: Session
  /// The caller's, read once, by `Model.take`.
  private let source: UnsafeBufferPointer<Int32>
  /// Receives the logits after every token, [tokens][vocabulary]; nil keeps those after the last
  /// one.
  package let everyLogits: UnsafeMutablePointer<Float>?
  /// The session's place among those that step together.
  package let place: Int
  /// Why the session could not step.
  package var error: EngineError?

  /// The session's position before the step, and whether it had logits there.
  fileprivate var start = 0
  fileprivate var hadLogits = false
  /// Whether the session's logits are those of this step.
  fileprivate var hasStored = false
  fileprivate var done = 0
  /// Tokens of the pass that runs.
  fileprivate var taken = 0

  package init(
    session: Session, tokens: UnsafeBufferPointer<Int32>,
    everyLogits: UnsafeMutablePointer<Float>? = nil, place: Int = 0
  ) {
    self.session = session
    source = tokens
    self.everyLogits = everyLogits
    self.place = place
  }

  fileprivate var count: Int { source.count }

  fileprivate var isOpen: Bool { error == nil && done < count }

  /// The first `count` tokens that are not done: the session's copy.
  fileprivate func next(_ count: Int) -> UnsafeBufferPointer<Int32> {
    UnsafeBufferPointer(start: session.tokens + start + done, count: count)
  }

  /// Copies the caller's tokens behind those of the session, and checks the copy: what the caller
  /// changes from here on changes nothing.
  fileprivate mutating func take(vocabulary: Int) throws(EngineError) {
    (start, hadLogits) = (session.position, session.hasLogits)
    guard count > 0 else {
      throw EngineError(.invalidArgument, "count is 0; allowed at least 1 token")
    }
    guard count <= session.context &- start else {
      throw EngineError(
        .contextFull,
        "\(count) tokens after position \(start) need more than the context of "
          + "\(session.context)")
    }
    try session.makeRoom(for: start &+ count)
    let copy = UnsafeMutableBufferPointer(start: session.tokens + start, count: count)
    if let base = source.baseAddress { copy.baseAddress?.copy(from: base, count: count) }
    for (i, token) in copy.enumerated() where token < 0 || Int(token) >= vocabulary {
      throw EngineError(
        .invalidArgument, "tokens[\(i)] is \(token); allowed 0..\(vocabulary &- 1)")
    }
  }
}

extension UnsafeMutableBufferPointer<StepRequest> {
  /// Runs `body` on every request, in place.
  @inline(__always)
  fileprivate func each(_ body: (inout StepRequest) -> Void) {
    for i in below(count) {
      body(&self[i])
    }
  }
}

extension Model {
  /// Feeds every request's tokens to its session and computes logits.
  ///
  /// Sessions are all of this model, different ones, each begun by the caller. A request that fails
  /// gets its error; the others go on.
  @export(interface)
  package func step(_ requests: UnsafeMutableBufferPointer<StepRequest>) {
    requests.each { take(&$0) }
    do throws(EngineError) {
      try weights.checkUnchanged()
      while requests.contains(where: { $0.isOpen }) { try takeTurn(requests) }
    } catch {
      requests.each { if $0.error == nil { $0.error = error } }
    }
  }

  /// A pass, in its turn.
  ///
  /// A failed check or refused memory in it leaves a pass that no later step may use.
  private func takeTurn(
    _ requests: UnsafeMutableBufferPointer<StepRequest>
  ) throws(EngineError) {
    let end = inTurn {
      guard !hasFailed else {
        return requests.each {
          guard $0.error == nil else { return }
          $0.error = EngineError(
            .internal, "an earlier step of this model met a fault of the library; free it")
        }
      }
      // Until it ends as it should.
      hasFailed = true
      compute(requests)
      hasFailed = false
    }
    guard let end else { return }
    for request in requests where request.taken > 0 { request.session.exclusiveUse.breakDown() }
    throw end.error
  }

  /// Runs `body` in a turn; the failure that ended it early, nil when none did.
  func inTurn(_ body: () -> Void) -> Failure? {
    turn.wait()
    defer { turn.done() }
    return failure(in: body)
  }

  /// Does `count` units of `body` on the model's threads, in a turn; fails when one of them does.
  @export(interface)
  package func runTogether(
    _ count: Int, _ context: UnsafeRawPointer,
    _ body: @escaping @convention(c) (UnsafeRawPointer, Int, Int) -> Void
  ) throws(EngineError) {
    if let failure = inTurn({ workers.run(count, context, body) }) { throw failure.error }
  }

  /// Lends memory for `count` (at most `mostRequests`) requests, uninitialised: the model's own, or
  /// while another call has that, memory from the system.
  @export(interface)
  package func withRequests(
    _ count: Int,
    _ body: (UnsafeMutableBufferPointer<StepRequest>) throws(EngineError) -> Void
  ) throws(EngineError) {
    try withRequests(count, of: StepRequest.self, body)
  }

  /// The same for requests of another kind; larger ones always get memory from the system.
  package func withRequests<Request>(
    _ count: Int, of _: Request.Type,
    _ body: (UnsafeMutableBufferPointer<Request>) throws(EngineError) -> Void
  ) throws(EngineError) {
    let fits = MemoryLayout<Request>.stride <= MemoryLayout<StepRequest>.stride
    let isOurs = fits && !requestsTaken.exchange(true, ordering: .acquiring)
    defer { if isOurs { requestsTaken.store(false, ordering: .releasing) } }
    let memory = isOurs ? requests : try Self.requestMemory(count, of: Request.self, from: host)
    try body(
      UnsafeMutableBufferPointer(
        start: memory.base.assumingMemoryBound(to: Request.self), count: count))
  }

  static func requestMemory<Request>(
    _ count: Int, of _: Request.Type, from host: HostMemory?
  ) throws(EngineError) -> Memory {
    // At most 4096 of some hundred bytes.
    try Memory.allocated(
      byteCount: count &* MemoryLayout<Request>.stride, for: "sessions of a step", from: host)
  }

  private func take(_ request: inout StepRequest) {
    do throws(EngineError) {
      try request.take(vocabulary: vocabulary)
    } catch {
      request.error = error
    }
  }

  /// A pass: as many tokens of the open requests as it has rows.
  private func compute(_ requests: UnsafeMutableBufferPointer<StepRequest>) {
    defer { pass.batch.reset() }
    var free = pass.scratch.rows
    for place in below(requests.count) {
      requests[place].taken = 0
      guard requests[place].isOpen, free > 0 else { continue }
      add(&requests[place], free, owner: place)
      free &-= requests[place].taken
    }
    guard pass.batch.rowCount > 0 else { return }
    let isWhole = pass.run(unless: {
      weights.isDamaged || requests.contains { $0.taken > 0 && $0.session.isCancelled }
    })
    let change = isWhole ? readLogits(requests) : weights.change
    if let fault = pass.takeFault() { return requests.each { breakDown(&$0, fault) } }
    if let change {
      return requests.each { if $0.taken > 0 { fail(&$0, change) } }
    }
    guard isWhole else {
      return requests.each {
        guard $0.taken > 0, $0.session.isCancelled else { return }
        fail(&$0, Session.cancelledError)
      }
    }
    requests.each { if $0.taken > 0, $0.error == nil { advance(&$0) } }
  }

  private func add(_ request: inout StepRequest, _ free: Int, owner: Int) {
    let session = request.session
    let left = request.count &- request.done
    let count = min(free, left)
    do throws(EngineError) {
      try session.cache.prepare(from: session.position, to: session.position &+ count)
    } catch {
      return fail(&request, error)
    }
    pass.batch.add(
      request.next(count), at: session.position, session.cache.sessionPages, owner: owner,
      firstOutput: request.everyLogits == nil ? left &- 1 : 0)
    request.taken = count
  }

  /// Computes the wanted logits, a few rows at a time, and copies them where they belong; why
  /// neither these nor the pass may be used, nil when they may.
  private func readLogits(
    _ requests: UnsafeMutableBufferPointer<StepRequest>
  ) -> EngineError? {
    var first = 0
    while first < pass.batch.outputCount {
      let count = min(Scratch.outputRows, pass.batch.outputCount &- first)
      pass.logits(from: first, count: count)
      if let change = weights.change { return change }
      for i in below(count) {
        let row = pass.batch.rows[pass.batch.outputs[first &+ i]]
        store(pass.scratch.logits.row(i), of: row, for: &requests[row.owner])
      }
      first &+= count
    }
    return first == 0 ? weights.change : nil
  }

  private func store(
    _ logits: UnsafePointer<Float>, of row: Row, for request: inout StepRequest
  ) {
    guard request.error == nil else { return }
    guard isFinite(logits) else {
      return fail(
        &request,
        EngineError(
          .numeric,
          "the logits after position \(row.position) are not finite; the weights or the tokens "
            + "overflow"))
    }
    if let all = request.everyLogits {
      // The boundary checked that all rows fit into the caller's memory.
      (all + (row.position &- request.start) &* vocabulary)
        .copy(from: logits, count: vocabulary)
    }
    if row.position == request.start &+ request.count &- 1 {
      request.session.logits.copy(from: logits, count: vocabulary)
      request.hasStored = true
    }
  }

  /// Whether all logits are finite: an exponent of all ones in none of them.
  private func isFinite(_ logits: UnsafePointer<Float>) -> Bool {
    var worst: UInt32 = 0
    let count = vocabulary
    for i in below(count) {
      worst = max(worst, logits[i].bitPattern & 0x7fff_ffff)
    }
    return worst < 0x7f80_0000
  }

  private func advance(_ request: inout StepRequest) {
    let session = request.session
    session.position &+= request.taken
    request.done &+= request.taken
    session.hasLogits = request.done == request.count
    if shape.slidingWindow > 0 {
      session.cache.drop(before: session.position &- shape.slidingWindow &+ 1)
    }
  }

  /// Ends a request whose pass met a fault of the library: nobody may use its session any more.
  private func breakDown(_ request: inout StepRequest, _ fault: PassFault) {
    guard request.taken > 0 else { return }
    fail(
      &request,
      EngineError(.internal, "\(fault.text), which is a fault of the library; free the session"))
    request.session.exclusiveUse.breakDown()
  }

  /// Ends a request: the session stands where it stood before, or, when its window has moved on,
  /// after the last whole pass.
  private func fail(_ request: inout StepRequest, _ error: EngineError) {
    request.error = error
    let session = request.session
    if session.canStand(at: request.start) { session.stand(at: request.start) }
    session.hasLogits =
      request.hadLogits && !request.hasStored && session.position == request.start
    // The pages that the failed pass took go back.
    session.cache.truncate(to: session.position)
  }
}
