// The table by which byte-level vocabularies spell bytes as printable characters (GPT-2).
import Base
import Formats

/// Bytes and the characters that spell them.
enum ByteTable {
  /// The byte that scalar `value` spells, if it spells one.
  static func byte(of value: UInt32) -> UInt8? {
    switch value {
    case 33...126, 161...172, 174...255: UInt8(truncatingIfNeeded: value)
    // The other 68 bytes, in ascending order, from U+0100 on.
    case 0x100...0x120: UInt8(truncatingIfNeeded: value &- 0x100)
    case 0x121...0x142: UInt8(truncatingIfNeeded: value &- 0x121 &+ 127)
    case 0x143: 173
    default: nil
    }
  }

  /// The bytes that `text[spelling]` stands for; nil when a character of it spells none.
  static func bytes(of text: [UInt8], _ spelling: Range<Int>) throws(EngineError) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(spelling.length)
    var index = spelling.lowerBound
    while index < spelling.upperBound {
      // All characters of the table take one or two bytes of UTF-8.
      let lead = try text.at(index)
      var value = UInt32(lead)
      if lead >= 0x80 {
        index &+= 1
        guard (0xC2...0xDF).contains(lead), index < spelling.upperBound else { return nil }
        let next = try text.at(index)
        guard (0x80...0xBF).contains(next) else { return nil }
        value = (UInt32(lead) & 0x1F) << 6 | UInt32(next) & 0x3F
      }
      guard let byte = byte(of: value) else { return nil }
      result.append(byte)
      index &+= 1
    }
    return result
  }
}
