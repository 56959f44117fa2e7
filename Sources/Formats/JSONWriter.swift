// JSON text, written front to back. What it writes is always valid: text is repaired, numbers that
// JSON lacks become null.

/// Appends JSON values to a growing text; the caller places commas through `separate`.
struct JSONWriter {
  /// The text so far, UTF-8.
  private(set) var bytes: [UInt8] = []

  private static let hexadecimal = Array("0123456789abcdef".utf8)

  /// Writes punctuation or a literal as it is.
  mutating func raw(_ text: StaticString) {
    // SAFETY: a static string's bytes live as long as the process.
    unsafe bytes.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Writes a comma before every element but the first.
  mutating func separate(_ index: Int) {
    if index > 0 { raw(", ") }
  }

  /// Writes an integer.
  mutating func integer(_ value: some BinaryInteger) { bytes.append(contentsOf: "\(value)".utf8) }

  /// Writes the shortest digits that read back as the same value; null for NaN and infinity.
  mutating func float(_ value: some BinaryFloatingPoint & CustomStringConvertible) {
    guard value.isFinite else { return raw("null") }
    bytes.append(contentsOf: value.description.utf8)
  }

  /// Writes a string; what is not UTF-8 becomes U+FFFD.
  mutating func string(_ text: some Collection<UInt8>) {
    raw("\"")
    for byte in String(decoding: text, as: UTF8.self).utf8 {
      switch byte {
      case 0x22: raw("\\\"")
      case 0x5c: raw("\\\\")
      case 0x0a: raw("\\n")
      case 0x0d: raw("\\r")
      case 0x09: raw("\\t")
      case 0x08: raw("\\b")
      case 0x0c: raw("\\f")
      case 0x00...0x1f:
        raw("\\u00")
        bytes.append(Self.hexadecimal[Int(byte >> 4)])
        bytes.append(Self.hexadecimal[Int(byte & 15)])
      default: bytes.append(byte)
      }
    }
    raw("\"")
  }

  /// Writes a metadata value; arrays of more than `longest` elements become their type and count.
  mutating func value(_ value: GGUFValue, longest: Int) {
    switch value {
    case .unsigned(let number): integer(number)
    case .signed(let number): integer(number)
    case .float32(let number): float(number)
    case .float64(let number): float(number)
    case .bool(let truth): truth ? raw("true") : raw("false")
    case .string(let text): string(text)
    case .array(let array): self.array(array, longest: longest)
    }
  }

  private mutating func array(_ array: GGUFArray, longest: Int) {
    guard array.count <= longest else {
      raw("{\"type\": ")
      string(array.elementType.name.utf8)
      raw(", \"count\": ")
      integer(array.count)
      return raw("}")
    }
    raw("[")
    var i = 0
    while i < array.count {
      separate(i)
      if array.elementType == .string {
        string(array.bytes(i))
      } else {
        // A number: an array's elements are no arrays, so this goes no deeper.
        value(array.value(i), longest: 0)
      }
      i &+= 1
    }
    raw("]")
  }
}

extension GGUFMetadata {
  /// The JSON text of one key's value, whole; nil when the key is absent.
  ///
  /// With a nil key, one object of all keys in file order, in which arrays of more than 64 elements
  /// are `{"type": …, "count": …}`.
  package func json(_ key: String?) -> [UInt8]? {
    var writer = JSONWriter()
    if let key {
      guard let value = value(key) else { return nil }
      writer.value(value, longest: .max)
    } else {
      writer.raw("{")
      writeMembers(to: &writer)
      writer.raw("}")
    }
    return writer.bytes
  }

  /// Writes all keys and values as the members of an object.
  func writeMembers(to writer: inout JSONWriter) {
    for (i, (key, value)) in zip(keys, values).enumerated() {
      writer.separate(i)
      writer.string(key.utf8)
      writer.raw(": ")
      writer.value(value, longest: Limits.listedArrayCount)
    }
  }
}
