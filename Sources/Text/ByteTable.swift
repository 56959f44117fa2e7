// The table by which byte-level vocabularies spell bytes as printable characters (GPT-2).

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

  /// The bytes that `spelling` stands for; nil when a character of it spells none.
  static func bytes(of spelling: ArraySlice<UInt8>) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(spelling.count)
    var index = spelling.startIndex
    while index < spelling.endIndex {
      // All characters of the table take one or two bytes of UTF-8.
      let lead = spelling[index]
      var value = UInt32(lead)
      if lead >= 0x80 {
        let next = index + 1
        guard (0xC2...0xDF).contains(lead), next < spelling.endIndex,
          (0x80...0xBF).contains(spelling[next])
        else { return nil }
        value = (UInt32(lead) & 0x1F) << 6 | UInt32(spelling[next]) & 0x3F
        index = next
      }
      guard let byte = byte(of: value) else { return nil }
      result.append(byte)
      index += 1
    }
    return result
  }
}
