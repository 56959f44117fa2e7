// Stepping: tokens of one or many sessions are cut into passes, each pass takes a turn of the
// model.
//
// `check` compares a request's tokens with what is left of its session's context: no count of them
// and no position after them wraps.
import Base

/// What one session is to be fed.
package struct StepRequest {
  package let session: Session
  package let tokens: UnsafeBufferPointer<Int32>
  /// Receives the logits after every token, [tokens][vocabulary]; nil keeps those after the last
  /// one.
  package let everyLogits: UnsafeMutablePointer<Float>?
  /// The session's place among those that step together.
  package let place: Int
  /// Why the session could not step.
  package var error: EngineError?

  fileprivate var start = 0
  fileprivate var done = 0
  /// Tokens of the pass that runs.
  fileprivate var taken = 0

  package init(
    session: Session, tokens: UnsafeBufferPointer<Int32>,
    everyLogits: UnsafeMutablePointer<Float>? = nil, place: Int = 0
  ) {
    self.session = session
    self.tokens = tokens
    self.everyLogits = everyLogits
    self.place = place
  }

  fileprivate var isOpen: Bool { error == nil && done < tokens.count }

  /// The first `count` tokens that are not done.
  fileprivate func next(_ count: Int) -> UnsafeBufferPointer<Int32> {
    UnsafeBufferPointer(start: tokens.baseAddress.map { $0 + done }, count: count)
  }
}

extension UnsafeMutableBufferPointer<StepRequest> {
  /// Runs `body` on every request, in place.
  @inline(__always)
  fileprivate func each(_ body: (inout StepRequest) -> Void) {
    var i = 0
    while i < count {
      body(&self[i])
      i &+= 1
    }
  }
}

extension Model {
  /// Feeds every request's tokens to its session and computes logits.
  ///
  /// Sessions are all of this model, different ones, each begun by the caller. A request that fails
  /// gets its error; the others go on.
  package func step(_ requests: UnsafeMutableBufferPointer<StepRequest>) {
    requests.each { check(&$0) }
    do throws(EngineError) {
      try weights.checkUnchanged()
      while requests.contains(where: \.isOpen) { try takeTurn(requests) }
    } catch {
      requests.each { if $0.error == nil { $0.error = error } }
    }
  }

  /// One pass, in its turn.
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

  /// Lends memory for `count` (at most `mostRequests`) requests, uninitialised: the model's own, or
  /// while another call has that, memory from the system.
  package func withRequests(
    _ count: Int,
    _ body: (UnsafeMutableBufferPointer<StepRequest>) throws(EngineError) -> Void
  ) throws(EngineError) {
    let isOurs = !requestsTaken.exchange(true, ordering: .acquiring)
    defer { if isOurs { requestsTaken.store(false, ordering: .releasing) } }
    let memory = isOurs ? requests : try Self.requestMemory(count, from: host)
    try body(
      UnsafeMutableBufferPointer(
        start: memory.base.assumingMemoryBound(to: StepRequest.self), count: count))
  }

  static func requestMemory(
    _ count: Int, from host: HostMemory?
  ) throws(EngineError) -> Memory {
    // At most 4096 of some hundred bytes.
    try Memory(
      byteCount: count &* MemoryLayout<StepRequest>.stride, for: "sessions of a step", from: host)
  }

  private func check(_ request: inout StepRequest) {
    let session = request.session
    request.start = session.position
    guard request.tokens.count > 0 else {
      request.error = EngineError(.invalidArgument, "count is 0; allowed at least 1 token")
      return
    }
    for (i, token) in request.tokens.enumerated()
    where token < 0 || Int(token) >= vocabulary {
      request.error = EngineError(
        .invalidArgument, "tokens[\(i)] is \(token); allowed 0..\(vocabulary &- 1)")
      return
    }
    guard request.tokens.count <= session.context &- session.position else {
      request.error = EngineError(
        .contextFull,
        "\(request.tokens.count) tokens after position \(session.position) need more than the "
          + "context of \(session.context)")
      return
    }
  }

