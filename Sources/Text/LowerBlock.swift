// U+2581, which stands for a space in the spelling of SentencePiece's pieces: to its tokenizer the
// two are the same, and inside of ours there is only the space, which is shorter.
import Base
import Formats

/// The character U+2581.
enum LowerBlock {
  /// Its three bytes.
  static var first: UInt8 { 0xE2 }
  static var second: UInt8 { 0x96 }
  static var third: UInt8 { 0x81 }

  /// Writes `text[range]` with one space for each U+2581, and one in front when `prefixed`.
  ///
  /// True if the text had a space of its own.
  @discardableResult
  static func replace(
    in text: borrowing Growable<UInt8>, _ range: Range<Int>, prefixed: Bool,
    into result: inout Growable<UInt8>
  ) throws(EngineError) -> Bool {
    result.shorten(to: 0)
    try result.reserve(range.length)
    if prefixed { try result.append(0x20) }
    var hasSpace = false
    var position = range.lowerBound
    while position < range.upperBound {
      let byte = try text.at(position)
      if byte == first, position &+ 2 < range.upperBound,
        try text.at(position &+ 1) == second, try text.at(position &+ 2) == third
      {
        try result.append(0x20)
        position &+= 3
      } else {
        hasSpace = hasSpace || byte == 0x20
        try result.append(byte)
        position &+= 1
      }
    }
    return hasSpace
  }
}
