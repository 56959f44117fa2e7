// Stepping sessions of one model together: each is taken for the call, all step in the same
// passes, each is given back; what one cannot do does not hinder the others.
import Base

extension Model {
  /// Steps different sessions of this model together, at most `mostRequests`.
  ///
  /// `member` says which session is at a place and what it is fed, or throws why none is. A session
  /// that cannot step is told to `note`, with its place, and the others go on; the first of these
  /// errors is thrown. Nobody steps after `.invalidArgument`: a session that is given twice or is
  /// of another model, tokens that cannot be.
  @export(interface)
  package func stepTogether(
    _ count: Int,
    _ member: (Int) throws(EngineError) -> (Session, UnsafeBufferPointer<Int32>),
    note: (Int, EngineError) -> Void
  ) throws(EngineError) {
    try withRequests(count) { requests throws(EngineError) in
      // The requests that were begun, which are the first of those that there is room for.
      var members = UnsafeMutableBufferPointer(start: requests.baseAddress, count: 0)
      var first: (place: Int, error: EngineError)?
      func fail(_ place: Int, _ error: EngineError) {
        note(place, error)
        if place < first?.place ?? Int.max { first = (place, error) }
      }
      defer {
        for request in members { request.session.exclusiveUse.end() }
        members.deinitialize()
      }
      for place in below(requests.count) {
        do throws(EngineError) {
          let (session, tokens) = try member(place)
          try begin(session, beside: members)
          requests.initializeElement(
            at: members.count, to: StepRequest(session: session, tokens: tokens, place: place))
          members = UnsafeMutableBufferPointer(
            start: requests.baseAddress, count: members.count &+ 1)
        } catch {
          if error.kind == .invalidArgument { throw named(error, place) }
          fail(place, error)
        }
      }
      try recovering({ step(members) }) { _ in
        for request in members { request.session.exclusiveUse.breakDown() }
      }
      for case let (place, error?) in members.lazy.map({ ($0.place, $0.error) }) {
        fail(place, error)
      }
      if let first { throw named(first.error, first.place) }
    }
  }

  /// Takes a session for a step beside others.
  private func begin(
    _ session: Session, beside others: UnsafeMutableBufferPointer<StepRequest>
  ) throws(EngineError) {
    guard session.model === self else {
      throw EngineError(.invalidArgument, "session is of another model than the first one")
    }
    if others.contains(where: { $0.session === session }) {
      throw EngineError(.invalidArgument, "session is given twice")
    }
    try session.begin()
  }
}

/// An error of one of several sessions, which names its place.
package func named(_ error: EngineError, _ place: Int) -> EngineError {
  EngineError(error.kind, "sessions[\(place)]: \(error.message)")
}
