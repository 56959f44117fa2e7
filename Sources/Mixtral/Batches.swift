// Drawing for many sessions together, on the threads of their model.
import Base
import CMixtral
import Model
import Sampling

/// A session of a joint draw.
private struct DrawRequest {
  let session: Session
  /// Nil: greedy.
  let sampler: SamplerObject?
  let place: Int
  var token: mixtral_token = 0
  /// Why nothing was drawn.
  var error: EngineError?

  /// Whether the host's filter runs, which has to on the thread of the call.
  var hasFilter: Bool { sampler?.filter != nil }

  mutating func draw() {
    do throws(EngineError) {
      let (session, sampler) = (session, sampler)
      var drawn: mixtral_token = 0
      try session.withLogits { logits throws(EngineError) in
        drawn = try Mixtral.draw(sampler, session, logits)
      }
      token = drawn
    } catch { self.error = error }
  }

  func end() {
    sampler?.exclusiveUse.end()
    session.exclusiveUse.end()
  }

  func breakDown() {
    sampler?.exclusiveUse.breakDown()
    session.exclusiveUse.breakDown()
  }
}

@c @implementation
public func mixtral_sample_many(
  _ tokens: UnsafeMutablePointer<mixtral_token>?, _ sessions: UnsafePointer<OpaquePointer?>?,
  _ samplers: UnsafePointer<OpaquePointer?>?, _ count: Int,
  _ statuses: UnsafeMutablePointer<mixtral_status>?
) -> mixtral_status {
  callTogether(count, statuses) { () throws(EngineError) in
    try checkApart(statuses, count, sessions, count, "statuses and sessions")
    try checkApart(statuses, count, samplers, count, "statuses and samplers")
  } body: { () throws(EngineError) in
    let tokens = try need(tokens, "tokens")
    try checkAligned(UnsafeRawPointer(tokens), 4, "tokens")
    try checkApart(tokens, count, sessions, count, "tokens and sessions")
    try checkApart(tokens, count, samplers, count, "tokens and samplers")
    try checkApart(tokens, count, statuses, count, "tokens and statuses")
    for place in below(count) { tokens[place] = 0 }
    let handles = try array(sessions, count, "sessions")
    let samplers = samplers == nil ? nil : try array(samplers, count, "samplers")
    let model = try firstModel(handles, statuses)
    var first: EngineError?
    try model.withRequests(count, of: DrawRequest.self) { requests throws(EngineError) in
      first = try drawTogether(model, handles, samplers, tokens, statuses, requests)
    }
    return first
  }
}

/// Draws for the sessions that can, in `requests`, which has room for all of them.
///
/// The error of the first that could not; nil when all could. Throws when nobody has drawn.
private func drawTogether(
  _ model: Model, _ handles: UnsafeBufferPointer<OpaquePointer?>,
  _ samplers: UnsafeBufferPointer<OpaquePointer?>?, _ tokens: UnsafeMutablePointer<mixtral_token>,
  _ statuses: UnsafeMutablePointer<mixtral_status>?,
  _ requests: UnsafeMutableBufferPointer<DrawRequest>
) throws(EngineError) -> EngineError? {
  // The requests that were begun, which are the first of those that there is room for.
  var members = UnsafeMutableBufferPointer(start: requests.baseAddress, count: 0)
  var first: (place: Int, error: EngineError)?
  func note(_ error: EngineError, _ place: Int) {
    statuses?[place] = error.kind.rawValue
    if place < first?.place ?? Int.max { first = (place, error) }
  }
  defer {
    for request in members { request.end() }
    members.deinitialize()
  }
  var place = 0
  while place < min(handles.count, requests.count) {
    defer { place &+= 1 }
    do throws(EngineError) {
      let request = try beginDraw(handles[place], samplers?[place], model, members, place)
      requests.initializeElement(at: members.count, to: request)
      members = UnsafeMutableBufferPointer(
        start: requests.baseAddress, count: members.count &+ 1)
    } catch {
      // A session or sampler twice, or a session of another model: nobody draws.
      if error.kind == .invalidArgument { throw named(error, place) }
      note(error, place)
    }
  }
  try recovering { () throws(EngineError) in
    try draw(members, model)
  } onFailure: { _ in
    for request in members { request.breakDown() }
  }
  for request in members {
    if let error = request.error { note(error, request.place) }
    tokens[request.place] = request.token
  }
  return first.map { named($0.error, $0.place) }
}

/// Draws for all: with filters of the host one after another, then the others on the model's
/// threads.
private func draw(
  _ members: UnsafeMutableBufferPointer<DrawRequest>, _ model: Model
) throws(EngineError) {
  guard let base = members.baseAddress, members.count > 0 else { return }
  var place = 0
  while place < members.count {
    if base[place].hasFilter { base[place].draw() }
    place &+= 1
  }
  do throws(EngineError) {
    try model.runTogether(members.count, base) { context, place, _ in
      let request =
        UnsafeMutableRawPointer(mutating: context).assumingMemoryBound(to: DrawRequest.self) + place
      if !request.pointee.hasFilter { request.pointee.draw() }
    }
  } catch {
    // A draw met a failure half-way.
    for request in members { request.breakDown() }
    throw error
  }
}

/// Takes one session of a joint draw and its sampler.
private func beginDraw(
  _ handle: OpaquePointer?, _ sampler: OpaquePointer?, _ model: Model,
  _ others: UnsafeMutableBufferPointer<DrawRequest>, _ place: Int
) throws(EngineError) -> DrawRequest {
  let session: Session = try HandleTable.shared.object(handle)
  guard session.model === model else {
    throw EngineError(.invalidArgument, "session is of another model than the first one")
  }
  if others.contains(where: { $0.session === session }) {
    throw EngineError(.invalidArgument, "session is given twice")
  }
  var object: SamplerObject?
  if let sampler {
    let found: SamplerObject = try HandleTable.shared.object(sampler)
    if others.contains(where: { $0.sampler === found }) {
      throw EngineError(.invalidArgument, "its sampler is given twice")
    }
    object = found
  }
  try session.begin()
  do throws(EngineError) { try object?.exclusiveUse.begin() } catch {
    session.exclusiveUse.end()
    throw error
  }
  return DrawRequest(session: session, sampler: object, place: place)
}
