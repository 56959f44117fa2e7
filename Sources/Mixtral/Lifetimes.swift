// Cancelling and freeing.
import Base
import CMixtral
import Model

@c @implementation
public func mixtral_cancel(_ object: UnsafeMutableRawPointer?) -> mixtral_status {
  call { () throws(EngineError) in
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
