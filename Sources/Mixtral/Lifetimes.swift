// Cancelling and freeing.
import Base
import CMixtral
import Model
import Platform

@c @implementation
public func mixtral_cancel(_ object: UnsafeMutableRawPointer?) -> mixtral_status {
  // First without what a signal handler may not do. Other handles, and allocators, get a sentence.
  if let object, platform_in_allocator() == 0, HandleTable.shared.cancel(object) {
    return mixtral_status(MIXTRAL_OK)
  }
  return call { () throws(EngineError) in
    let session: Session = try HandleTable.shared.object(object.map { OpaquePointer($0) })
    session.cancel()
  }
}

@c @implementation
public func mixtral_free(_ object: UnsafeMutableRawPointer?) -> mixtral_status {
  call(givesBack: true) { () throws(EngineError) in
    guard let object else { return }
    try HandleTable.shared.free(OpaquePointer(object))
  }
}
