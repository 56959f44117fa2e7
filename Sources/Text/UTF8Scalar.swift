// Reading UTF-8 that may not be UTF-8: one scalar or one bad byte at a time (Unicode 15, table
// 3-7).
import Base

/// The scalar that begins at a place of a text, or the one byte there that begins none.
struct UTF8Scalar {
  /// The scalar's value; for a bad byte, `badByte`.
  let value: UInt32
  /// Bytes it takes: 1 to 4; 1 for a bad byte.
  let length: Int

  /// Stands for a byte that is not part of well-formed UTF-8.
  static let badByte: UInt32 = .max

  /// Bytes that a character beginning with `lead` takes; 0 when none begins so.
  static func expectedLength(lead: UInt8) -> Int {
    switch lead {
    case 0...0x7F: 1
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: 0
    }
  }

  /// The bytes that may follow `lead` directly; later bytes are always 80…BF.
  static func secondBytes(lead: UInt8) -> ClosedRange<UInt8> {
    switch lead {
    case 0xE0: 0xA0...0xBF
    case 0xED: 0x80...0x9F
    case 0xF0: 0x90...0xBF
    case 0xF4: 0x80...0x8F
    default: 0x80...0xBF
    }
  }

  /// Reads at `position` of `text[..<end]`.
  @inline(__always)
  init(_ text: borrowing Growable<UInt8>, at position: Int, end: Int) throws(EngineError) {
    let lead = try text.at(position)
    guard lead >= 0x80 else {
      value = UInt32(lead)
      length = 1
      return
    }
    let expected = Self.expectedLength(lead: lead)
    guard expected > 1, expected <= end &- position else {
      value = Self.badByte
      length = 1
      return
    }
    let second = try text.at(position &+ 1)
    var found = UInt32(lead) & (0x7F >> UInt32(truncatingIfNeeded: expected))
    found = found << 6 | UInt32(second & 0x3F)
    var isValid = Self.secondBytes(lead: lead).contains(second)
    if expected > 2 {
      let third = try text.at(position &+ 2)
      found = found << 6 | UInt32(third & 0x3F)
      isValid = isValid && third & 0xC0 == 0x80
    }
    if expected > 3 {
      let fourth = try text.at(position &+ 3)
      found = found << 6 | UInt32(fourth & 0x3F)
      isValid = isValid && fourth & 0xC0 == 0x80
    }
    value = isValid ? found : Self.badByte
    length = isValid ? expected : 1
  }
}
