// Small SentencePiece models with pieces of every type, against sentencepiece itself: unused pieces
// are taken apart again, user-defined ones stay whole, runs without a piece become one unknown.
import Formats
import Testing
import Text

/// Reads `spelling in hexadecimal, tab, score, tab, type` a line.
private func smallTokenizer(_ name: String) throws -> Tokenizer {
  let path = repositoryPath("Tests/Oracle/tokenizers/\(name).pieces")
  let bytes = try #require(contents(path))
  var description = TokenizerDescription(algorithm: .sentencePiece, pieces: ByteStrings())
  for line in bytes.split(separator: 0x0A) {
    let parts = line.split(separator: 0x09)
    let digits = parts[0].map { $0 < 0x3A ? $0 - 0x30 : $0 - 0x57 }
    description.pieces.append(
      stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    description.scores.append(try #require(Float(String(decoding: parts[1], as: UTF8.self))))
    description.types.append(try #require(Int32(String(decoding: parts[2], as: UTF8.self))))
  }
  description.unknown = 0
  description.addsSpacePrefix = true
  return try Tokenizer(description, rows: description.pieces.count)
}

@Test("small vocabularies agree with sentencepiece", arguments: ["small-bytes", "small-unknown"])
func smallVocabulary(name: String) throws {
  let tokenizer = try smallTokenizer(name)
  let path = repositoryPath("Tests/Oracle/tokenizers/\(name).golden")
  let goldens = try #require(Golden.read(path))
  #expect(goldens.count == 1200)
  let result = try mismatches(tokenizer, goldens)
  #expect(result.count == 0, "\(result.first)")
}