  /// One pass: as many tokens of the open requests as it has rows.
  private func compute(_ requests: UnsafeMutableBufferPointer<StepRequest>) {
    defer { pass.batch.reset() }
    var room = pass.scratch.rows
    requests.each { request in
      request.taken = 0
      guard request.isOpen, room > 0 else { return }
      add(&request, room)
      room &-= request.taken
    }
    guard pass.batch.rowCount > 0 else { return }
    let isWhole = pass.run()
    if let damage = weights.damage {
      return requests.each { if $0.taken > 0 { fail(&$0, damage) } }
    }
    guard isWhole else {
      return requests.each {
        guard $0.session.isCancelled else { return }
        fail(&$0, EngineError(.cancelled, "the call was cancelled"))
      }
    }
    readLogits(requests)
    requests.each { if $0.taken > 0, $0.error == nil { advance(&$0) } }
  }

  private func add(_ request: inout StepRequest, _ room: Int) {
    let session = request.session
    let left = request.tokens.count &- request.done
    let count = min(room, left)
    do throws(EngineError) {
      try session.cache.prepare(from: session.position, to: session.position &+ count)
    } catch {
      return fail(&request, error)
    }
    pass.batch.add(
      session, tokens: request.next(count),
      firstOutput: request.everyLogits == nil ? left &- 1 : 0,
      headsPerKVHead: pass.headsPerKVHead)
    request.taken = count
  }

  /// Computes the wanted logits, a few rows at a time, and copies them where they belong.
  private func readLogits(_ requests: UnsafeMutableBufferPointer<StepRequest>) {
    var first = 0
    while first < pass.batch.outputCount {
      let count = min(Scratch.outputRows, pass.batch.outputCount &- first)
      pass.logits(from: first, count: count)
      let damage = weights.damage
      var i = 0
      while i < count {
        let row = pass.batch.rows[pass.batch.outputs[first &+ i]]
        let logits = pass.scratch.logits + i &* pass.scratch.logitsStride
        i &+= 1
        // One request a session.
        var place = 0
        while place < requests.count, requests[place].session !== row.session { place &+= 1 }
        guard place < requests.count else { continue }
        if let damage {
          if requests[place].error == nil { fail(&requests[place], damage) }
        } else {
          store(logits, of: row, for: &requests[place])
        }
      }
      first &+= count
    }
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
        .update(from: logits, count: vocabulary)
    }
    if row.position == request.start &+ request.tokens.count &- 1 {
      request.session.logits.update(from: logits, count: vocabulary)
    }
  }

  /// Whether all logits are finite: an exponent of all ones in none of them.
  private func isFinite(_ logits: UnsafePointer<Float>) -> Bool {
    var worst: UInt32 = 0
    let count = vocabulary
    var i = 0
    while i < count {
      worst = max(worst, logits[i].bitPattern & 0x7fff_ffff)
      i &+= 1
    }
    return worst < 0x7f80_0000
  }

  private func advance(_ request: inout StepRequest) {
    let session = request.session
    let tokens = request.next(request.taken)
    if let base = tokens.baseAddress {
      (session.tokens + session.position).update(from: base, count: tokens.count)
    }
    session.position &+= tokens.count
    request.done &+= tokens.count
    session.hasLogits = request.done == request.tokens.count
    if shape.slidingWindow > 0 {
      session.cache.drop(before: session.position &- shape.slidingWindow &+ 1)
    }
  }

  /// Ends a request: the session stands where it stood before, or, when its window has moved on,
  /// after the last whole pass.
  private func fail(_ request: inout StepRequest, _ error: EngineError) {
    request.error = error
    let session = request.session
    if request.done > 0 {
      session.hasLogits = false
      if session.canStand(at: request.start) { session.stand(at: request.start) }
    }
    // The pages that the failed pass took go back.
    session.cache.truncate(to: session.position)
  }
}
