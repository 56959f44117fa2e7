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

  /// The text that each piece stands for.
  ///
  /// Control and unknown pieces keep their spelling.
  let surfaces: ByteStrings
  let types: Growable<PieceType>
  /// The byte piece of each byte; -1 where there is none.
  let bytePieces: Growable<Int32>
  /// Sentences about what the file says and was not believed.
  let warnings: ByteStrings
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
    let types = try PieceTypes(description)
    var surfaces = ByteStrings()
    surfaces.reserve(count: spellings.count, byteCount: spellings.bytes.count)
    var bytePieces = try Growable<Int32>(filled: -1, count: 256)
    var spellsText = try Growable(filled: true, count: spellings.count)
    var work = SurfaceWork()
    for id in below(spellings.count) {
      let spelling = try spellings.range(id)
      guard spelling.length <= Self.longestSpelling else {
        throw EngineError(
          .limitExceeded,
          "tokenizer.ggml.tokens[\(id)] has \(spelling.length) bytes; "
            + "allowed 0..\(Self.longestSpelling)")
      }
      let type = try types.all.at(id)
      switch type {
      case .unknown, .control: surfaces.append(try spellings[id])
      case .byte:
        let byte = try Marks.byte(Spelling(spellings, id)) ?? 0
        surfaces.append(byte: byte)
        if try bytePieces.at(Int(byte)) < 0 {
          try bytePieces.put(Int32(truncatingIfNeeded: id), at: Int(byte))
        }
      case .normal, .userDefined, .unused:
        let matches = try Self.appendSurface(
          of: spellings, id: id, userDefined: type == .userDefined,
          algorithm: description.algorithm, to: &surfaces, with: &work)
        if !matches { try spellsText.put(false, at: id) }
      }
    }
    self.surfaces = surfaces
    self.types = types.all
    self.spellsText = spellsText
    self.bytePieces = bytePieces
    warnings = try types.warnings.followed(by: Self.missingBytes(bytePieces))
  }

  /// Whether piece `id` may be found in text by merging.
  func matches(_ id: Int) throws(EngineError) -> Bool {
    switch try types.at(id) {
    case .normal, .userDefined, .unused: try spellsText.at(id)
    case .unknown, .control, .byte: false
    }
  }

  /// A sentence when only some of the bytes have a piece.
  private static func missingBytes(_ bytePieces: Growable<Int32>) throws(EngineError) -> ByteStrings
  {
    var present = 0
    for byte in below(bytePieces.count) {
      if try bytePieces.at(byte) >= 0 { present &+= 1 }
    }
    var sentences = ByteStrings()
    guard present > 0, present < 256 else { return sentences }
    try sentences.append(
      text: "tokenizer.ggml.tokens has pieces for \(present) of 256 bytes; "
        + "text that needs the others becomes unknown")
    return sentences
  }

  /// Buffers of `appendSurface`, kept from piece to piece.
  private struct SurfaceWork {
    var text = Growable<UInt8>()
    var surface = Growable<UInt8>()
  }

  /// Appends what a spelling stands for; false when no text of this tokenizer can hold it.
  private static func appendSurface(
    of spellings: ByteStrings, id: Int, userDefined: Bool,
    algorithm: TokenizerDescription.Algorithm, to surfaces: inout ByteStrings,
    with work: inout SurfaceWork
  ) throws(EngineError) -> Bool {
    let (bytes, spelling) = (spellings.bytes, try spellings.range(id))
    switch algorithm {
    case .sentencePiece:
      // U+2581 and the space are the same to this tokenizer, and the space is shorter. A normal
      // piece that is spelled with a space itself could never match: text has none after escaping.
      work.text.shorten(to: 0)
      try work.text.append(bytes, spelling)
      let holdsSpace = try LowerBlock.replace(
        in: work.text, try checkedRange(0, work.text.count), prefixed: false, into: &work.surface)
      try surfaces.append(work.surface)
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
}
