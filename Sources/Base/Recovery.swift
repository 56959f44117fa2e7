// Recovery from failed checks: a trap and a refused allocation end the work that was begun here,
// not the process. The C side is Sources/Platform/recovery.c.
import Platform

/// Runs `body`; 0, or the number of the failure that ended it.
///
/// No header can name a Swift closure, so it is declared here.
@_silgen_name("platform_recover")
private func platformRecover(_ body: () -> Void) -> Int32

/// The cause that ended work early: a check of the compiler, or refused memory.
package enum Failure: Int32, Sendable {
  case trap = 1
  case memory = 2

  package var error: EngineError {
    switch self {
    case .trap:
      EngineError(
        .internal,
        "a check inside the library failed, which is a fault of the library; free what was in use")
    case .memory:
      EngineError(.outOfMemory, "the system refused memory, and the reserve is used up")
    }
  }
}

/// Runs `body`; the failure that ended it early, nil when none did.
///
/// After a failure everything that `body` owned is lost, and what it changed may be half done.
package func failure(in body: () -> Void) -> Failure? { Failure(rawValue: platformRecover(body)) }

/// Runs `body`; a failure is given to `onFailure` and thrown.
package func recovering(
  _ body: () throws(EngineError) -> Void, onFailure: (Failure) -> Void = { _ in }
) throws(EngineError) {
  var thrown: EngineError?
  let failure = failure {
    do throws(EngineError) { try body() } catch { thrown = error }
  }
  if let failure {
    onFailure(failure)
    throw failure.error
  }
  if let thrown { throw thrown }
}
