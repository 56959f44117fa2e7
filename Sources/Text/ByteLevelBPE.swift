// Byte-level BPE: a splitter cuts the text, and the bytes of each piece merge, lowest rank first.
// Sources: openai/gpt-2 src/encoder.py; mistralai/mistral-common tokens/tokenizers/tekken.py, where
// a pair's rank is the rank of what it makes.
import Base
import Formats

/// The pieces of a byte-level tokenizer, ready to encode.
struct ByteLevelBPE: Sendable {
  private let splitter: Splitter
  private let userDefined: WholePieces
  /// The piece of each single byte; -1 when there is none, and the byte is dropped.
  private let bytePieces: [Int32]
  private let rule: Rule

  private enum Rule: Sendable {
    case merges(MergeList)
    case ranks(RankedPieces)
  }

  /// Pairs in the order of a list.
  private struct MergeList: MergeRule, Sendable {
    let ranks: PairTable
    let products: [Int32]

    func merge(
      _ left: MergeSymbol, _ right: MergeSymbol, in text: borrowing Growable<UInt8>
    ) throws(EngineError) -> (id: Int32, priority: UInt32)? {
      let rank = try ranks.find(left.id, right.id)
      return rank < 0 ? nil : (try products.at(Int(rank)), UInt32(rank))
    }

    func isUnused(_ id: Int32) -> Bool { false }
  }

  /// Pairs in the order of the ids that they make.
  private struct RankedPieces: MergeRule, Sendable {
    let table: PieceTable

    func merge(
      _ left: MergeSymbol, _ right: MergeSymbol, in text: borrowing Growable<UInt8>
    ) throws(EngineError) -> (id: Int32, priority: UInt32)? {
      let id = try table.find(
        text, start: Int(left.start), length: Int(left.length &+ right.length))
      return id < 0 ? nil : (id, UInt32(id))
    }

    func isUnused(_ id: Int32) -> Bool { false }
  }

  init(_ vocabulary: Vocabulary, splitter: Splitter, merges: ByteStrings) throws(EngineError) {
    self.splitter = splitter
    let types = vocabulary.types
    userDefined = try WholePieces(vocabulary.surfaces) { id throws(EngineError) in
      try types.at(id) == .userDefined
    }
    let table = try PieceTable(vocabulary.surfaces) { id throws(EngineError) in
      try types.at(id) == .normal ? try vocabulary.matches(id) : false
    }
    var probe = Growable<UInt8>()
    try probe.append(0)
    var bytePieces: [Int32] = []
    for byte in 0...UInt8.max {
      try probe.put(byte, at: 0)
      bytePieces.append(try table.find(probe, start: 0, length: 1))
    }
    self.bytePieces = bytePieces
    rule =
      splitter == .tekken
      ? .ranks(RankedPieces(table: table)) : .merges(try Self.list(merges, table))
  }

  private static func list(
    _ merges: ByteStrings, _ table: PieceTable
  ) throws(EngineError) -> MergeList {
    var ranks = try PairTable(capacity: merges.count)
    var products: [Int32] = []
    products.reserveCapacity(merges.count)
    var text = Growable<UInt8>()
    let bytes = merges.bytes
    while products.count < merges.count {
      let rank = products.count
      let merge = try merges.range(rank)
      func malformed(_ what: String) throws(EngineError) -> EngineError {
        EngineError(
          .malformed, "tokenizer.ggml.merges[\(rank)] is \(quoted(try merges[rank])); \(what)")
      }
      var space = merge.lowerBound
      while space < merge.upperBound, try bytes.at(space) != 0x20 { space &+= 1 }
      guard space > merge.lowerBound, space &+ 1 < merge.upperBound,
        let left = try ByteTable.bytes(of: bytes, try checkedRange(merge.lowerBound, space)),
        let right = try ByteTable.bytes(of: bytes, try checkedRange(space &+ 1, merge.upperBound))
      else { throw try malformed("allowed are two spelled pieces with one space between") }
      text.shorten(to: 0)
      try text.append(left, left.indices)
      try text.append(right, right.indices)
      let leftID = try table.find(text, start: 0, length: left.count)
      let rightID = try table.find(text, start: left.count, length: right.count)
      let product = try table.find(text, start: 0, length: text.count)
      guard leftID >= 0, rightID >= 0, product >= 0 else {
        throw try malformed("both parts and what they make must be in tokenizer.ggml.tokens")
      }
      products.append(product)
      try ranks.insert(leftID, rightID, value: Int32(truncatingIfNeeded: rank))
    }
    return MergeList(ranks: ranks, products: products)
  }

  /// Appends the ids of `text[range]` to the work's output.
  func encode(
    _ text: borrowing Growable<UInt8>, _ range: Range<Int>, with work: inout EncodingWork
  ) throws(EngineError) {
    var start = range.lowerBound
    if !userDefined.isEmpty {
      var position = start
      while position < range.upperBound {
        guard let piece = try userDefined.longest(text, at: position, end: range.upperBound) else {
          position &+= 1
          continue
        }
        try encodePlain(text, try checkedRange(start, position), with: &work)
        try work.output(piece.id)
        position &+= piece.length
        start = position
      }
    }
    try encodePlain(text, try checkedRange(start, range.upperBound), with: &work)
  }

  private func encodePlain(
    _ text: borrowing Growable<UInt8>, _ range: Range<Int>, with work: inout EncodingWork
  ) throws(EngineError) {
    var start = range.lowerBound
    while start < range.upperBound {
      let end = try splitter.pieceEnd(text, from: start, to: range.upperBound)
      try encodePiece(text, try checkedRange(start, end), with: &work)
      start = end
    }
  }

  private func encodePiece(
    _ text: borrowing Growable<UInt8>, _ piece: Range<Int>, with work: inout EncodingWork
  ) throws(EngineError) {
    work.run.removeAll()
    var position = piece.lowerBound
    while position < piece.upperBound {
      defer { position &+= 1 }
      try work.run.append(
        start: position, length: 1, id: try bytePieces.at(Int(try text.at(position))))
    }
    switch rule {
    case .merges(let list): try work.run.merge(list, in: text)
    case .ranks(let ranked): try work.run.merge(ranked, in: text)
    }
    var index = 0
    while index >= 0 {
      let symbol = try work.run.symbols.at(index)
      // A byte without a piece is dropped here, after the merges, so that its neighbours stay
      // apart.
      if symbol.id >= 0 { try work.output(symbol.id) }
      index = Int(symbol.next)
    }
  }
}

extension Splitter {
  /// Where the piece that begins at `start` of `text[..<end]` ends; beyond `start`.
  func pieceEnd(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int
  ) throws(EngineError)
    -> Int
  {
    switch self {
    case .gpt2: try GPT2Splitter.pieceEnd(text, from: start, to: end)
    case .smolLM: try SmolLMSplitter.pieceEnd(text, from: start, to: end)
    case .tekken: try TekkenSplitter.pieceEnd(text, from: start, to: end)
    }
  }
}
