// Decoding token by token: characters whose bytes are spread over tokens are held back until they
// are whole.
import Base

/// Turns tokens into whole UTF-8 characters as they come.
///
/// A value: a caller may try a step on a copy and throw the copy away. What it gives in all is what
/// `Tokenizer.decode` gives for all tokens together, byte for byte.
package struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let options: Tokenizer.DecodeOptions
  private var state: Tokenizer.DecodingState
  /// The beginning of a character, at most 3 bytes, the first in the lowest place.
  private var held: UInt32 = 0
  private var heldCount = 0

  package init(tokenizer: Tokenizer, options: Tokenizer.DecodeOptions) {
    self.tokenizer = tokenizer
    self.options = options
    state = tokenizer.decodingState(options)
  }

  /// The bytes that `tokens` complete.
  ///
  /// No tokens end the text: what was held back comes as it is, and the decoder stands at the
  /// beginning of a new text. Throws as `Tokenizer.decode` does; then the decoder is as it was.
  @export(interface)
  package mutating func next(
    _ tokens: UnsafeBufferPointer<Int32>
  ) throws(EngineError) -> [UInt8] {
    var output = Growable<UInt8>()
    var index = 0
    while index < heldCount {
      try output.append(UInt8(truncatingIfNeeded: held >> Self.shift(index)))
      index &+= 1
    }
    if tokens.isEmpty {
      let rest = try output.array()
      self = StreamingDecoder(tokenizer: tokenizer, options: options)
      return rest
    }
    var state = state
    unsafe try tokenizer.appendText(of: tokens, options, &state, to: &output)
    var held: UInt32 = 0
    let heldCount = try Self.incompleteTail(of: output)
    let wholeCount = output.count &- heldCount
    index = 0
    while index < heldCount {
      held |= UInt32(try output.at(wholeCount &+ index)) << Self.shift(index)
      index &+= 1
    }
    output.shorten(to: wholeCount)
    let whole = try output.array()
    self.state = state
    self.held = held
    self.heldCount = heldCount
    return whole
  }

  /// Where the byte of an index lies in `held`.
  private static func shift(_ index: Int) -> UInt32 { UInt32(truncatingIfNeeded: 8 &* index) }

  /// Bytes at the end that begin a character and could still become one: 0 to 3.
  private static func incompleteTail(
    of text: borrowing Growable<UInt8>
  ) throws(EngineError) -> Int {
    for length in 1...3 where length <= text.count {
      let start = text.count &- length
      let lead = try text.at(start)
      if (0x80...0xBF).contains(lead) { continue }
      guard UTF8Scalar.expectedLength(lead: lead) > length else { return 0 }
      if length > 1 {
        let second = try text.at(start &+ 1)
        guard UTF8Scalar.secondBytes(lead: lead).contains(second) else { return 0 }
      }
      return length
    }
    return 0
  }
}
