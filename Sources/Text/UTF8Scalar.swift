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

  var isValid: Bool { value != Self.badByte }

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

  /// What may follow `lead` directly; later bytes are always 80…BF.
  static func secondBytes(lead: UInt8) -> ClosedRange<UInt8> {
    switch lead {
    case 0xE0: 0xA0...0xBF
    case 0xED: 0x80...0x9F
    case 0xF0: 0x90...0xBF
    case 0xF4: 0x80...0x8F
    default: 0x80...0xBF
    }
  }

  private init(bytes: (Int) -> UInt8?) {
    let lead = bytes(0) ?? 0xFF
    let expected = Self.expectedLength(lead: lead)
    guard expected > 1 else {
      value = expected == 1 ? UInt32(lead) : Self.badByte
      length = 1
      return
    }
    var value = UInt32(lead) & (0xFF >> UInt32(expected &+ 1))
    var allowed = Self.secondBytes(lead: lead)
    var index = 1
    while index < expected {
      guard let byte = bytes(index), allowed.contains(byte) else {
        self.value = Self.badByte
        self.length = 1
        return
      }
      value = value << 6 | UInt32(byte & 0x3F)
      allowed = 0x80...0xBF
      index &+= 1
    }
    self.value = value
    self.length = expected
  }

  /// Reads at `position` of `text[..<end]`.
  @inline(__always)
  init(_ text: borrowing Growable<UInt8>, at position: Int, end: Int) throws(EngineError) {
    let lead = try text.at(position)
    if lead < 0x80 {
      self.init { _ in lead }
      return
    }
    // The closure may not capture a borrowed value, so the at most four bytes are read first.
    let available = end &- position
    let second = available > 1 ? try text.at(position &+ 1) : nil
    let third = available > 2 ? try text.at(position &+ 2) : nil
    let fourth = available > 3 ? try text.at(position &+ 3) : nil
    self.init { index in
      switch index {
      case 0: lead
      case 1: second
      case 2: third
      default: fourth
      }
    }
  }
}
