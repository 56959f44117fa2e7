// Names from files in sentences: one line, bounded, and safe to show on a terminal.

/// Quotes a name for a sentence, cut to 64 bytes.
///
/// Bytes that are not UTF-8 and those of invisible characters (controls, directions, line breaks)
/// become `\xNN`, so a name from a file can neither break the line nor hide.
package func quoted(_ name: some Sequence<UInt8>) -> String {
  var bytes: [UInt8] = []
  var isCut = false
  for byte in name {
    if bytes.count == Limits.quotedByteCount {
      isCut = true
      break
    }
    bytes.append(byte)
  }
  var text = "'"
  var decoder = UTF8Cursor(bytes)
  while let piece = decoder.next() {
    if let scalar = piece.scalar, isVisible(scalar) {
      text.unicodeScalars.append(scalar)
    } else {
      for byte in piece.bytes { text += escaped(byte) }
    }
  }
  return text + (isCut ? "…'" : "'")
}

/// Quotes a name for a sentence, cut to 64 bytes.
package func quoted(_ name: String) -> String { quoted(name.utf8) }

private func escaped(_ byte: UInt8) -> String {
  let digits = String(byte, radix: 16)
  return digits.utf8.count == 1 ? "\\x0" + digits : "\\x" + digits
}

private func isVisible(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator: false
  default: true
  }
}

/// Walks bytes scalar by scalar, giving back what is not UTF-8 as single bytes.
private struct UTF8Cursor {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func next() -> (scalar: Unicode.Scalar?, bytes: ArraySlice<UInt8>)? {
    guard offset < bytes.count else { return nil }
    for length in 1...4 where offset &+ length <= bytes.count {
      let slice = bytes[offset..<offset &+ length]
      guard let text = String(validating: slice, as: UTF8.self) else { continue }
      offset &+= length
      return (text.unicodeScalars.first, slice)
    }
    offset &+= 1
    return (nil, bytes[offset &- 1..<offset])
  }
}
