// Byte-level BPE: a splitter cuts the text, and the bytes of each piece merge, lowest rank first.
// Sources: openai/gpt-2 src/encoder.py; mistralai/mistral-common tokens/tokenizers/tekken.py, where
// a pair's rank is the rank of what it makes; openai/tiktoken src/lib.rs, which takes a piece that
// is a token whole.
import Base
import Formats

/// The pieces of a byte-level tokenizer, ready to encode.
struct ByteLevelBPE: Sendable {
  private let splitter: Splitter
  private let classes: ScalarClasses
  private let userDefined: WholePieces
  private let rule: Rule

  private enum Rule: Sendable {
    case merges(MergeList)
    case ranks(RankedPieces)
  }

  /// Pairs in the order of a list.
  private struct MergeList: MergeRule, Sendable {
    /// The piece of each single byte; -1 when there is none, and the byte is dropped.
    let bytePieces: Growable<Int32>
    let ranks: PairTable
    let products: Growable<Int32>

    var hasUnused: Bool { false }

    func whole(
      _ text: borrowing Growable<UInt8>, start: Int, length: Int
    ) throws(EngineError) -> Int32 {
      -1
    }

    func first(
      _ text: borrowing Growable<UInt8>, at position: Int, end: Int
    ) throws(EngineError) -> (length: Int, id: Int32) {
      (1, try bytePieces.at(Int(try text.at(position))))
    }

    func merge(
      _ left: Int32, _ right: Int32, _ text: borrowing Growable<UInt8>, start: Int, length: Int
    ) throws(EngineError) -> (id: Int32, priority: UInt32)? {
      let rank = try ranks.find(left, right)
      return rank < 0 ? nil : (try products.at(Int(rank)), UInt32(truncatingIfNeeded: rank))
    }

    func isUnused(_ id: Int32) -> Bool { false }
  }

  /// Pairs in the order of the ids that they make.
  private struct RankedPieces: MergeRule, Sendable {
    let bytePieces: Growable<Int32>
    let table: PieceTable

    var hasUnused: Bool { false }

    func whole(
      _ text: borrowing Growable<UInt8>, start: Int, length: Int
    ) throws(EngineError) -> Int32 {
      try table.find(text, start: start, length: length)
    }

    func first(
      _ text: borrowing Growable<UInt8>, at position: Int, end: Int
    ) throws(EngineError) -> (length: Int, id: Int32) {
      (1, try bytePieces.at(Int(try text.at(position))))
    }

    func merge(
      _ left: Int32, _ right: Int32, _ text: borrowing Growable<UInt8>, start: Int, length: Int
    ) throws(EngineError) -> (id: Int32, priority: UInt32)? {
      let id = try table.find(text, start: start, length: length)
      return id < 0 ? nil : (id, UInt32(truncatingIfNeeded: id))
    }

    func isUnused(_ id: Int32) -> Bool { false }
  }

  init(_ vocabulary: Vocabulary, splitter: Splitter, merges: ByteStrings) throws(EngineError) {
    self.splitter = splitter
    classes = try ScalarClasses()
    userDefined = try WholePieces(vocabulary.surfaces) { id throws(EngineError) in
      try vocabulary.types.at(id) == .userDefined
    }
    let table = try PieceTable(vocabulary.surfaces) { id throws(EngineError) in
      try vocabulary.types.at(id) == .normal ? try vocabulary.matches(id) : false
    }
    var probe = Growable<UInt8>()
    try probe.append(0)
    var bytePieces = Growable<Int32>()
    for byte in 0...UInt8.max {
      try probe.put(byte, at: 0)
      try bytePieces.append(try table.find(probe, start: 0, length: 1))
    }
    rule =
      splitter == .tekken
      ? .ranks(RankedPieces(bytePieces: bytePieces, table: table))
      : .merges(try Self.list(merges, table, bytePieces, vocabulary))
  }

  private static func list(
    _ merges: ByteStrings, _ table: PieceTable, _ bytePieces: Growable<Int32>,
    _ vocabulary: Vocabulary
  ) throws(EngineError) -> MergeList {
    var ranks = try PairTable(capacity: merges.count)
    var products = Growable<Int32>()
    try products.reserve(merges.count)
    var every: PieceTable?
    var text = Growable<UInt8>()
    while products.count < merges.count {
      let rank = products.count
      let leftLength = try spell(merges, rank, &text)
      let left = try table.find(text, start: 0, length: leftLength)
      let right = try table.find(text, start: leftLength, length: text.count &- leftLength)
      let product = try table.find(text, start: 0, length: text.count)
      try products.append(product)
      if left >= 0, right >= 0, product >= 0 {
        try ranks.insert(left, right, value: Int32(truncatingIfNeeded: rank))
        continue
      }
      // A piece that no text becomes, such as the mark of a chat, needs no merge.
      if every == nil { every = try PieceTable(vocabulary.surfaces) { _ in true } }
      guard let every, try every.find(text, start: 0, length: leftLength) >= 0,
        try every.find(text, start: leftLength, length: text.count &- leftLength) >= 0,
        try every.find(text, start: 0, length: text.count) >= 0
      else {
        throw try malformed(
          merges, rank, "both parts and what they make must be in tokenizer.ggml.tokens")
      }
    }
    return MergeList(bytePieces: bytePieces, ranks: ranks, products: products)
  }

