// Cancelling and freeing.
import Base
import CMixtral
import Model
import Platform

@c @implementation
public func mixtral_cancel(_ object: UnsafeMutableRawPointer?) -> mixtral_status {
  // First without what a signal handler may not do. Other handles get a sentence.
  if let object, HandleTable.shared.cancel(object) { return mixtral_status(MIXTRAL_OK) }
  return call(always: true) { () throws(EngineError) in
    let session: Session = try HandleTable.shared.object(object.map { OpaquePointer($0) })
    session.cancel()
  }
}

@c @implementation
public func mixtral_free(_ object: UnsafeMutableRawPointer?) -> mixtral_status {
  call(always: true) { () throws(EngineError) in
    guard let object else { return }
    try HandleTable.shared.free(OpaquePointer(object))
  }
}
