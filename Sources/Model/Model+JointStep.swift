// Stepping sessions of one model together: each is taken for the call, all step in the same
// passes, each is given back; what one cannot do does not hinder the others.
import Base

extension Model {
  /// Steps different sessions of this model together, at most `mostRequests`.
  ///
  /// `member` says which session is at a place and what it is fed, or throws why none is. A session
  /// that cannot step is told to `note`, with its place, and the others go on. The first of these
  /// errors; nil when every session has stepped. Throws when nobody has: a session is given twice,
  /// is of another model (`.invalidArgument`), or there is no memory.
  @export(interface)
  package func stepTogether(
    _ count: Int,
    _ member: (Int) throws(EngineError) -> (Session, UnsafeBufferPointer<Int32>),
    note: (Int, EngineError) -> Void
  ) throws(EngineError) -> EngineError? {
    var first: (place: Int, error: EngineError)?
    try withRequests(count) { requests throws(EngineError) in
      // The requests that were begun, which are the first of those that there is room for.
      var members = UnsafeMutableBufferPointer(start: requests.baseAddress, count: 0)
      func fail(_ place: Int, _ error: EngineError) {
        note(place, error)
        if place < first?.place ?? Int.max { first = (place, error) }
      }
      defer {
        for request in members { request.session.exclusiveUse.end() }
        members.deinitialize()
      }
      var refusal: EngineError?
      for place in below(requests.count) where refusal == nil {
        do throws(EngineError) {
          let (session, tokens) = try member(place)
          refusal = self.refusal(of: session, beside: members).map { named($0, place) }
          guard refusal == nil else { continue }
          try session.begin()
          requests.initializeElement(
            at: members.count, to: StepRequest(session: session, tokens: tokens, place: place))
          members = UnsafeMutableBufferPointer(
            start: requests.baseAddress, count: members.count &+ 1)
        } catch { fail(place, error) }
      }
      if let refusal { throw refusal }
      try recovering({ step(members) }) { _ in
        for request in members { request.session.exclusiveUse.breakDown() }
      }
      for case let (place, error?) in members.lazy.map({ ($0.place, $0.error) }) {
        fail(place, error)
      }
    }
    return first.map { named($0.error, $0.place) }
  }

  /// Why a session cannot be among those that step beside others; nil when it can.
  private func refusal(
    of session: Session, beside others: UnsafeMutableBufferPointer<StepRequest>
  ) -> EngineError? {
    guard session.model === self else {
      return EngineError(.invalidArgument, "session is of another model than the first one")
    }
    guard others.contains(where: { $0.session === session }) else { return nil }
    return EngineError(.invalidArgument, "session is given twice")
  }
}

/// An error of one of several sessions, which names its place.
package func named(_ error: EngineError, _ place: Int) -> EngineError {
  EngineError(error.kind, "sessions[\(place)]: \(error.message)")
}
