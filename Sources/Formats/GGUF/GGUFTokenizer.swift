// The tokenizer in a GGUF file's metadata: keys, their types, and what absent ones mean.
// Source of the defaults: ggml-org/llama.cpp src/llama-vocab.cpp.
import Base

extension GGUF {
  private static let prefix = "tokenizer.ggml."

  /// Reads the keys `tokenizer.ggml.*`.
  ///
  /// `rows` are the embedding's; the file may not have more tokens. Throws `malformed` (key, value,
  /// allowed range), `unsupported` for a model or splitter that is not ours, and `limitExceeded`.
  /// Faults of what no computation needs are in `warnings` instead: ids that are no tokens, types
  /// that are none.
  static func tokenizer(_ metadata: Metadata, rows: Int) throws(EngineError) -> TokenizerDescription
  {
    let algorithm = try algorithm(metadata)
    guard let tokens = try metadata.strings(prefix + "tokens") else { throw absent("tokens") }
    // Said before the pieces are copied: a count of the wrong file is the likeliest mistake.
    guard (1...max(rows, 1)).contains(tokens.count) else {
      throw EngineError(
        .malformed,
        "tokenizer.ggml.tokens has \(tokens.count) entries; "
          + "allowed 1..\(rows), the embedding's rows"
      )
    }
    var description = try TokenizerDescription(algorithm: algorithm, pieces: ByteStrings(tokens))
    if let types = try metadata.integers(prefix + "token_type") {
      var kinds = Growable<Int32>()
      try kinds.reserve(types.count)
      while kinds.count < types.count {
        try kinds.append(Int32(clamping: types.integer(kinds.count)))
      }
      description.types = try kinds.array()
      try require(types.count, "token_type", tokens.count)
    }
    description.bos = try id("bos", metadata, &description)
    description.eos = try id("eos", metadata, &description)
    description.unknown = try id("unknown", metadata, &description)
    description.padding = try id("padding", metadata, &description)
    let (eot, eom) = (
      try id("eot", metadata, &description), try id("eom", metadata, &description)
    )
    try description.ends.append(description.eos)
    try description.ends.append(eot)
    try description.ends.append(eom)
    description.addsBOS = try metadata.bool(prefix + "add_bos_token") ?? false
    description.addsEOS = try metadata.bool(prefix + "add_eos_token") ?? false
    switch algorithm {
    case .sentencePiece: try completeSentencePiece(&description, metadata)
    case .byteLevel(let splitter): try completeByteLevel(&description, splitter, metadata)
    }
    return description
  }

  private static func algorithm(
    _ metadata: Metadata
  ) throws(EngineError) -> TokenizerDescription.Algorithm {
    guard let model = try metadata.string(prefix + "model") else { throw absent("model") }
    switch model {
    case "llama": return .sentencePiece
    case "gpt2":
      guard let pre = try metadata.string(prefix + "pre") else { throw absent("pre") }
      guard let splitter = Splitter(rawValue: pre) else {
        var known = ""
        for splitter in Splitter.allCases {
          known += (known.isEmpty ? "'" : ", '") + splitter.rawValue + "'"
        }
        throw EngineError(
          .unsupported, "tokenizer.ggml.pre is \(quoted(pre)); allowed are \(known)")
      }
      return .byteLevel(splitter)
    default:
      throw EngineError(
        .unsupported,
        "tokenizer.ggml.model is \(quoted(model)); allowed are 'llama', 'gpt2'")
    }
  }

  /// SentencePiece: scores and types are needed; absent settings are those of Llama's model.
  private static func completeSentencePiece(
    _ description: inout TokenizerDescription, _ metadata: Metadata
  ) throws(EngineError) {
    let count = description.pieces.count
    guard let scores = try metadata.floats(prefix + "scores") else { throw absent("scores") }
    if description.types.isEmpty {
      try description.warnings.append(
        text: "key 'tokenizer.ggml.token_type' is absent; pieces are what their spelling says")
    }
    try require(scores.count, "scores", count)
    var floats = Growable<Float>()
    try floats.reserve(count)
    while floats.count < count { try floats.append(scores.float(floats.count)) }
    description.scores = try floats.array()
    if description.bos < 0, count > 1 { description.bos = 1 }
    if description.eos < 0, count > 2 { description.eos = 2 }
    if description.unknown < 0 { description.unknown = 0 }
    if !metadata.contains(prefix + "add_bos_token") { description.addsBOS = true }
    description.addsSpacePrefix = try metadata.bool(prefix + "add_space_prefix") ?? true
  }

  /// Byte-level: merges, except for Tekken, whose ids are the order.
  private static func completeByteLevel(
    _ description: inout TokenizerDescription, _ splitter: Splitter, _ metadata: Metadata
  ) throws(EngineError) {
    if splitter == .tekken {
      if !metadata.contains(prefix + "add_bos_token") { description.addsBOS = true }
      return
    }
    guard let merges = try metadata.strings(prefix + "merges") else { throw absent("merges") }
    guard merges.count <= Int(Int32.max) else {
      throw EngineError(
        .limitExceeded,
        "tokenizer.ggml.merges has \(merges.count) entries; allowed 0..\(Int32.max)")
    }
    description.merges = try ByteStrings(merges)
  }

  /// The id under a key; -1 when it is absent or no token's, of which only the latter is noted.
  private static func id(
    _ name: String, _ metadata: Metadata, _ description: inout TokenizerDescription
  ) throws(EngineError) -> Int32 {
    let key = prefix + name + "_token_id"
    let last = description.pieces.count &- 1
    let given: String
    switch metadata.value(key) {
    case nil: return -1
    case .unsigned(let value):
      if value <= UInt64(clamping: last) { return Int32(clamping: value) }
      given = "\(value)"
    case .signed(let value):
      if value >= 0, value <= Int64(clamping: last) { return Int32(clamping: value) }
      given = "\(value)"
    default:
      _ = try metadata.unsigned(key, in: 0...UInt64(clamping: last))
      return -1
    }
    try description.warnings.append(
      text: "\(key) is \(given); allowed 0..\(last); taken for absent")
    return -1
  }

  private static func require(
    _ found: Int, _ key: String, _ tokens: Int
  ) throws(EngineError) {
    guard found != tokens else { return }
    throw EngineError(
      .malformed, "\(prefix)\(key) has \(found) entries; \(prefix)tokens has \(tokens)")
  }

  private static func absent(_ key: String) -> EngineError {
    EngineError(.malformed, "key '\(prefix)\(key)' is absent; a tokenizer needs it")
  }
}
