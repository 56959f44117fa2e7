// From bytes to metadata: keys and values of the 13 types. Arrays of arrays are refused, so nothing
// here calls itself.
import Base

/// The fewest bytes of a key and its value: length, one byte of key, type, one byte of value.
let leastKeyByteCount: UInt64 = 8 + 1 + 4 + 1

extension CheckedReader {
  /// Reads `count` keys and values.
  mutating func metadata(count: UInt64) throws(EngineError) -> Metadata {
    var metadata = Metadata(file: file.name)
    var index: UInt64 = 0
    while index < count {
      let start = position
      let key = try key(index)
      let value = try value(of: key)
      guard try metadata.append(key, value, at: start..<max(start, position)) else {
        throw error(.malformed, "key \(quoted(key)) appears twice")
      }
      index &+= 1
    }
    return metadata
  }

  private mutating func key(_ index: UInt64) throws(EngineError) -> String {
    let length: UInt64 = try integer("the length of key \(index)")
    guard length >= 1, length <= Limits.keyByteCount else {
      throw error(
        .malformed,
        "the length of key \(index) is \(length); allowed is 1..\(Limits.keyByteCount)")
    }
    return try name(byteCount: Int(length), "key \(index)")
  }

  private mutating func valueType(
    _ field: @autoclosure () -> String
  ) throws(EngineError) -> MetadataType {
    let id: UInt32 = try integer(field())
    guard let type = MetadataType(rawValue: id) else {
      throw error(.malformed, "\(field()) is \(id); allowed is 0..12")
    }
    return type
  }

  private mutating func value(of key: String) throws(EngineError) -> MetadataValue {
    let field = "the value of key \(quoted(key))"
    switch try valueType("the value type of key \(quoted(key))") {
    case .uint8: return .unsigned(UInt64(try integer(field, as: UInt8.self)))
    case .uint16: return .unsigned(UInt64(try integer(field, as: UInt16.self)))
    case .uint32: return .unsigned(UInt64(try integer(field, as: UInt32.self)))
    case .uint64: return .unsigned(try integer(field))
    case .int8: return .signed(Int64(try integer(field, as: Int8.self)))
    case .int16: return .signed(Int64(try integer(field, as: Int16.self)))
    case .int32: return .signed(Int64(try integer(field, as: Int32.self)))
    case .int64: return .signed(try integer(field))
    case .float32: return .float32(Float(bitPattern: try integer(field)))
    case .float64: return .float64(Double(bitPattern: try integer(field)))
    case .bool:
      let byte: UInt8 = try integer(field)
      guard byte <= 1 else {
        throw error(.malformed, "key \(quoted(key)) is a bool of value \(byte); allowed is 0 or 1")
      }
      return .bool(byte == 1)
    case .string:
      var bytes = Growable<UInt8>()
      try appendString(to: &bytes, field)
      return .string(try bytes.array())
    case .array: return .array(try array(of: key))
    }
  }

  /// Reads a length and as many bytes.
  private mutating func appendString(
    to bytes: inout Growable<UInt8>, _ field: @autoclosure () -> String
  ) throws(EngineError) {
    let length: UInt64 = try integer("the length of \(field())")
    guard length <= bytesLeft else {
      throw error(.malformed, "the length of \(field()) is \(length); \(bytesLeft) bytes are left")
    }
    guard length <= Limits.stringByteCount else {
      throw error(
        .limitExceeded,
        "the length of \(field()) is \(length); allowed is 0..\(Limits.stringByteCount)")
    }
    try append(Int(length), to: &bytes, field())
  }

  private mutating func array(of key: String) throws(EngineError) -> MetadataArray {
    let type = try valueType("the element type of key \(quoted(key))")
    guard type != .array else {
      throw error(.unsupported, "key \(quoted(key)) is an array of arrays")
    }
    let count: UInt64 = try integer("the element count of key \(quoted(key))")
    let (least, overflow) = count.multipliedReportingOverflow(by: UInt64(type.leastByteCount))
    guard !overflow, least <= bytesLeft else {
      throw error(
        .malformed,
        "key \(quoted(key)) counts \(count) elements of at least \(type.leastByteCount) bytes; "
          + "\(bytesLeft) bytes are left")
    }
    guard count <= Limits.arrayCount else {
      throw error(
        .limitExceeded,
        "key \(quoted(key)) counts \(count) elements; allowed are \(Limits.arrayCount)")
    }
    if type == .string { return try strings(of: key, count: Int(count)) }
    var taken = Growable<UInt8>()
    try append(Int(clamping: least), to: &taken, "the elements of key \(quoted(key))")
    let storage = try taken.array()
    if type == .bool {
      for (index, byte) in storage.enumerated() where byte > 1 {
        throw error(
          .malformed,
          "element \(index) of key \(quoted(key)) is a bool of value \(byte); allowed is 0 or 1")
      }
    }
    return MetadataArray(elementType: type, count: Int(count), storage: storage, ends: [])
  }

  private mutating func strings(of key: String, count: Int) throws(EngineError) -> MetadataArray {
    var storage = Growable<UInt8>()
    var ends = Growable<UInt32>()
    try reserve(count, in: &ends, "key \(quoted(key))")
    while ends.count < count {
      try appendString(to: &storage, "element \(ends.count) of key \(quoted(key))")
      // The header's ceiling of 2^30 bytes bounds the storage.
      try ends.append(UInt32(truncatingIfNeeded: storage.count))
    }
    return MetadataArray(
      elementType: .string, count: count, storage: try storage.array(), ends: try ends.array())
  }
}