  /// Writes what a merge makes into `text`; how many bytes of it are the left part.
  private static func spell(
    _ merges: ByteStrings, _ rank: Int, _ text: inout Growable<UInt8>
  ) throws(EngineError) -> Int {
    let (bytes, merge) = (merges.bytes, try merges.range(rank))
    var space = merge.lowerBound
    while space < merge.upperBound, try bytes.at(space) != 0x20 { space &+= 1 }
    guard space > merge.lowerBound, space &+ 1 < merge.upperBound,
      let left = try ByteTable.bytes(of: bytes, try checkedRange(merge.lowerBound, space)),
      let right = try ByteTable.bytes(of: bytes, try checkedRange(space &+ 1, merge.upperBound))
    else {
      throw try malformed(
        merges, rank, "allowed are two spelled pieces with one space between")
    }
    text.shorten(to: 0)
    try text.append(left, left.indices)
    try text.append(right, right.indices)
    return left.count
  }

  private static func malformed(
    _ merges: ByteStrings, _ rank: Int, _ what: String
  ) throws(EngineError) -> EngineError {
    EngineError(
      .malformed, "tokenizer.ggml.merges[\(rank)] is \(quoted(try merges[rank])); \(what)")
  }

  /// Appends the ids of `text[range]` to the work's output.
  func encode(
    _ text: borrowing Growable<UInt8>, _ range: Range<Int>, with work: inout EncodingWork
  ) throws(EngineError) {
    // Here and not at every piece, because a rule taken out of its case is a copy.
    switch rule {
    case .merges(let list): try encode(text, range, list, with: &work)
    case .ranks(let ranked): try encode(text, range, ranked, with: &work)
    }
  }

  private func encode(
    _ text: borrowing Growable<UInt8>, _ range: Range<Int>, _ rule: borrowing some MergeRule,
    with work: inout EncodingWork
  ) throws(EngineError) {
    try userDefined.find(in: text, range, &work.userDefined)
    var start = range.lowerBound
    while let piece = work.userDefined.next(from: start) {
      try encodePlain(text, try checkedRange(start, piece.start), rule, with: &work)
      try work.output(piece.id)
      start = piece.start &+ Int(piece.length)
    }
    try encodePlain(text, try checkedRange(start, range.upperBound), rule, with: &work)
  }

  private func encodePlain(
    _ text: borrowing Growable<UInt8>, _ range: Range<Int>, _ rule: borrowing some MergeRule,
    with work: inout EncodingWork
  ) throws(EngineError) {
    var start = range.lowerBound
    while start < range.upperBound {
      let end = try splitter.pieceEnd(text, classes, from: start, to: range.upperBound)
      let id = try rule.whole(text, start: start, length: end &- start)
      if id >= 0 {
        try work.output(id)
      } else {
        try work.run.merge(text, from: start, to: end, rule)
        try writePieces(&work)
      }
      start = end
    }
  }

  private func writePieces(_ work: inout EncodingWork) throws(EngineError) {
    for index in below(work.run.pieces.count) {
      let id = try work.run.pieces.at(index).id
      // A byte without a piece is dropped here, after the merges, so that its neighbours stay
      // apart.
      if id >= 0 { try work.output(id) }
    }
  }
}

extension Splitter {
  /// Where the piece that begins at `start` of `text[..<end]` ends; beyond `start`.
  @inline(__always)
  func pieceEnd(
    _ text: borrowing Growable<UInt8>, _ classes: borrowing ScalarClasses, from start: Int,
    to end: Int
  ) throws(EngineError) -> Int {
    switch self {
    case .gpt2: try GPT2Splitter.pieceEnd(text, classes, from: start, to: end)
    case .smolLM: try SmolLMSplitter.pieceEnd(text, classes, from: start, to: end)
    case .tekken: try TekkenSplitter.pieceEnd(text, classes, from: start, to: end)
    }
  }
}
