// The one signal that a host may ask the library to handle.
import Base
import CMixtral
import Platform

@c @implementation
public func mixtral_guard_mappings(_ on: UInt32) -> mixtral_status {
  call { () throws(EngineError) in
    guard on <= 1 else {
      throw EngineError(.invalidArgument, "on is \(on); allowed 0..1")
    }
    switch platform_guard(Int32(on)) {
    case 0: return
    case EBUSY:
      throw EngineError(
        .busy, "SIGBUS has a handler that came after the guard; take that away first")
    case let code:
      throw EngineError(.inputOutput, "the system does not let SIGBUS be handled: errno \(code)")
    }
  }
}
