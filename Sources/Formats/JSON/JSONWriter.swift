// JSON text, written front to back. What it writes is always valid: text is repaired, numbers that
// JSON lacks become null.
import Base

/// Writes JSON values into memory of the caller; the caller places commas through `separate`.
///
/// What has no room there is counted all the same, so that a writer without memory says how many
/// bytes a text takes.
@safe struct JSONWriter {
  /// Bytes of the text so far, UTF-8.
  private(set) var count = 0
  private let memory: UnsafeMutableBufferPointer<UInt8>

  init(into memory: UnsafeMutableBufferPointer<UInt8>) { unsafe self.memory = memory }

  private mutating func byte(_ byte: UInt8) {
    // SAFETY: within the memory.
    if unsafe count < memory.count { unsafe memory[count] = byte }
    // No text of a file's header, of at most 2^30 bytes, has 2^63.
    count &+= 1
  }

  /// Writes punctuation or a literal as it is.
  mutating func raw(_ text: String) { write(text, escapes: false) }

  private mutating func write(_ text: String, escapes: Bool) {
    // A string of this platform is one run of bytes.
    unsafe text.utf8.withContiguousStorageIfAvailable { bytes in
      for index in below(bytes.count) {
        let character = unsafe bytes[index]
        if escapes { escape(character) } else { byte(character) }
      }
    }
  }

  /// Writes a comma before every element but the first.
  mutating func separate(_ index: Int) {
    if index > 0 { raw(", ") }
  }

  /// Writes an integer.
  mutating func integer(_ value: some BinaryInteger) { raw("\(value)") }

  /// Writes the shortest digits that read back as the same value; null for NaN and infinity.
  mutating func float(_ value: some BinaryFloatingPoint & CustomStringConvertible) {
    raw(value.isFinite ? value.description : "null")
  }

  /// Writes a string; what is not UTF-8 becomes U+FFFD.
  mutating func string(_ text: ArraySlice<UInt8>) {
    raw("\"")
    unsafe text.withUnsafeBufferPointer { text in
      var rest = unsafe text
      while let start = rest.baseAddress, rest.count > 0 {
        let length = unsafe Self.pieceLength(rest)
        let piece = unsafe UnsafeBufferPointer(start: start, count: length)
        escape(unsafe String(decoding: piece, as: UTF8.self))
        unsafe rest = UnsafeBufferPointer(start: start + length, count: rest.count &- length)
      }
    }
    raw("\"")
  }

  /// The bytes of a piece of a text from its beginning, which ends in no character: so pieces are
  /// repaired as the whole would be.
  private static func pieceLength(_ text: UnsafeBufferPointer<UInt8>) -> Int {
    // Small beside any text that is worth to be cut.
    let most = 4096
    guard text.count > most else { return text.count }
    var length = most
    // Three bytes follow the first one of a character at most.
    for _ in below(4) {
      if unsafe text[length] & 0xc0 != 0x80 { return length }
      length &-= 1
    }
    return most
  }

  /// Writes a string.
  mutating func string(_ text: String) {
    raw("\"")
    escape(text)
    raw("\"")
  }

  private mutating func escape(_ text: String) { write(text, escapes: true) }

  private mutating func escape(_ character: UInt8) {
    switch character {
    case 0x22: raw("\\\"")
    case 0x5c: raw("\\\\")
    case 0x0a: raw("\\n")
    case 0x0d: raw("\\r")
    case 0x09: raw("\\t")
    case 0x08: raw("\\b")
    case 0x0c: raw("\\f")
    case 0x00...0x1f:
      raw("\\u00")
      byte(hexadecimal(character >> 4))
      byte(hexadecimal(character & 15))
    default: byte(character)
    }
  }

  /// Writes a metadata value; arrays of more than `longest` elements become their type and count.
  mutating func value(_ value: MetadataValue, longest: Int) {
    switch value {
    case .unsigned(let number): integer(number)
    case .signed(let number): integer(number)
    case .float32(let number): float(number)
    case .float64(let number): float(number)
    case .bool(let truth): raw(truth ? "true" : "false")
    case .string(let text): string(text[...])
    case .array(let array): self.array(array, longest: longest)
    }
  }

  private mutating func array(_ array: MetadataArray, longest: Int) {
    guard array.count <= longest else {
      raw("{\"type\": ")
      string(array.elementType.name)
      raw(", \"count\": ")
      integer(array.count)
      return raw("}")
    }
    raw("[")
    for i in below(array.count) {
      separate(i)
      // An array's elements are no arrays, so this goes no deeper.
      if array.elementType == .string {
        string(array.bytes(i))
      } else {
        value(array.value(i), longest: 0)
      }
    }
    raw("]")
  }
}

private func hexadecimal(_ digit: UInt8) -> UInt8 {
  digit < 10 ? 0x30 &+ digit : 0x57 &+ digit
}
