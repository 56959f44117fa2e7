// Text to tokens and back, for the tokenizers of Mistral's family of models.
import Base
import Formats

/// The tokenizer of one model; immutable, for any number of threads.
package struct Tokenizer: Sendable {
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
  /// The tokens that end an answer, in rising order: those that the file names, and those spelled
  /// as ends.
  package let stopTokens: [Int32]
  /// Sentences about what the file says and was not believed.
  package let warnings: ByteStrings
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
  @export(interface)
  package init(_ description: TokenizerDescription, rows: Int) throws(EngineError) {
    let vocabulary = try Vocabulary(description)
    guard vocabulary.count <= rows else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.tokens has \(vocabulary.count) entries; the embedding has \(rows) rows")
    }
    self.vocabulary = vocabulary
    self.rows = rows
    try Self.checkMarks(description, vocabulary)
    bos = description.bos
    eos = description.eos
    unknown = description.unknown
    padding = description.padding
    addsBOS = description.addsBOS
    addsEOS = description.addsEOS
    addsSpacePrefix = description.addsSpacePrefix
    stopTokens = try Self.stopTokens(description, vocabulary)
    warnings = try description.warnings.followed(by: vocabulary.warnings)
    special = try WholePieces(vocabulary.surfaces) { id throws(EngineError) in
      let type = try vocabulary.types.at(id)
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

  private static func checkMarks(
    _ description: TokenizerDescription, _ vocabulary: Vocabulary
  ) throws(EngineError) {
    let marks = [
      ("bos", description.bos), ("eos", description.eos), ("unknown", description.unknown),
      ("padding", description.padding),
    ]
    for (name, id) in marks where id < -1 || Int(id) >= vocabulary.count {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.\(name)_token_id is \(id); allowed -1..\(vocabulary.count &- 1)")
    }
  }

  private static func stopTokens(
    _ description: TokenizerDescription, _ vocabulary: Vocabulary
  ) throws(EngineError) -> [Int32] {
    let pieces = description.pieces
    let ends = try description.endTable()
    var found = Growable<Int32>()
    for id in below(vocabulary.count) {
      let number = Int32(truncatingIfNeeded: id)
      var isEnd = try ends.at(id)
      if number == description.eos { isEnd = true }
      let type = try vocabulary.types.at(id)
      if !isEnd, type == .control || type == .unknown {
        isEnd = try Marks.isEnd(Spelling(pieces, id))
      }
      if isEnd { try found.append(number) }
    }
    return try found.array()
  }

  /// The ids of `text`: any bytes, at most `largestText`.
  ///
  /// Bytes that are not UTF-8 become byte tokens. The time is linear in the text.
  /// Throws `limitExceeded` and `outOfMemory`.
  @export(interface)
  package func encode(
    _ text: UnsafeRawBufferPointer, options: EncodeOptions
  ) throws(EngineError) -> [Int32] {
    var work = MergeWork()
    return unsafe try encode(text, options: options, work: &work)
  }

  /// As `encode`, and adds to `work` how much merging it took.
  @export(interface)
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
    var marks = WholeMatches()
    if options.contains(.special) {
      try special.find(in: bytes, try checkedRange(0, bytes.count), &marks)
    }
    var mark = marks.next(from: 0)
    // Templates of chats bring their own BOS, and two of them are not what the model has learned.
    let first = mark?.start == 0 ? mark?.id : nil
    if addsMarks, addsBOS, bos >= 0, first != bos { try state.output(bos) }
    var isPrefixed = addsSpacePrefix && !options.contains(.continuation)
    var (start, last) = (0, Int32(-1))
    while let piece = mark {
      try encode(bytes, try checkedRange(start, piece.start), prefixed: isPrefixed, with: &state)
      try state.output(piece.id)
      start = piece.start &+ Int(piece.length)
      last = piece.id
      isPrefixed = addsSpacePrefix
      mark = marks.next(from: start)
    }
    try encode(bytes, try checkedRange(start, bytes.count), prefixed: isPrefixed, with: &state)
    let endsInEOS = start == bytes.count && last == eos
    if addsMarks, addsEOS, eos >= 0, !endsInEOS { try state.output(eos) }
    let done = state.run.work
    work.add(symbols: done.symbols, lookups: done.lookups, comparisons: done.comparisons)
    return try state.tokens.array()
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
