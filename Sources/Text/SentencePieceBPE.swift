// SentencePiece's BPE as Mistral's models use it: no normalisation, a space in front, the pair with
// the highest score first (leftmost among equals), bytes for what no piece spells.
// Source: google/sentencepiece src/bpe_model.cc.
import Base
import Formats

/// The pieces of a SentencePiece model, ready to encode.
struct SentencePieceBPE: Sendable {
  /// U+2581, which stands for a space in the spelling of pieces.
  static let lowerBlock: [UInt8] = [0xE2, 0x96, 0x81]

  private let rule: Rule
  private let userDefined: WholePieces
  private let bytePieces: [Int32]
  private let unknown: Int32
  /// No piece holds a space after something else, so that merging never crosses into a new word and
  /// the words can be merged one by one.
  private let mergesByWord: Bool

  private struct Rule: MergeRule, Sendable {
    let table: PieceTable
    /// Falling score as a rising number.
    let priorities: [UInt32]
    let unused: [Bool]

    func merge(
      _ left: MergeSymbol, _ right: MergeSymbol, in text: borrowing Growable<UInt8>
    ) throws(EngineError) -> (id: Int32, priority: UInt32)? {
      let id = try table.find(
        text, start: Int(left.start), length: Int(left.length &+ right.length))
      return id < 0 ? nil : (id, try priorities.at(Int(id)))
    }

    func isUnused(_ id: Int32) throws(EngineError) -> Bool {
      unused.isEmpty ? false : try unused.at(Int(id))
    }
  }

  init(_ vocabulary: Vocabulary, scores: [Float], unknown: Int32) throws(EngineError) {
    guard scores.count == vocabulary.count else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.scores has \(scores.count) entries; "
          + "tokenizer.ggml.tokens has \(vocabulary.count)")
    }
    var priorities: [UInt32] = []
    priorities.reserveCapacity(scores.count)
    while priorities.count < scores.count {
      let id = priorities.count
      let score = try scores.at(id)
      guard score.isFinite else {
        throw EngineError(
          .malformed, "tokenizer.ggml.scores[\(id)] is \(score); allowed finite numbers")
      }
      // Adding zero makes -0 the same as 0. The bits of floats of one sign rise with their size.
      let bits = (score + 0).bitPattern
      priorities.append(bits >> 31 == 0 ? 0x7FFF_FFFF &- bits : bits)
    }
    let types = vocabulary.types
    let hasUnused = types.contains(.unused)
    rule = Rule(
      table: try PieceTable(vocabulary.surfaces, where: vocabulary.matches),
      priorities: priorities, unused: hasUnused ? types.map { $0 == .unused } : [])
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

  private static func holdsInnerSpace(
    _ surfaces: ByteStrings, _ id: Int
  ) throws(EngineError) -> Bool {
    let range = try surfaces.range(id)
    var previous: UInt8 = 0x20
    var index = range.lowerBound
    while index < range.upperBound {
      let byte = try surfaces.bytes.at(index)
      if byte == 0x20, previous != 0x20 { return true }
      previous = byte
      index &+= 1
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
    try normalize(text, range, prefixed: prefixed, into: &work.normalized)
    let end = work.normalized.count
    var position = 0
    var previousIsSpace = true
    while position < end {
      if !userDefined.isEmpty,
        let piece = try userDefined.longest(work.normalized, at: position, end: end)
      {
        try finish(&work)
        try work.output(piece.id)
        position &+= piece.length
        previousIsSpace = true
        continue
      }
      let isSpace = try work.normalized.at(position) == 0x20
      if isSpace, !previousIsSpace, mergesByWord { try finish(&work) }
      previousIsSpace = isSpace
      let length = try UTF8Scalar(work.normalized, at: position, end: end).length
      try work.run.append(start: position, length: length, id: -1)
      position &+= length
    }
    try finish(&work)
  }

  /// Writes `text[range]` with one space for each U+2581, which is the same to this
  /// tokenizer.
  private func normalize(
    _ text: borrowing Growable<UInt8>, _ range: Range<Int>, prefixed: Bool,
    into normalized: inout Growable<UInt8>
  ) throws(EngineError) {
    normalized.shorten(to: 0)
    try normalized.reserve(range.length &+ 1)
    if prefixed { try normalized.append(0x20) }
    var position = range.lowerBound
    while position < range.upperBound {
      let byte = try text.at(position)
      if byte == Self.lowerBlock[0], position &+ 2 < range.upperBound,
        try text.at(position &+ 1) == Self.lowerBlock[1],
        try text.at(position &+ 2) == Self.lowerBlock[2]
      {
        try normalized.append(0x20)
        position &+= 3
      } else {
        try normalized.append(byte)
        position &+= 1
      }
    }
  }

  /// Merges the symbols gathered so far, writes their ids, and starts a new stretch.
  private func finish(_ work: inout EncodingWork) throws(EngineError) {
    guard work.run.symbols.count > 0 else { return }
    try work.run.merge(rule, in: work.normalized)
    var index = 0
    while index >= 0 {
      let symbol = try work.run.symbols.at(index)
      try write(symbol, &work)
      index = Int(symbol.next)
    }
    work.run.removeAll()
  }

  /// Writes one symbol, taking unused pieces apart again into what they were merged from.
  private func write(_ symbol: MergeSymbol, _ work: inout EncodingWork) throws(EngineError) {
    var symbol = symbol
    while true {
      if symbol.unusedMerge >= 0 {
        let merge = try work.run.unusedMerges.at(Int(symbol.unusedMerge))
        try work.pending.append(merge.right)
        symbol = merge.left
        continue
      }
      try writeWhole(symbol, &work)
      guard let next = work.pending.removeLast() else { return }
      symbol = next
    }
  }

  private func writeWhole(_ symbol: MergeSymbol, _ work: inout EncodingWork) throws(EngineError) {
    let start = Int(symbol.start)
    let length = Int(symbol.length)
    let id =
      symbol.id >= 0
      ? symbol.id : try rule.table.find(work.normalized, start: start, length: length)
    if id >= 0 { return try work.output(id) }
    guard !bytePieces.isEmpty else {
      // A run of what no piece spells is one unknown.
      if unknown >= 0, !work.endsInUnknown { try work.output(unknown, isUnknown: true) }
      return
    }
    if length == 1, try work.normalized.at(start) == 0x20 {
      for byte in Self.lowerBlock { try work.output(try bytePieces.at(Int(byte))) }
      return
    }
    var index = start
    while index < start &+ length {
      defer { index &+= 1 }
      try work.output(try bytePieces.at(Int(try work.normalized.at(index))))
    }
  }
}
