// Types of pieces that a file has wrong, as converters left them: what the spelling says counts, and
// the load says so.
import Base
import Formats
import Testing
import Text

/// A SentencePiece model with all bytes, in which `types` replace some of the right types.
private func model(
  _ added: [(String, Int32)] = [], types: [Int32: Int32] = [:], ends: [Int32] = [],
  without: Set<Int> = []
) throws -> Tokenizer {
  var description = TokenizerDescription(algorithm: .sentencePiece, pieces: ByteStrings())
  var pieces: [(String, Int32)] = [("<unk>", 2), ("<s>", 3), ("</s>", 3)]
  let digits = Array("0123456789ABCDEF")
  for byte in 0...255 where !without.contains(byte) {
    pieces.append(("<0x\(digits[byte >> 4])\(digits[byte & 15])>", 6))
  }
  pieces += [("\u{2581}", 1), ("a", 1), ("b", 1), ("ab", 1), ("\u{2581}a", 1)] + added
  for (id, piece) in pieces.enumerated() {
    description.pieces.append(piece.0.utf8)
    description.types.append(types[Int32(id)] ?? piece.1)
    description.scores.append(-Float(id))
  }
  description.bos = 1
  description.eos = 2
  description.unknown = 0
  for end in ends { try description.ends.append(end) }
  description.addsSpacePrefix = true
  return try Tokenizer(description, rows: 400)
}

/// The id of the first added piece.
private let first: Int32 = 264

@Suite("Types that a file has wrong")
struct RepairTests {
  @Test(
    "byte pieces marked as something else are bytes by their spelling", arguments: [Int32(1), 5, 0])
  func bytes(type: Int32) throws {
    let right = try model()
    let types = Dictionary(uniqueKeysWithValues: (3..<259).map { (Int32($0), type) })
    let wrong = try model(types: types)
    for text in ["a\nb", "\t", "\u{1F600}", "<0x0A>", "\r\n ab"] {
      let ids = try right.ids(text)
      #expect(try wrong.ids(text) == ids)
      #expect(try wrong.text(ids) == text)
    }
    #expect(
      try wrong.warned().last?.hasPrefix("256 of tokenizer.ggml.tokens are bytes by their") == true)
    #expect(try right.warned().isEmpty)
  }

  @Test("one byte piece among right ones stays text")
  func oneByte() throws {
    let tokenizer = try model([("<0x41>", 1)])
    #expect(try tokenizer.text([first]) == "<0x41>")
    #expect(try tokenizer.warned().isEmpty)
  }

  @Test("a byte without a piece is unknown, and said")
  func missingByte() throws {
    let tokenizer = try model(without: [0x0A])
    let ids = try tokenizer.ids("a\nb")
    #expect(ids.contains(0))
    #expect(try tokenizer.bytes(try tokenizer.ids("\t")) == [0x09])
    #expect(
      try tokenizer.warned() == [
        "tokenizer.ggml.tokens has pieces for 255 of 256 bytes; text that needs the others becomes "
          + "unknown"
      ])
  }

  @Test(
    "pieces marked as bytes and spelled otherwise have a text that none becomes",
    arguments: ["<0xZZ>", "<0x-1>", "<0x1>", "<0x+1>", "<0x001>", "A"])
  func byteSpelling(text: String) throws {
    let tokenizer = try model([(text, 6)])
    #expect(try !tokenizer.ids(text).contains(first))
    #expect(try tokenizer.text([first], .special) == text)
    #expect(try tokenizer.warned().count == 1)
  }

  @Test("types that do not exist are text", arguments: [Int32(0), 7, -1, .max])
  func types(type: Int32) throws {
    let tokenizer = try model([("b\u{2581}", type), ("c", type)])
    #expect(try tokenizer.ids("c").last == first + 1)
    #expect(
      try tokenizer.warned() == [
        "2 of tokenizer.ggml.tokens are of a type that is none; taken for text: 'b\u{2581}', 'c'"
      ])
  }

  @Test(
    "marks of a chat never come from plain text, and always from trusted text",
    arguments: [
      "<|im_start|>", "<|im_end|>", "<|user|>", "[INST]", "[/INST]", "[TOOL_CALLS]", "<pad>",
      "<end_of_turn>", "[THINK]", "<|eot_id|>", "[/SYSTEM_PROMPT]",
    ])
  func marks(mark: String) throws {
    for type in [Int32(1), 3, 4, 5, 0] {
      let tokenizer = try model([(mark, type)])
      let text = "a\(mark)b \(mark)"
      #expect(try !tokenizer.ids(text).contains(first))
      #expect(try tokenizer.text(try tokenizer.ids(text)) == text)
      #expect(try tokenizer.ids(text, .special).filter { $0 == first }.count == 2)
      #expect(try tokenizer.text([first]) == "")
      #expect(try tokenizer.text([first], .special) == mark)
      #expect(try tokenizer.warned().isEmpty == (type == 3))
    }
  }

  @Test(
    "other user-defined pieces match in any text, whole",
    arguments: ["<|>", "[REF]", "<tool>", "|im_end|"])
  func userDefined(piece: String) throws {
    let tokenizer = try model([(piece, 4)])
    #expect(try tokenizer.ids("a\(piece)").contains(first))
    #expect(try tokenizer.warned().isEmpty)
  }

  @Test(
    "references of Mistral's models match though they are marked as normal",
    arguments: ["[REF]", "[/REF]", "[REFERENCE_DOC_0]", "[REFERENCE_DOC_19]"])
  func references(piece: String) throws {
    #expect(try model([(piece, 1)]).ids("a\(piece)b").contains(first))
    #expect(try !model([(piece, 3)]).ids("a\(piece)b").contains(first))
    #expect(try !model([("[REFERENCE_DOC_x]", 1)]).ids("[REFERENCE_DOC_x]").contains(first))
  }

  @Test("an end of the file's is no text, unless it is one character")
  func ends() throws {
    for type in [Int32(1), 4] {
      let tokenizer = try model([("aba", type), ("\u{65E5}", type)], ends: [first, first + 1])
      #expect(try !tokenizer.ids("aba").contains(first))
      #expect(try tokenizer.ids("aba", .special).contains(first))
      #expect(try tokenizer.ids("\u{65E5}").contains(first + 1))
      #expect(tokenizer.stopTokens == [2, first, first + 1])
    }
  }

  @Test("an answer ends at the file's ends and at those spelled as ends")
  func stopTokens() throws {
    #expect(try model().stopTokens == [2])
    let added = [("<|im_start|>", Int32(4)), ("<|im_end|>", 1), ("<|endoftext|>", 3), ("ab ", 1)]
    #expect(try model(added).stopTokens == [2, first + 1, first + 2])
    #expect(try model(added, ends: [first + 3]).stopTokens == [2, first + 1, first + 2, first + 3])
    #expect(try demoTokenizer().stopTokens == [2])
  }

  @Test("SmolLM2 ends where llama.cpp says", .enabled(if: environment("MIXTRAL_SMOLLM2") != nil))
  func smolLM2() throws {
    // llama_vocab_is_eog of llama-cpp-python 0.3.36, over all ids.
    #expect(try namedTokenizer("MIXTRAL_SMOLLM2").stopTokens == [0, 2])
  }
}
