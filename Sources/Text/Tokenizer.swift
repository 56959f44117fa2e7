// Text to tokens and back, for the tokenizers of Mistral's family of models.
import Base
import Formats

/// The tokenizer of one model; immutable, for any number of threads.
package final class Tokenizer: Sendable {
  /// How to encode: the header's MIXTRAL_TOKENIZE_*.
  package struct EncodeOptions: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Add what the file says belongs before and after a text; with `special` not what the text
    /// itself begins or ends with.
    package static let bos = EncodeOptions(rawValue: 1)
    /// Control pieces spelled in the text become control tokens: for trusted text only.
    package static let special = EncodeOptions(rawValue: 2)
    /// The text continues another: no space is put in front.
    package static let continuation = EncodeOptions(rawValue: 4)
  }

  /// How to decode: the header's MIXTRAL_DETOKENIZE_*.
  package struct DecodeOptions: OptionSet, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Write control tokens as their spelling instead of nothing.
    package static let special = DecodeOptions(rawValue: 1)
    /// The tokens continue others: strip no leading space.
    package static let continuation = DecodeOptions(rawValue: 2)
  }

  private enum Encoder: Sendable {
    case sentencePiece(SentencePieceBPE)
    case byteLevel(ByteLevelBPE)
  }

  /// Bytes of text in one call of `encode`.
  package static let largestText = 1 << 30

  /// Ids of the marks; -1 when absent.
  package let bos: Int32
  package let eos: Int32
  package let unknown: Int32
  package let padding: Int32
  /// Rows of the embedding: ids are 0..<`rows`.
  ///
  /// Those from `count` on have no text.
  package let rows: Int

  let vocabulary: Vocabulary
  let addsSpacePrefix: Bool
  let isSentencePiece: Bool
  private let addsBOS: Bool
  private let addsEOS: Bool
  private let encoder: Encoder
  /// Pieces that only trusted text may name.
  private let special: WholePieces

  /// Tokens that have a spelling.
  package var count: Int { vocabulary.count }

  /// Checks `description` and builds the tables.
  ///
  /// `rows` are the embedding's. Fewer tokens than rows are allowed, as trainers round the matrix
  /// up; their ids have no text. More are not: such a token could not be fed to the model. Throws
  /// `malformed` or `limitExceeded`, naming key, index and value.
  package init(_ description: TokenizerDescription, rows: Int) throws(EngineError) {
    let vocabulary = try Vocabulary(description)
    guard vocabulary.count <= rows else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.tokens has \(vocabulary.count) entries; the embedding has \(rows) rows")
    }
    self.vocabulary = vocabulary
    self.rows = rows
    let marks = [
      ("bos", description.bos), ("eos", description.eos), ("unknown", description.unknown),
      ("padding", description.padding),
    ]
    for (name, id) in marks where !(-1..<vocabulary.count).contains(Int(id)) {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.\(name)_token_id is \(id); allowed 0..\(vocabulary.count &- 1)")
    }
    bos = description.bos
    eos = description.eos
    unknown = description.unknown
    padding = description.padding
    addsBOS = description.addsBOS
    addsEOS = description.addsEOS
    addsSpacePrefix = description.addsSpacePrefix
    let types = vocabulary.types
    special = try WholePieces(vocabulary.surfaces) { id throws(EngineError) in
      let type = try types.at(id)
      return type == .control || type == .unknown
    }
    isSentencePiece = description.algorithm == .sentencePiece
    switch description.algorithm {
    case .sentencePiece:
      encoder = .sentencePiece(
        try SentencePieceBPE(
          vocabulary, scores: description.scores, unknown: description.unknown))
    case .byteLevel(let splitter):
      encoder = .byteLevel(
        try ByteLevelBPE(vocabulary, splitter: splitter, merges: description.merges))
    }
  }

  /// The ids of `text`: any bytes, at most `largestText`.
  ///
  /// Bytes that are not UTF-8 become byte tokens. O(n log n).
  /// Throws `limitExceeded` and `outOfMemory`.
  package func encode(
    _ text: UnsafeRawBufferPointer, options: EncodeOptions
  ) throws(EngineError) -> [Int32] {
    var work = MergeWork()
    return unsafe try encode(text, options: options, work: &work)
  }

  /// As `encode`, and adds to `work` how much merging it took.
  package func encode(
    _ text: UnsafeRawBufferPointer, options: EncodeOptions, work: inout MergeWork
  ) throws(EngineError) -> [Int32] {
    guard text.count <= Self.largestText else {
      throw EngineError(
        .limitExceeded, "text has \(text.count) bytes; allowed 0..\(Self.largestText)")
    }
    var bytes = Growable<UInt8>()
    unsafe try bytes.append(contentsOf: text.assumingMemoryBound(to: UInt8.self))
    var state = EncodingWork()
    let addsMarks = options.contains(.bos)
    let hasMarks = options.contains(.special) && !special.isEmpty
    // Templates of chats bring their own BOS, and two of them are not what the model has learned.
    let first = try hasMarks ? special.longest(bytes, at: 0, end: bytes.count)?.id : nil
    if addsMarks, addsBOS, bos >= 0, first != bos { try state.output(bos) }
    let prefixed = addsSpacePrefix && !options.contains(.continuation)
    let last: Int32
    if hasMarks {
      last = try encodeMarked(bytes, prefixed: prefixed, with: &state)
    } else {
      last = -1
      try encode(bytes, try checkedRange(0, bytes.count), prefixed: prefixed, with: &state)
    }
    if addsMarks, addsEOS, eos >= 0, last != eos { try state.output(eos) }
    work.symbols &+= state.run.work.symbols
    work.pushes &+= state.run.work.pushes
    work.moves &+= state.run.work.moves
    return try state.tokens.array()
  }

  /// Encodes a text whose control tokens are spelled; the one that it ends with, -1 for none.
  private func encodeMarked(
    _ text: borrowing Growable<UInt8>, prefixed: Bool, with work: inout EncodingWork
  ) throws(EngineError) -> Int32 {
    var isPrefixed = prefixed
    var start = 0
    var position = 0
    var last: Int32 = -1
    while position < text.count {
      guard let piece = try special.longest(text, at: position, end: text.count) else {
        position &+= 1
        continue
      }
      try encode(text, try checkedRange(start, position), prefixed: isPrefixed, with: &work)
      try work.output(piece.id)
      position &+= piece.length
      start = position
      last = piece.id
      isPrefixed = addsSpacePrefix
    }
    try encode(text, try checkedRange(start, text.count), prefixed: isPrefixed, with: &work)
    return start == text.count ? last : -1
  }

  private func encode(
    _ text: borrowing Growable<UInt8>, _ range: Range<Int>, prefixed: Bool,
    with work: inout EncodingWork
  ) throws(EngineError) {
    switch encoder {
    case .sentencePiece(let pieces):
      try pieces.encode(text, range, prefixed: prefixed, with: &work)
    case .byteLevel(let pieces):
      try pieces.encode(text, range, with: &work)
    }
  }
}
