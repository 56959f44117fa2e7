// Spellings that mean something whatever type a file gives them: marks of a chat, ends of an
// answer, byte pieces. Converters mark them as text in many files.
// Sources of the spellings: mistralai/mistral-common tokens/tokenizers/base.py; the end marks also
// ggml-org/llama.cpp src/llama-vocab.cpp.
import Base
import Formats

/// Meanings that a piece has by its spelling alone.
enum Marks {
  /// Marks that end an answer.
  private static let ends = """
    </s> <|im_end|> <|endoftext|> <|end_of_text|> <|eot_id|> <|eom_id|> <|end|> <end_of_turn> \
    <end_of_utterance> <EOT> _<EOT> [EOT] [EOS] <eos> <｜end▁of▁sentence｜>
    """

  /// Other marks; those spelled `<|…|>` are known by that.
  private static let others = """
    <s> <unk> <pad> <bos> <start_of_turn> [INST] [/INST] [TOOL_CALLS] [AVAILABLE_TOOLS] \
    [/AVAILABLE_TOOLS] [TOOL_RESULTS] [/TOOL_RESULTS] [TOOL_CONTENT] [SYSTEM_PROMPT] \
    [/SYSTEM_PROMPT] [ARGS] [CALL_ID] [THINK] [/THINK] [MODEL_SETTINGS] [/MODEL_SETTINGS] [PREFIX] \
    [MIDDLE] [SUFFIX] [IMG] [IMG_BREAK] [IMG_END]
    """

  /// Pieces of Mistral's SentencePiece models that match in any text and that converters mark as
  /// normal; also `[REFERENCE_DOC_n]`.
  private static let references = "[REF] [/REF]"

  /// Whether a spelling ends an answer.
  static func isEnd(_ spelling: Spelling) throws(EngineError) -> Bool {
    guard try couldBe(spelling) else { return false }
    return try contains(ends, spelling)
  }

  /// Whether a spelling is the mark of a chat: never what a user typed.
  static func isMark(_ spelling: Spelling) throws(EngineError) -> Bool {
    guard try couldBe(spelling) else { return false }
    if try isBetweenBars(spelling) { return true }
    if try contains(ends, spelling) { return true }
    return try contains(others, spelling)
  }

  /// Whether a spelling is that of a piece which SentencePiece models define to match always.
  static func isReference(_ spelling: Spelling) throws(EngineError) -> Bool {
    guard try couldBe(spelling) else { return false }
    if try contains(references, spelling) { return true }
    var beginning = Growable<UInt8>()
    try beginning.append("[REFERENCE_DOC_")
    guard spelling.count > beginning.count, try spelling.last() == 0x5D else { return false }
    var digits = 0
    for index in below(spelling.count) {
      let byte = try spelling.at(index)
      if index < beginning.count {
        guard try byte == beginning.at(index) else { return false }
      } else if (0x30...0x39).contains(byte) {
        digits = index
      } else if byte != 0x5D {
        return false
      }
    }
    return digits > 0
  }

  /// The byte that `<0x0A>` stands for: exactly two hexadecimal digits.
  static func byte(_ spelling: Spelling) throws(EngineError) -> UInt8? {
    guard spelling.count == 6, try spelling.at(0) == 0x3C, try spelling.at(1) == 0x30,
      try spelling.at(2) == 0x78, try spelling.at(5) == 0x3E,
      let high = digit(try spelling.at(3)), let low = digit(try spelling.at(4))
    else { return nil }
    return high << 4 | low
  }

  private static func digit(_ character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character & 0x0F
    case 0x41...0x46, 0x61...0x66: (character & 0x0F) &+ 9
    default: nil
    }
  }

  /// Whether a look at both ends leaves it possible; spares all pieces of text the rest.
  private static func couldBe(_ spelling: Spelling) throws(EngineError) -> Bool {
    guard spelling.count >= 3 else { return false }
    let (first, last) = (try spelling.at(0), try spelling.last())
    return (last == 0x3E || last == 0x5D) && (first == 0x3C || first == 0x5B || first == 0x5F)
  }

  /// Whether it is `<|…|>` around a letter or digit at least, with no other bar, bracket or space.
  private static func isBetweenBars(_ spelling: Spelling) throws(EngineError) -> Bool {
    guard try spelling.at(0) == 0x3C, try spelling.at(1) == 0x7C, try spelling.last() == 0x3E
    else { return false }
    // The bar at the beginning, a word, a bar, the end.
    var (bars, hasWord) = (0, false)
    for index in below(spelling.count) {
      let byte = try spelling.at(index)
      if bars == 2 { return byte == 0x3E && hasWord && index &+ 1 == spelling.count }
      switch byte {
      case 0x00...0x20, 0x3E: return false
      case 0x3C where index > 0: return false
      case 0x7C: bars &+= 1
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: hasWord = true
      default: break
      }
    }
    return false
  }

  /// Whether a spelling is one of the words of `list`, which has a space between them.
  private static func contains(_ list: String, _ spelling: Spelling) throws(EngineError) -> Bool {
    var words = Growable<UInt8>()
    try words.append(list)
    // How many bytes of the word at hand were looked at, and whether all are the spelling's.
    var length = 0
    var isEqual = true
    for index in below(words.count) {
      let byte = try words.at(index)
      if byte == 0x20 {
        if isEqual, length == spelling.count { return true }
        (length, isEqual) = (0, true)
      } else if isEqual {
        isEqual = length < spelling.count ? try spelling.at(length) == byte : false
        length &+= 1
      }
    }
    return isEqual && length == spelling.count
  }
}

/// The bytes of a piece as the file spells it.
struct Spelling {
  private let text: [UInt8]
  private let range: Range<Int>

  var count: Int { range.length }

  init(_ pieces: ByteStrings, _ id: Int) throws(EngineError) {
    text = pieces.bytes
    range = try pieces.range(id)
  }

  func at(_ index: Int) throws(EngineError) -> UInt8 { try text.at(range.lowerBound &+ index) }

  /// The last byte; `internal` where there is none.
  func last() throws(EngineError) -> UInt8 { try text.at(range.upperBound &- 1) }
}
