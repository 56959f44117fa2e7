// Sessions: creating, stepping, reading logits, rewinding, forking.
import Base
import CMixtral
import Kernels
import Model

@c @implementation
public func mixtral_session_create(
  _ session: UnsafeMutablePointer<OpaquePointer?>?, _ model: OpaquePointer?,
  _ options: UnsafePointer<mixtral_session_options>?
) -> mixtral_status {
  session?.pointee = nil
  return call { () throws(EngineError) in
    let out = try need(session, "the pointer to the session")
    let model: Model = try HandleTable.shared.object(model)
    let given = try Mixtral.options(
      options, mixtral_session_options(), "mixtral_session_options")
    guard given.reserved == 0 else {
      throw EngineError(.invalidArgument, "reserved is \(given.reserved); allowed 0")
    }
    let created = try Session.created(
      model: model, context: Int(given.context), cacheType: try cacheType(given.cache_type))
    out.pointee = try HandleTable.shared.add(created)
  }
}

private func cacheType(_ given: UInt32) throws(EngineError) -> CacheType {
  switch Int(given) {
  case MIXTRAL_CACHE_F16: .f16
  case MIXTRAL_CACHE_Q8_0: .q8_0
  default: throw EngineError(.invalidArgument, "cache_type is \(given); allowed 0..1")
  }
}

/// Runs `body` while the session is this call's alone.
func withSession(
  _ handle: OpaquePointer?, _ body: (Session) throws(EngineError) -> Void
) throws(EngineError) {
  let session: Session = try HandleTable.shared.object(handle)
  try session.hold { () throws(EngineError) in try body(session) }
}

@c @implementation
public func mixtral_step(
  _ session: OpaquePointer?, _ tokens: UnsafePointer<mixtral_token>?, _ count: Int
) -> mixtral_status {
  call { () throws(EngineError) in
    try withSession(session) { session throws(EngineError) in
      try step(StepRequest(session: session, tokens: try array(tokens, count, "tokens")))
    }
  }
}

private func step(_ request: StepRequest) throws(EngineError) {
  let model = request.session.model
  var request = request
  withUnsafeMutablePointer(to: &request) {
    model.step(UnsafeMutableBufferPointer(start: $0, count: 1))
  }
  if let error = request.error { throw error }
}

@c @implementation
public func mixtral_step_logits(
  _ written: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutablePointer<Float>?,
  _ capacity: Int, _ session: OpaquePointer?, _ tokens: UnsafePointer<mixtral_token>?,
  _ count: Int
) -> mixtral_status {
  written?.pointee = 0
  return call { () throws(EngineError) in
    try withSession(session) { session throws(EngineError) in
      let tokens = try array(tokens, count, "tokens")
      let (needed, overflow) = tokens.count.multipliedReportingOverflow(
        by: session.model.vocabulary)
      guard !overflow else {
        throw EngineError(.limitExceeded, "\(count) rows of logits overflow 64 bits")
      }
      let out = try outputBuffer(for: needed, written, buffer, capacity)
      try checkApart(out, needed, tokens.baseAddress, count, "buffer and tokens")
      try step(StepRequest(session: session, tokens: tokens, everyLogits: out))
    }
  }
}

@c @implementation
public func mixtral_step_many(
  _ sessions: UnsafePointer<OpaquePointer?>?, _ inputs: UnsafePointer<mixtral_input>?,
  _ count: Int, _ statuses: UnsafeMutablePointer<mixtral_status>?
) -> mixtral_status {
  callTogether(count, statuses) { () throws(EngineError) in
    try checkApart(statuses, count, sessions, count, "statuses and sessions")
    try checkApart(statuses, count, inputs, count, "statuses and inputs")
  } body: { () throws(EngineError) in
    let handles = try array(sessions, count, "sessions")
    let inputs = try array(inputs, count, "inputs")
    let model = try firstModel(handles, statuses)
    return try model.stepTogether(min(handles.count, inputs.count)) { place throws(EngineError) in
      let session: Session = try HandleTable.shared.object(handles[place])
      return (session, try tokens(inputs[place]))
    } note: { place, error in
      statuses?[place] = error.kind.rawValue
    }
  }
}

