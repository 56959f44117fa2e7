// The pieces of a tokenizer, checked, in the form in which they meet text and leave it: spaces for
// U+2581, bytes for the characters of the byte table, the byte itself for a byte piece.
import Base
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
  /// Of each piece, whether its spelling is what a text of this tokenizer could hold: the others
  /// never match.
  private let spellsText: Growable<Bool>

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
    var bytePieces = try Growable<Int32>(filled: -1, count: 256)
    var spellsText = try Growable(filled: true, count: spellings.count)
    var id = 0
    while id < spellings.count {
      let spelling = try spellings.range(id)
      guard spelling.length <= Self.longestSpelling else {
        throw EngineError(
          .limitExceeded,
          "tokenizer.ggml.tokens[\(id)] has \(spelling.length) bytes; "
            + "allowed 0..\(Self.longestSpelling)")
      }
      let type = try types.at(id)
      switch type {
      case .unknown, .control: surfaces.append(try spellings[id])
      case .byte:
        let byte = try Self.byte(of: spellings, id: id)
        surfaces.append(byte: byte)
        if try bytePieces.at(Int(byte)) < 0 {
          try bytePieces.put(Int32(truncatingIfNeeded: id), at: Int(byte))
        }
      case .normal, .userDefined, .unused:
        let matches = try Self.appendSurface(
          of: spellings, id: id, userDefined: type == .userDefined,
          algorithm: description.algorithm, to: &surfaces)
        if !matches { try spellsText.put(false, at: id) }
      }
      id &+= 1
    }
    self.surfaces = surfaces
    self.spellsText = spellsText
    self.bytePieces = try Self.wholeSet(bytePieces)
  }

  /// Whether piece `id` may be found in text by merging.
  func matches(_ id: Int) throws(EngineError) -> Bool {
    switch try types.at(id) {
    case .normal, .userDefined, .unused: try spellsText.at(id)
    case .unknown, .control, .byte: false
    }
  }

  private static func types(_ raw: [Int32], count: Int) throws(EngineError) -> [PieceType] {
    guard raw.isEmpty || raw.count == count else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.token_type has \(raw.count) entries; tokenizer.ggml.tokens has \(count)")
    }
    var types: [PieceType] = []
    types.reserveCapacity(count)
    while types.count < count {
      let value = raw.isEmpty ? PieceType.normal.rawValue : try raw.at(types.count)
      guard let type = PieceType(rawValue: value) else {
        throw EngineError(
          .malformed, "tokenizer.ggml.token_type[\(types.count)] is \(value); allowed 1..6")
      }
      types.append(type)
    }
    return types
  }

  /// The byte that `<0x0A>` stands for: exactly two hexadecimal digits.
  private static func byte(of spellings: ByteStrings, id: Int) throws(EngineError) -> UInt8 {
    func digit(_ character: UInt8) -> UInt8? {
      switch character {
      case 0x30...0x39: character &- 0x30
      case 0x41...0x46: character &- 0x41 &+ 10
      case 0x61...0x66: character &- 0x61 &+ 10
      default: nil
      }
    }
    let spelling = try spellings.range(id)
    func character(_ place: Int) throws(EngineError) -> UInt8 {
      try spellings.bytes.at(spelling.lowerBound &+ place)
    }
    guard spelling.length == 6, try character(0) == 0x3C, try character(1) == 0x30,
      try character(2) == 0x78, try character(5) == 0x3E,
      let high = digit(try character(3)), let low = digit(try character(4))
    else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.tokens[\(id)] is \(quoted(try spellings[id])) and marked as a byte; "
          + "allowed '<0x00>'..'<0xFF>'")
    }
    return high << 4 | low
  }

  private static func wholeSet(_ bytePieces: Growable<Int32>) throws(EngineError) -> [Int32] {
    var present = 0
    var byte = 0
    while byte < bytePieces.count {
      if try bytePieces.at(byte) >= 0 { present &+= 1 }
      byte &+= 1
    }
    guard present > 0 else { return [] }
    guard present == 256, bytePieces.count == 256 else {
      throw EngineError(
        .malformed, "tokenizer.ggml.tokens has pieces for \(present) bytes; allowed 0 or 256")
    }
    return try bytePieces.array()
  }

  /// Appends what a spelling stands for; false when no text of this tokenizer can hold it.
  private static func appendSurface(
    of spellings: ByteStrings, id: Int, userDefined: Bool,
    algorithm: TokenizerDescription.Algorithm, to surfaces: inout ByteStrings
  ) throws(EngineError) -> Bool {
    let (bytes, spelling) = (spellings.bytes, try spellings.range(id))
    switch algorithm {
    case .sentencePiece:
      // U+2581 and the space are the same to this tokenizer, and the space is shorter. A normal
      // piece that is spelled with a space itself could never match: text has none after escaping.
      let (surface, holdsSpace) = try replacingLowerBlocks(bytes, spelling)
      surfaces.append(surface)
      return userDefined || !holdsSpace
    case .byteLevel:
      if !userDefined, let spelled = try ByteTable.bytes(of: bytes, spelling) {
        surfaces.append(spelled)
        return true
      }
      surfaces.append(try spellings[id])
      return userDefined
    }
  }

  /// `text[spelling]` with spaces for U+2581, and whether it had one of its own.
  private static func replacingLowerBlocks(
    _ text: [UInt8], _ spelling: Range<Int>
  ) throws(EngineError) -> (surface: [UInt8], holdsSpace: Bool) {
    var result: [UInt8] = []
    var holdsSpace = false
    result.reserveCapacity(spelling.length)
    var index = spelling.lowerBound
    while index < spelling.upperBound {
      let byte = try text.at(index)
      if byte == SentencePieceBPE.lowerBlock[0], index &+ 2 < spelling.upperBound,
        try text.at(index &+ 1) == SentencePieceBPE.lowerBlock[1],
        try text.at(index &+ 2) == SentencePieceBPE.lowerBlock[2]
      {
        result.append(0x20)
        index &+= 3
      } else {
        holdsSpace = holdsSpace || byte == 0x20
        result.append(byte)
        index &+= 1
      }
    }
    return (result, holdsSpace)
  }
}
