// Saving and loading sessions, to memory and to files.
import Base
import CMixtral
import Formats
import Model

@c @implementation
public func mixtral_session_save(
  _ size: UnsafeMutablePointer<Int>?, _ buffer: UnsafeMutableRawPointer?, _ capacity: Int,
  _ session: OpaquePointer?
) -> mixtral_status {
  size?.pointee = 0
  return call { () throws(EngineError) in
    try withSession(session) { session throws(EngineError) in
      let bytes = buffer?.assumingMemoryBound(to: UInt8.self)
      guard let out = try outputBuffer(for: session.stateByteCount, size, bytes, capacity) else {
        return
      }
      try session.save { from, offset throws(EngineError) in
        UnsafeMutableRawBufferPointer(start: out + offset, count: from.count).copyMemory(from: from)
      }
    }
  }
}

@c @implementation
public func mixtral_session_load(
  _ session: OpaquePointer?, _ state: UnsafeRawPointer?, _ size: Int
) -> mixtral_status {
  call { () throws(EngineError) in
    try withSession(session) { session throws(EngineError) in
      let bytes = UnsafeRawBufferPointer(
        try array(state?.assumingMemoryBound(to: UInt8.self), size, "state"))
      try session.restore(byteCount: bytes.count) { to, offset throws(EngineError) in
        guard offset >= 0, offset <= bytes.count, to.count <= bytes.count &- offset else {
          throw EngineError(.internal, "byte \(offset) of a state of \(bytes.count) was asked for")
        }
        to.copyMemory(
          from: UnsafeRawBufferPointer(
            start: bytes.baseAddress.map { $0 + offset }, count: to.count))
      }
    }
  }
}

@c @implementation
public func mixtral_session_save_file(
  _ session: OpaquePointer?, _ path: UnsafePointer<CChar>?
) -> mixtral_status {
  call { () throws(EngineError) in
    try withSession(session) { session throws(EngineError) in
      let file = try OutputFile.created(
        path: try need(path, "path"), replacing: true, isPrivate: true)
      try session.save { from, offset throws(EngineError) in
        try file.write(from, at: UInt64(clamping: offset))
      }
      try file.commit()
    }
  }
}

@c @implementation
public func mixtral_session_load_file(
  _ session: OpaquePointer?, _ path: UnsafePointer<CChar>?
) -> mixtral_status {
  call { () throws(EngineError) in
    try withSession(session) { session throws(EngineError) in
      let file = try InputFile.open(path: try need(path, "path"))
      try session.restore(byteCount: Int(clamping: file.byteCount)) {
        to, offset throws(EngineError) in try file.read(into: to, at: UInt64(clamping: offset))
      }
    }
  }
}
