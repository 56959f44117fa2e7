// SentencePiece's BPE as Mistral's models use it: no normalisation, a space in front, the pair with
// the highest score first (leftmost among equals), bytes for what no piece spells.
// Source: google/sentencepiece src/bpe_model.cc.
import Base
import Formats

/// The pieces of a SentencePiece model, ready to encode.
struct SentencePieceBPE: Sendable {
  private let rule: Rule
  private let userDefined: WholePieces
  /// The piece of each byte; -1 where there is none.
  private let bytePieces: Growable<Int32>
  private let unknown: Int32
  /// No piece holds a space after something else, so that merging never crosses into a new word and
  /// the words can be merged one by one.
  private let mergesByWord: Bool

  private struct Rule: MergeRule, Sendable {
    let table: PieceTable
    /// Falling score as a rising number.
    let priorities: Growable<UInt32>
    /// Of each piece whether it is unused; empty where none is.
    let unused: Growable<Bool>

    var hasUnused: Bool { unused.count > 0 }

    func whole(
      _ text: borrowing Growable<UInt8>, start: Int, length: Int
    ) throws(EngineError) -> Int32 {
      -1
    }

    func first(
      _ text: borrowing Growable<UInt8>, at position: Int, end: Int
    ) throws(EngineError) -> (length: Int, id: Int32) {
      (try UTF8Scalar(text, at: position, end: end).length, -1)
    }

    func merge(
      _ left: Int32, _ right: Int32, _ text: borrowing Growable<UInt8>, start: Int, length: Int
    ) throws(EngineError) -> (id: Int32, priority: UInt32)? {
      let id = try table.find(text, start: start, length: length)
      return id < 0 ? nil : (id, try priorities.at(Int(id)))
    }

    func isUnused(_ id: Int32) throws(EngineError) -> Bool {
      unused.count == 0 ? false : try unused.at(Int(id))
    }
  }

  init(_ vocabulary: Vocabulary, scores: [Float], unknown: Int32) throws(EngineError) {
    guard scores.count == vocabulary.count else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.scores has \(scores.count) entries; "
          + "tokenizer.ggml.tokens has \(vocabulary.count)")
    }
    let types = vocabulary.types
    var unused = Growable<Bool>()
    var hasUnused = false
    while unused.count < types.count {
      let isUnused = try types.at(unused.count) == .unused
      hasUnused = hasUnused || isUnused
      try unused.append(isUnused)
    }
    rule = Rule(
      table: try PieceTable(vocabulary.surfaces, where: vocabulary.matches),
      priorities: try Self.priorities(scores), unused: hasUnused ? unused : Growable())
    userDefined = try WholePieces(vocabulary.surfaces) { id throws(EngineError) in
      try types.at(id) == .userDefined
    }
    bytePieces = vocabulary.bytePieces
    self.unknown = unknown
    var mergesByWord = true
    var id = 0
    while id < vocabulary.count, mergesByWord {
      if try vocabulary.matches(id), try Self.holdsInnerSpace(vocabulary.surfaces, id) {
        mergesByWord = false
      }
      id &+= 1
    }
    self.mergesByWord = mergesByWord
  }

  /// Falling scores as rising numbers.
  private static func priorities(_ scores: [Float]) throws(EngineError) -> Growable<UInt32> {
    var priorities = Growable<UInt32>()
    try priorities.reserve(scores.count)
    while priorities.count < scores.count {
      let id = priorities.count
      let score = try scores.at(id)
      guard score.isFinite else {
        throw EngineError(
          .malformed, "tokenizer.ggml.scores[\(id)] is \(score); allowed finite numbers")
      }
      // Adding zero makes -0 the same as 0. The bits of floats of one sign rise with their size.
      let bits = (score + 0).bitPattern
      try priorities.append(bits >> 31 == 0 ? 0x7FFF_FFFF &- bits : bits)
    }
    return priorities
  }

  private static func holdsInnerSpace(
    _ surfaces: ByteStrings, _ id: Int
  ) throws(EngineError) -> Bool {
    let range = try surfaces.range(id)
    var previous: UInt8 = 0x20
    for index in below(range.upperBound, from: range.lowerBound) {
      let byte = try surfaces.bytes.at(index)
      if byte == 0x20, previous != 0x20 { return true }
      previous = byte
    }
    return false
  }

  /// Appends the ids of `text[range]` to the work's output, with a space in front when
  /// `prefixed`.
  func encode(
    _ text: borrowing Growable<UInt8>, _ range: Range<Int>, prefixed: Bool,
    with work: inout EncodingWork
  ) throws(EngineError) {
    guard !range.isEmpty else { return }
    try LowerBlock.replace(in: text, range, prefixed: prefixed, into: &work.normalized)
    let end = work.normalized.count
    try userDefined.find(in: work.normalized, try checkedRange(0, end), &work.userDefined)
    var whole = work.userDefined.next(from: 0)
    var (start, position) = (0, 0)
    while position < end {
      if let piece = whole, piece.start <= position {
        if piece.start == position {
          try encodeStretch(from: start, to: position, &work)
          try work.output(piece.id)
          position &+= Int(piece.length)
          start = position
        }
        whole = work.userDefined.next(from: position)
        continue
      }
      // A word begins with its spaces.
      let isSpace = try work.normalized.at(position) == 0x20
      if isSpace, mergesByWord, position > start, try work.normalized.at(position &- 1) != 0x20 {
        try encodeStretch(from: start, to: position, &work)
        start = position
      }
      position &+=
        whole == nil ? 1 : try UTF8Scalar(work.normalized, at: position, end: end).length
    }
    try encodeStretch(from: start, to: end, &work)
  }

  /// Merges `normalized[start..<end]` and writes the ids.
  private func encodeStretch(
    from start: Int, to end: Int, _ work: inout EncodingWork
  ) throws(EngineError) {
    guard start < end else { return }
    try work.run.merge(work.normalized, from: start, to: end, rule)
    for index in below(work.run.pieces.count) {
      try write(try work.run.pieces.at(index), &work)
    }
  }

  /// Writes one piece, taking unused ones apart again into what they were merged from.
  private func write(_ piece: MergedPiece, _ work: inout EncodingWork) throws(EngineError) {
    var piece = piece
    while true {
      if piece.unusedMerge >= 0 {
        let merge = try work.run.unusedMerges.at(Int(piece.unusedMerge))
        try work.pending.append(merge.right)
        piece = merge.left
        continue
      }
      try writeWhole(piece, &work)
      guard let next = work.pending.removeLast() else { return }
      piece = next
    }
  }

  private func writeWhole(_ piece: MergedPiece, _ work: inout EncodingWork) throws(EngineError) {
    let start = Int(piece.start)
    let length = Int(piece.length)
    let id =
      piece.id >= 0
      ? piece.id : try rule.table.find(work.normalized, start: start, length: length)
    if id >= 0 { return try work.output(id) }
    if length == 1, try work.normalized.at(start) == 0x20 {
      try writeByte(LowerBlock.first, &work)
      try writeByte(LowerBlock.second, &work)
      return try writeByte(LowerBlock.third, &work)
    }
    for index in below(start &+ length, from: start) {
      try writeByte(try work.normalized.at(index), &work)
    }
  }

  /// Writes one byte of what no piece spells; a run of those without a byte piece is one unknown.
  private func writeByte(_ byte: UInt8, _ work: inout EncodingWork) throws(EngineError) {
    let id = try bytePieces.at(Int(byte))
    if id >= 0 { return try work.output(id) }
    if unknown >= 0, !work.endsInUnknown { try work.output(unknown, isUnknown: true) }
  }
}
