// The tokenizer beside the plainest way to the same result, on vocabularies and texts that nobody
// trains or writes: windows, heaps and automata may not show.
import Base
import Formats
import Support
import Testing
import Text

/// A SentencePiece vocabulary of three letters with pieces of any order and type.
private struct SmallVocabulary {
  var spellings: [[UInt8]] = []
  var scores: [Float] = []
  var types: [Int32] = []
  /// The first id of each spelling of type 1 or 5.
  var merging: [[UInt8]: Int] = [:]

  init(_ random: inout SeededGenerator, unused: Bool, whole: Int) {
    for text in ["<unk>", "a", "b", "c"] { add(Array(text.utf8), -100, text == "<unk>" ? 2 : 1) }
    for _ in 0..<Int.random(in: 5...60, using: &random) {
      let length = Int.random(in: 2...7, using: &random)
      let text = (0..<length).map { _ in UInt8.random(in: 0x61...0x63, using: &random) }
      let isUnused = unused && Int.random(in: 0..<4, using: &random) == 0
      add(text, Float(Int.random(in: 0...40, using: &random)), isUnused ? 5 : 1)
    }
    for _ in 0..<whole {
      let length = Int.random(in: 1...12, using: &random)
      add((0..<length).map { _ in UInt8.random(in: 0x61...0x62, using: &random) }, 0, 4)
    }
  }

  mutating func add(_ text: [UInt8], _ score: Float, _ type: Int32) {
    if type == 1 || type == 5, merging[text] == nil { merging[text] = spellings.count }
    spellings.append(text)
    scores.append(score)
    types.append(type)
  }

  func tokenizer() throws -> Tokenizer {
    var description = TokenizerDescription(algorithm: .sentencePiece, pieces: ByteStrings())
    for spelling in spellings { description.pieces.append(spelling) }
    description.scores = scores
    description.types = types
    description.unknown = 0
    return try Tokenizer(description, rows: spellings.count)
  }

  /// The ids of a text without user-defined pieces.
  func merged(_ text: [UInt8]) -> [Int32] {
    final class Piece {
      let text: [UInt8]
      let parts: (Piece, Piece)?
      init(_ text: [UInt8], _ parts: (Piece, Piece)? = nil) {
        (self.text, self.parts) = (text, parts)
      }
    }
    var pieces = text.map { Piece([$0]) }
    func score(_ left: Piece, _ right: Piece) -> Float? {
      left.text.count + right.text.count > 12
        ? nil : merging[left.text + right.text].map { scores[$0] }
    }
    var pairs = pieces.indices.dropLast().map { score(pieces[$0], pieces[$0 + 1]) }
    while true {
      var best = -1
      var highest = -Float.infinity
      for (index, score) in pairs.enumerated() {
        if let score, score > highest { (best, highest) = (index, score) }
      }
      guard best >= 0 else { break }
      pieces[best] = Piece(
        pieces[best].text + pieces[best + 1].text, (pieces[best], pieces[best + 1]))
      pieces.remove(at: best + 1)
      pairs.remove(at: best)
      if best < pairs.count { pairs[best] = score(pieces[best], pieces[best + 1]) }
      if best > 0 { pairs[best - 1] = score(pieces[best - 1], pieces[best]) }
    }
    func ids(_ piece: Piece) -> [Int32] {
      let id = merging[piece.text] ?? 0
      if types[id] == 5, let parts = piece.parts { return ids(parts.0) + ids(parts.1) }
      return [Int32(id)]
    }
    return pieces.flatMap(ids)
  }

  /// The ids of a text: the longest user-defined piece at each place from the left, else merged.
  func ids(_ text: [UInt8]) -> [Int32] {
    let whole = spellings.indices.filter { types[$0] == 4 }
    var (result, plain): ([Int32], [UInt8]) = ([], [])
    var position = 0
    while position < text.count {
      let here = whole.filter { text[position...].starts(with: spellings[$0]) }
      guard let id = here.max(by: { (spellings[$0].count, -$0) < (spellings[$1].count, -$1) })
      else {
        plain.append(text[position])
        position += 1
        continue
      }
      result += merged(plain) + [Int32(id)]
      plain = []
      position += spellings[id].count
    }
    return result + merged(plain)
  }
}

/// Letters at random, a few repeated, or one of them changed here and there.
private func text(_ random: inout SeededGenerator, _ count: Int) -> [UInt8] {
  let unit = (0..<Int.random(in: 1...9, using: &random)).map { _ in
    UInt8.random(in: 0x61...0x63, using: &random)
  }
  let changes = [2, 50, 100_000].randomElement(using: &random) ?? 2
  return (0..<count).map { index in
    Int.random(in: 0..<changes, using: &random) == 0
      ? UInt8.random(in: 0x61...0x63, using: &random) : unit[index % unit.count]
  }
}

@Suite("The plainest way")
struct NaiveTests {
  @Test("texts of any length merge as one by one does", arguments: [false, true])
  func merging(unused: Bool) throws {
    var random = SeededGenerator(seed: 21)
    for round in 0..<40 {
      let vocabulary = SmallVocabulary(&random, unused: unused, whole: 0)
      let tokenizer = try vocabulary.tokenizer()
      for count in [0, 1, 30, 39, 40, 41, 42, 100, round % 8 == 0 ? 9000 : 300] {
        let text = text(&random, count)
        #expect(try tokenizer.ids(text) == vocabulary.merged(text), "\(round), \(count)")
      }
    }
  }

  @Test("pieces that match whole are the longest at each place, from the left")
  func wholePieces() throws {
    var random = SeededGenerator(seed: 22)
    for round in 0..<200 {
      let vocabulary = SmallVocabulary(
        &random, unused: false, whole: Int.random(in: 1...12, using: &random))
      let tokenizer = try vocabulary.tokenizer()
      let text = text(&random, Int.random(in: 0...120, using: &random))
      #expect(try tokenizer.ids(text) == vocabulary.ids(text), "\(round)")
    }
  }

  @Test("classes of characters are the standard library's, up to Unicode 16")
  func classes() throws {
    let classes = try ScalarClasses()
    var different: [UInt32] = []
    for value in 0...UInt32(0x10FFFF) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let expected = expectedClass(scalar)
      if try classes.kind(value) != expected.bit { different.append(value) }
    }
    // Unicode 17 made a letter of no case of this one.
    #expect(different == [] || different == [0x295])
    #expect(try classes.kind(.max) == ScalarClass.other.bit)
  }

  private func expectedClass(_ scalar: Unicode.Scalar) -> ScalarClass {
    let properties = scalar.properties
    if properties.isWhitespace { return .whiteSpace }
    guard let age = properties.age, age.major <= 16 else { return .other }
    return switch properties.generalCategory {
    case .uppercaseLetter, .titlecaseLetter: .upper
    case .lowercaseLetter: .lower
    case .modifierLetter, .otherLetter: .letter
    case .nonspacingMark, .spacingMark, .enclosingMark: .mark
    case .decimalNumber, .letterNumber, .otherNumber: .number
    default: .other
    }
  }
}
