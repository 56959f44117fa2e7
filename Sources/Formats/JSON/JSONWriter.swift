// JSON text, written front to back. What it writes is always valid: text is repaired, numbers that
// JSON lacks become null.
import Base

/// Appends JSON values to a growing text; the caller places commas through `separate`.
struct JSONWriter {
  /// The text so far, UTF-8.
  private(set) var bytes = Growable<UInt8>()

  /// Writes punctuation or a literal as it is.
  mutating func raw(_ text: String) throws(EngineError) { try bytes.append(text) }

  /// Writes a comma before every element but the first.
  mutating func separate(_ index: Int) throws(EngineError) {
    if index > 0 { try raw(", ") }
  }

  /// Writes an integer.
  mutating func integer(_ value: some BinaryInteger) throws(EngineError) {
    try bytes.append("\(value)")
  }

  /// Writes the shortest digits that read back as the same value; null for NaN and infinity.
  mutating func float(
    _ value: some BinaryFloatingPoint & CustomStringConvertible
  ) throws(EngineError) {
    guard value.isFinite else { return try raw("null") }
    try bytes.append(value.description)
  }

  /// Writes a string; what is not UTF-8 becomes U+FFFD.
  mutating func string(_ text: some Collection<UInt8>) throws(EngineError) {
    try string(String(decoding: text, as: UTF8.self))
  }

  /// Writes a string.
  mutating func string(_ text: String) throws(EngineError) {
    try raw("\"")
    let repaired = text.utf8.span
    var index = 0
    while index < repaired.count {
      let byte = repaired[index]
      switch byte {
      case 0x22: try raw("\\\"")
      case 0x5c: try raw("\\\\")
      case 0x0a: try raw("\\n")
      case 0x0d: try raw("\\r")
      case 0x09: try raw("\\t")
      case 0x08: try raw("\\b")
      case 0x0c: try raw("\\f")
      case 0x00...0x1f:
        try raw("\\u00")
        try bytes.append(hexadecimal(byte >> 4))
        try bytes.append(hexadecimal(byte & 15))
      default: try bytes.append(byte)
      }
      index &+= 1
    }
    try raw("\"")
  }

  /// Writes a metadata value; arrays of more than `longest` elements become their type and count.
  mutating func value(_ value: MetadataValue, longest: Int) throws(EngineError) {
    switch value {
    case .unsigned(let number): try integer(number)
    case .signed(let number): try integer(number)
    case .float32(let number): try float(number)
    case .float64(let number): try float(number)
    case .bool(let truth): try raw(truth ? "true" : "false")
    case .string(let text): try string(text)
    case .array(let array): try self.array(array, longest: longest)
    }
  }

  private mutating func array(_ array: MetadataArray, longest: Int) throws(EngineError) {
    guard array.count <= longest else {
      try raw("{\"type\": ")
      try string(array.elementType.name)
      try raw(", \"count\": ")
      try integer(array.count)
      return try raw("}")
    }
    try raw("[")
    var i = 0
    while i < array.count {
      try separate(i)
      // An array's elements are no arrays, so this goes no deeper.
      try value(array.value(i), longest: 0)
      i &+= 1
    }
    try raw("]")
  }
}

private func hexadecimal(_ digit: UInt8) -> UInt8 {
  digit < 10 ? 0x30 &+ digit : 0x57 &+ digit
}

extension Metadata {
  /// The JSON text of one key's value, whole; nil when the key is absent.
  ///
  /// With a nil key, one object of all keys in file order, in which arrays of more than 64 elements
  /// are `{"type": …, "count": …}`.
  @export(interface)
  package func json(_ key: String?) throws(EngineError) -> [UInt8]? {
    var writer = JSONWriter()
    if let key {
      guard let value = value(key) else { return nil }
      try writer.value(value, longest: .max)
    } else {
      try writer.raw("{")
      try writeMembers(to: &writer)
      try writer.raw("}")
    }
    return try writer.bytes.array()
  }

  /// Writes all keys and values as the members of an object.
  func writeMembers(to writer: inout JSONWriter) throws(EngineError) {
    var i = 0
    while i < keys.count, i < values.count {
      try writer.separate(i)
      try writer.string(keys[i])
      try writer.raw(": ")
      try writer.value(values[i], longest: Limits.listedArrayCount)
      i &+= 1
    }
  }
}
