// Refused descriptions of a tokenizer and refused calls: kind and sentence.
import Base
import Formats
import Testing
import Text

/// A tiny SentencePiece vocabulary to break.
private func sentencePiece(_ extra: [(String, Float, Int32)] = []) -> TokenizerDescription {
  var description = TokenizerDescription(algorithm: .sentencePiece, pieces: ByteStrings())
  let pieces = [("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3), ("\u{2581}", -5, 1), ("a", -6, 1)]
  for (text, score, type) in pieces.map({ ($0.0, Float($0.1), Int32($0.2)) }) + extra {
    description.pieces.append(text.utf8)
    description.scores.append(score)
    description.types.append(type)
  }
  description.unknown = 0
  description.addsSpacePrefix = true
  return description
}

/// A tiny byte-level vocabulary to break: `a`, `b`, `ab`.
private func byteLevel(_ merges: [String]) -> TokenizerDescription {
  var description = TokenizerDescription(algorithm: .byteLevel(.gpt2), pieces: ByteStrings())
  for text in ["a", "b", "ab", "\u{120}"] { description.pieces.append(text.utf8) }
  for merge in merges { description.merges.append(merge.utf8) }
  return description
}

/// The error that making a tokenizer ends with.
private func failure(_ description: TokenizerDescription, rows: Int = 1000) -> EngineError? {
  do {
    _ = try Tokenizer(description, rows: rows)
    return nil
  } catch {
    return error
  }
}

@Suite("Files that are refused")
struct RefusedVocabularies {
  @Test("no tokens, or more than rows")
  func counts() {
    let none = TokenizerDescription(algorithm: .sentencePiece, pieces: ByteStrings())
    #expect(
      failure(none)
        == EngineError(.malformed, "tokenizer.ggml.tokens has 0 entries; allowed 1..1048576"))
    #expect(
      failure(sentencePiece(), rows: 4)
        == EngineError(
          .malformed, "tokenizer.ggml.tokens has 5 entries; the embedding has 4 rows"))
    #expect(failure(sentencePiece(), rows: 5) == nil)
  }

  @Test("arrays of other lengths")
  func lengths() {
    var description = sentencePiece()
    description.scores.removeLast()
    #expect(
      failure(description)?.message
        == "tokenizer.ggml.scores has 4 entries; tokenizer.ggml.tokens has 5")
    description = sentencePiece()
    description.types.append(1)
    #expect(
      failure(description)?.message
        == "tokenizer.ggml.token_type has 6 entries; tokenizer.ggml.tokens has 5")
  }

  @Test("ids of marks outside the tokens", arguments: [Int32(5), -2, .max, .min])
  func marks(id: Int32) {
    for mark in [\TokenizerDescription.bos, \.eos, \.unknown, \.padding] {
      var description = sentencePiece()
      description[keyPath: mark] = id
      #expect(failure(description)?.kind == .malformed)
    }
  }

  @Test("scores that are no numbers", arguments: [Float.nan, .infinity, -.infinity])
  func scores(score: Float) {
    #expect(failure(sentencePiece([("b", score, 1)]))?.kind == .malformed)
  }

  @Test(
    "merges of something else",
    arguments: ["ab", "", " ", "a ", " b", "a  b", "a c", "b a", "a b "])
  func merges(merge: String) {
    let error = failure(byteLevel(["a b", merge]))
    #expect(error?.kind == .malformed)
    #expect(error?.message.hasPrefix("tokenizer.ggml.merges[1] is '\(merge)'; ") == true)
  }

  @Test("a spelling of 65,536 bytes")
  func longSpelling() {
    let text = String(repeating: "x", count: 65_536)
    #expect(failure(sentencePiece([(text, 0, 1)]))?.kind == .limitExceeded)
    #expect(failure(sentencePiece([(String(text.dropLast()), 0, 1)])) == nil)
  }
}

@Suite("Odd files that are accepted")
struct OddVocabularies {
  @Test("empty, equal and broken pieces: the first of equal ones is used")
  func pieces() throws {
    var description = sentencePiece([("b", -7, 1), ("b", -1, 1), ("", 0, 1)])
    description.pieces.append([0xFF, 0xE2])
    description.scores.append(0)
    description.types.append(1)
    let tokenizer = try Tokenizer(description, rows: 20)
    #expect(try tokenizer.ids("b", .continuation) == [5])
    #expect(try tokenizer.bytes([8]) == [0xFF, 0xE2])
    #expect(try tokenizer.bytes([7]).isEmpty)
  }

  @Test("ids between the tokens and the rows have no text")
  func idsWithoutText() throws {
    let tokenizer = try Tokenizer(sentencePiece(), rows: 7)
    #expect(tokenizer.count == 5)
    #expect(try tokenizer.text([4, 5, 6, 4]) == "aa")
    #expect(throws: EngineError(.invalidArgument, "token 1 is 7; allowed 0..6")) {
      try tokenizer.bytes([4, 7])
    }
  }

  @Test("no unknown piece and no bytes: what is not spelled is dropped")
  func dropped() throws {
    var description = sentencePiece()
    description.unknown = -1
    #expect(try Tokenizer(description, rows: 5).ids("xaxx") == [3, 4])
    #expect(try Tokenizer(sentencePiece(), rows: 5).ids("xaxx") == [3, 0, 4, 0])
  }

  @Test("merges of pieces that no text becomes are passed over")
  func mergesOfMarks() throws {
    var description = byteLevel(["a b", "ab <|im_end|>"])
    description.pieces.append("<|im_end|>".utf8)
    description.pieces.append("ab<|im_end|>".utf8)
    let tokenizer = try Tokenizer(description, rows: 9)
    #expect(try tokenizer.ids("ab<|im_end|>ab") == [2, 2])
    #expect(try tokenizer.ids("ab<|im_end|>ab", .special) == [2, 4, 2])
  }

  @Test("a merge given twice counts where it stands first")
  func mergesTwice() throws {
    let tokenizer = try Tokenizer(byteLevel(["a b", "a b"]), rows: 4)
    #expect(try tokenizer.ids("abab a") == [2, 2, 3, 0])
  }
}

@Suite("Calls that are refused")
struct RefusedCalls {
  @Test("tokens out of range", arguments: [Int32(-1), 32000, .max, .min])
  func tokens(id: Int32) throws {
    let error = EngineError(.invalidArgument, "token 2 is \(id); allowed 0..31999")
    #expect(throws: error) { try demoTokenizer().bytes([1, 2, id]) }
  }

  @Test("a text of more than 1 GiB")
  func longText() throws {
    let tokenizer = try demoTokenizer()
    var byte: UInt8 = 0
    withUnsafeBytes(of: &byte) { one in
      // The size alone decides; the bytes are never looked at.
      let text = UnsafeRawBufferPointer(start: one.baseAddress, count: (1 << 30) + 1)
      #expect(
        throws: EngineError(
          .limitExceeded, "text has 1073741825 bytes; allowed 0..1073741824")
      ) { try tokenizer.encode(text, options: []) }
    }
  }
}
