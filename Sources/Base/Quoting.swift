// Names from files in sentences: one line, bounded, and safe to show on a terminal.

/// Bytes of a name that a sentence quotes.
package let quotedByteCount = 64

/// Quotes a name for a sentence, cut to 64 bytes.
///
/// Bytes that are not UTF-8 and those of invisible characters (controls, directions, line breaks)
/// become `\xNN`, so a name from a file can neither break the line nor hide.
package func quoted(_ name: some Sequence<UInt8>) -> String {
  // Most are one run of bytes; a copy of the others is one.
  if let text = name.withContiguousStorageIfAvailable({ unsafe quotedBytes($0) }) { return text }
  return unsafe Array(name).withUnsafeBufferPointer { unsafe quotedBytes($0) }
}

/// Quotes a name for a sentence, cut to 64 bytes.
@export(interface)
package func quoted(_ name: String) -> String { quoted(name.utf8) }

private func quotedBytes(_ name: UnsafeBufferPointer<UInt8>) -> String {
  let cut = unsafe UnsafeBufferPointer(
    start: name.baseAddress, count: min(name.count, quotedByteCount))
  var text = "'"
  var offset = 0
  while offset < cut.count {
    // A scalar of one to four bytes, or one that is not UTF-8.
    var length = 1
    var scalar: Unicode.Scalar?
    while scalar == nil, length <= min(4, cut.count &- offset) {
      let piece = unsafe UnsafeBufferPointer(
        start: cut.baseAddress.map { unsafe $0 + offset }, count: length)
      scalar = unsafe String(validating: piece, as: UTF8.self)?.unicodeScalars.first
      length &+= 1
    }
    length = scalar == nil ? 1 : length &- 1
    if let scalar, isVisible(scalar) {
      text.unicodeScalars.append(scalar)
    } else {
      for i in below(offset &+ length, from: offset) {
        text += escaped(unsafe cut[i])
      }
    }
    offset &+= length
  }
  return text + (cut.count < name.count ? "…'" : "'")
}

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