/// Runs a function of the header that takes `count` sessions and gives each a status.
///
/// `check` throws when statuses would be written where they may not be: then none is. The error
/// that `body` returns is the first of the sessions', which have written their own; one that ends
/// the whole call is that of every session without one.
func callTogether(
  _ count: Int, _ statuses: UnsafeMutablePointer<mixtral_status>?,
  check: () throws(EngineError) -> Void, body: () throws(EngineError) -> EngineError?
) -> mixtral_status {
  let refused = call(always: true) { () throws(EngineError) in
    guard count >= 1, count <= Model.mostRequests else {
      throw EngineError(
        .invalidArgument, "count is \(UInt(bitPattern: count)); allowed 1..\(Model.mostRequests)")
    }
    if let statuses { try checkAligned(UnsafeRawPointer(statuses), 4, "statuses") }
    try check()
    statuses?.update(repeating: 0, count: count)
  }
  guard refused == MIXTRAL_OK else { return refused }
  var areTheirOwn = false
  let status = call { () throws(EngineError) in
    let first = try body()
    areTheirOwn = true
    if let first { throw first }
  }
  if let statuses, status != MIXTRAL_OK, !areTheirOwn {
    for place in below(count) where statuses[place] == MIXTRAL_OK { statuses[place] = status }
  }
  return status
}

/// The tokens of one session's input.
private func tokens(
  _ input: mixtral_input
) throws(EngineError) -> UnsafeBufferPointer<mixtral_token> {
  guard let count = Int(exactly: input.count) else {
    throw EngineError(
      .invalidArgument, "count of tokens is \(input.count); allowed 0..\(Int.max)")
  }
  let base: UnsafePointer<mixtral_token>? = input.tokens
  return try array(base, count, "tokens")
}

/// The model of the first handle that is a session; throws the first error when none is.
func firstModel(
  _ handles: UnsafeBufferPointer<OpaquePointer?>, _ statuses: UnsafeMutablePointer<mixtral_status>?
) throws(EngineError) -> Model {
  var first = EngineError(.internal, "no session was given")
  for place in below(handles.count) {
    do throws(EngineError) {
      let session: Session = try HandleTable.shared.object(handles[place])
      return session.model
    } catch {
      statuses?[place] = error.kind.rawValue
      if place == 0 { first = EngineError(error.kind, "sessions[0]: \(error.message)") }
    }
  }
  throw first
}

@c @implementation
public func mixtral_logits(
  _ count: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutablePointer<Float>?, _ capacity: Int,
  _ session: OpaquePointer?
) -> mixtral_status {
  count?.pointee = 0
  return call { () throws(EngineError) in
    try withSession(session) { session throws(EngineError) in
      try session.withLogits { logits throws(EngineError) in
        try write(logits, count, buffer, capacity)
      }
    }
  }
}

@c @implementation
public func mixtral_session_position(
  _ position: UnsafeMutablePointer<UInt64>?, _ session: OpaquePointer?
) -> mixtral_status {
  position?.pointee = 0
  return call { () throws(EngineError) in
    let position = try need(position, "the pointer to the position")
    try withSession(session) { session throws(EngineError) in
      position.pointee = UInt64(clamping: session.position)
    }
  }
}

@c @implementation
public func mixtral_session_state(
  _ session: OpaquePointer?, _ state: UnsafeMutablePointer<mixtral_state>?
) -> mixtral_status {
  call { () throws(EngineError) in
    try withSession(session) { session throws(EngineError) in
      var value = mixtral_state()
      value.context = UInt32(clamping: session.context)
      value.position = UInt64(clamping: session.position)
      value.first_position = UInt64(clamping: session.firstPosition)
      value.cache_size = UInt64(clamping: session.cacheByteCount)
      try fill(state, value, "mixtral_state")
    }
  }
}

@c @implementation
public func mixtral_session_rewind(
  _ session: OpaquePointer?, _ position: UInt64
) -> mixtral_status {
  call { () throws(EngineError) in
    try withSession(session) { session throws(EngineError) in
      guard let target = Int(exactly: position) else {
        throw EngineError(
          .invalidArgument, "position is \(position); allowed 0..\(session.position)")
      }
      try session.rewind(to: target)
    }
  }
}

@c @implementation
public func mixtral_session_fork(
  _ copy: UnsafeMutablePointer<OpaquePointer?>?, _ session: OpaquePointer?
) -> mixtral_status {
  copy?.pointee = nil
  return call { () throws(EngineError) in
    let out = try need(copy, "the pointer to the copy")
    try withSession(session) { session throws(EngineError) in
      out.pointee = try HandleTable.shared.add(try session.forked())
    }
  }
}
