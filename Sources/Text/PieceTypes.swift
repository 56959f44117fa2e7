// The types of a vocabulary's pieces: those of the file, put right by spelling where converters are
// known to have them wrong, with a sentence for each kind of repair.
import Base
import Formats

/// Pieces that were taken for something else than the file says: how many, and the first of them.
private struct Repair {
  private(set) var count = 0
  private var examples = ""

  mutating func note(_ spelling: ArraySlice<UInt8>) {
    count &+= 1
    if count <= 3 { examples += (count == 1 ? "" : ", ") + quoted(spelling) }
    if count == 4 { examples += ", …" }
  }

  /// The sentence about them; nil when there are none.
  func sentence(_ what: String) -> String? {
    count == 0 ? nil : "\(count) of tokenizer.ggml.tokens are \(what): \(examples)"
  }
}

/// The type of each piece of a description, with what was put right.
struct PieceTypes {
  private(set) var all = Growable<PieceType>()
  /// A sentence for each kind of repair.
  private(set) var warnings = ByteStrings()

  private var odd = Repair()
  private var bytes = Repair()
  private var notBytes = Repair()
  private var marks = Repair()
  private var references = Repair()

  init(_ description: TokenizerDescription) throws(EngineError) {
    let pieces = description.pieces
    let raw = description.types
    guard raw.isEmpty || raw.count == pieces.count else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.token_type has \(raw.count) entries; "
          + "tokenizer.ggml.tokens has \(pieces.count)")
    }
    try all.reserve(pieces.count)
    let typed = try Self.typedBytes(description)
    let ends = try description.endTable()
    while all.count < pieces.count {
      let id = all.count
      try all.append(try typeOfPiece(id, description, typed, ends))
    }
    try warn(odd, "of a type that is none; taken for text")
    try warn(bytes, "bytes by their spelling, and marked as text; taken for bytes")
    try warn(notBytes, "marked as bytes and spelled otherwise; no text becomes them")
    try warn(marks, "marks by their spelling or use, and marked as text; taken for control")
    try warn(references, "references, and marked as normal; they match in any text")
  }

  private mutating func warn(_ repair: Repair, _ what: String) throws(EngineError) {
    if let sentence = repair.sentence(what) { try warnings.append(text: sentence) }
  }

  private mutating func typeOfPiece(
    _ id: Int, _ description: TokenizerDescription, _ typed: Growable<Bool>,
    _ ends: Growable<Bool>
  ) throws(EngineError) -> PieceType {
    let pieces = description.pieces
    let spelling = try Spelling(pieces, id)
    let value = description.types.isEmpty ? 1 : try description.types.at(id)
    let known = PieceType(rawValue: value)
    if known == nil { odd.note(try pieces[id]) }
    let type = known ?? .normal
    switch type {
    case .control, .unknown: return type
    case .byte:
      if try Marks.byte(spelling) != nil { return .byte }
      notBytes.note(try pieces[id])
      return .control
    case .normal, .userDefined, .unused: break
    }
    if type != .userDefined, description.algorithm == .sentencePiece,
      let byte = try Marks.byte(spelling), try !typed.at(Int(byte))
    {
      if !description.types.isEmpty { bytes.note(try pieces[id]) }
      return .byte
    }
    var isMark = try Marks.isMark(spelling)
    if !isMark, try ends.at(id) { isMark = try isLongEnd(spelling) }
    if isMark {
      if !description.types.isEmpty { marks.note(try pieces[id]) }
      return id == Int(description.unknown) ? .unknown : .control
    }
    if type == .normal, description.algorithm == .sentencePiece,
      try Marks.isReference(spelling)
    {
      references.note(try pieces[id])
      return .userDefined
    }
    return type
  }

  /// Whether a piece that the file names as an end is a mark: a single character stays text.
  private func isLongEnd(_ spelling: Spelling) throws(EngineError) -> Bool {
    guard spelling.count > 1 else { return false }
    return UTF8Scalar.expectedLength(lead: try spelling.at(0)) != spelling.count
  }

  /// Of each byte, whether a piece is marked as it.
  private static func typedBytes(
    _ description: TokenizerDescription
  ) throws(EngineError) -> Growable<Bool> {
    var typed = try Growable(filled: false, count: 256)
    for id in below(description.types.count) {
      if try description.types.at(id) == PieceType.byte.rawValue,
        let byte = try Marks.byte(Spelling(description.pieces, id))
      {
        try typed.put(true, at: Int(byte))
      }
    }
    return typed
  }
}
