// Statuses, the last error, versions.
import CMixtral
import Platform

@c @implementation
public func mixtral_status_name(_ status: mixtral_status) -> UnsafePointer<CChar>? {
  let name: StaticString =
    switch Int(status) {
    case MIXTRAL_OK: "OK"
    case MIXTRAL_INVALID_ARGUMENT: "INVALID_ARGUMENT"
    case MIXTRAL_INVALID_HANDLE: "INVALID_HANDLE"
    case MIXTRAL_NOT_FOUND: "NOT_FOUND"
    case MIXTRAL_IO: "IO"
    case MIXTRAL_MALFORMED: "MALFORMED"
    case MIXTRAL_UNSUPPORTED: "UNSUPPORTED"
    case MIXTRAL_LIMIT_EXCEEDED: "LIMIT_EXCEEDED"
    case MIXTRAL_OUT_OF_MEMORY: "OUT_OF_MEMORY"
    case MIXTRAL_CONTEXT_FULL: "CONTEXT_FULL"
    case MIXTRAL_BUFFER_TOO_SMALL: "BUFFER_TOO_SMALL"
    case MIXTRAL_CANCELLED: "CANCELLED"
    case MIXTRAL_BUSY: "BUSY"
    case MIXTRAL_CHANGED: "CHANGED"
    case MIXTRAL_NUMERIC: "NUMERIC"
    case MIXTRAL_FORKED: "FORKED"
    case MIXTRAL_INTERNAL: "INTERNAL"
    default: "UNKNOWN"
    }
  return text(name)
}

@c @implementation
public func mixtral_last_error() -> UnsafePointer<CChar>? {
  platform_error_text()
}

@c @implementation
public func mixtral_version() -> UnsafePointer<CChar>? { text("0.1.0") }

@c @implementation
public func mixtral_abi_version() -> UInt32 { 1 }

/// A literal's bytes, which end with a NUL and live as long as the library.
private func text(_ literal: StaticString) -> UnsafePointer<CChar>? {
  UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}
