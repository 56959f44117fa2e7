// The pieces of a tokenizer, checked, in the form in which they meet text and leave it: spaces for
// U+2581, bytes for the characters of the byte table, the byte itself for a byte piece.
import Formats

/// Checked pieces; an index is an id.
struct Vocabulary: Sendable {
  /// Tokens of one vocabulary.
  static let largestCount = 1_048_576
  /// Bytes of one token's spelling.
  static let longestSpelling = 65_535

  /// What each piece stands for in text.
  ///
  /// Control and unknown pieces keep their spelling.
  let surfaces: ByteStrings
  let types: [PieceType]
  /// The byte piece of each byte, or none at all.
  let bytePieces: [Int32]
  /// Pieces whose spelling is not what a text of this tokenizer could hold: they never match.
  private let unmatchable: Set<Int>

  var count: Int { types.count }

  init(_ description: TokenizerDescription) throws(EngineError) {
    let spellings = description.pieces
    guard (1...Self.largestCount).contains(spellings.count) else {
      throw EngineError(
        spellings.count == 0 ? .malformed : .limitExceeded,
        "tokenizer.ggml.tokens has \(spellings.count) entries; allowed 1..\(Self.largestCount)")
    }
    types = try Self.types(description.types, count: spellings.count)
    var surfaces = ByteStrings()
    surfaces.reserve(count: spellings.count, byteCount: spellings.bytes.count)
    var bytePieces = [Int32](repeating: -1, count: 256)
    var unmatchable: Set<Int> = []
    for id in 0..<spellings.count {
      let spelling = try spellings[id]
      guard spelling.count <= Self.longestSpelling else {
        throw EngineError(
          .limitExceeded,
          "tokenizer.ggml.tokens[\(id)] has \(spelling.count) bytes; "
            + "allowed 0..\(Self.longestSpelling)")
      }
      let type = try types.at(id)
      switch type {
      case .unknown, .control: surfaces.append(spelling)
      case .byte:
        let byte = try Self.byte(of: spelling, id: id)
        surfaces.append(CollectionOfOne(byte))
        if bytePieces[Int(byte)] < 0 { bytePieces[Int(byte)] = Int32(truncatingIfNeeded: id) }
      case .normal, .userDefined, .unused:
        let matches = Self.appendSurface(
          of: spelling, userDefined: type == .userDefined,
          algorithm: description.algorithm, to: &surfaces)
        if !matches { unmatchable.insert(id) }
      }
    }
    self.surfaces = surfaces
    self.unmatchable = unmatchable
    self.bytePieces = try Self.wholeSet(bytePieces)
  }

  /// Whether piece `id` may be found in text by merging.
  func matches(_ id: Int) throws(EngineError) -> Bool {
    switch try types.at(id) {
    case .normal, .userDefined, .unused: !unmatchable.contains(id)
    case .unknown, .control, .byte: false
    }
  }

  private static func types(_ raw: [Int32], count: Int) throws(EngineError) -> [PieceType] {
    guard !raw.isEmpty else { return Array(repeating: .normal, count: count) }
    guard raw.count == count else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.token_type has \(raw.count) entries; tokenizer.ggml.tokens has \(count)")
    }
    var types: [PieceType] = []
    types.reserveCapacity(count)
    for id in 0..<count {
      guard let type = PieceType(rawValue: raw[id]) else {
        throw EngineError(
          .malformed, "tokenizer.ggml.token_type[\(id)] is \(raw[id]); allowed 1..6")
      }
      types.append(type)
    }
    return types
  }

  /// The byte that `<0x0A>` stands for: exactly two hexadecimal digits.
  private static func byte(of spelling: ArraySlice<UInt8>, id: Int) throws(EngineError) -> UInt8 {
    func digit(_ character: UInt8) -> UInt8? {
      switch character {
      case 0x30...0x39: character &- 0x30
      case 0x41...0x46: character &- 0x41 &+ 10
      case 0x61...0x66: character &- 0x61 &+ 10
      default: nil
      }
    }
    let text = Array(spelling)
    guard text.count == 6, text.starts(with: [0x3C, 0x30, 0x78]), try text.at(5) == 0x3E,
      let high = digit(try text.at(3)), let low = digit(try text.at(4))
    else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.tokens[\(id)] is \(quoted(spelling)) and marked as a byte; "
          + "allowed '<0x00>'..'<0xFF>'")
    }
    return high << 4 | low
  }

  private static func wholeSet(_ bytePieces: [Int32]) throws(EngineError) -> [Int32] {
    let present = bytePieces.count { $0 >= 0 }
    guard present > 0 else { return [] }
    guard present == 256, bytePieces.count == 256 else {
      throw EngineError(
        .malformed, "tokenizer.ggml.tokens has pieces for \(present) bytes; allowed 0 or 256")
    }
    return bytePieces
  }

  /// Appends what `spelling` stands for; false when no text of this tokenizer can hold it.
  private static func appendSurface(
    of spelling: ArraySlice<UInt8>, userDefined: Bool,
    algorithm: TokenizerDescription.Algorithm, to surfaces: inout ByteStrings
  ) -> Bool {
    switch algorithm {
    case .sentencePiece:
      // U+2581 and the space are the same to this tokenizer, and the space is shorter. A normal
      // piece that is spelled with a space itself could never match: text has none after escaping.
      surfaces.append(replacingLowerBlocks(spelling))
      return userDefined || !spelling.contains(0x20)
    case .byteLevel:
      if !userDefined, let bytes = ByteTable.bytes(of: spelling) {
        surfaces.append(bytes)
        return true
      }
      surfaces.append(spelling)
      return userDefined
    }
  }

  private static func replacingLowerBlocks(_ spelling: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(spelling.count)
    var index = spelling.startIndex
    while index < spelling.endIndex {
      if spelling[index...].starts(with: SentencePieceBPE.lowerBlock) {
        result.append(0x20)
        index += 3
      } else {
        result.append(spelling[index])
        index += 1
      }
    }
    return result
  }
}
