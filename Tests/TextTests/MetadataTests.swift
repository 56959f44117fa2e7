// The keys of a GGUF file: what is read, what absent ones mean, what is refused.
import Base
import Formats
import Support
import Testing
import Text

private typealias Value = GGUFWriter.Value

private let sentencePieceKeys: [(String, Value)] = [
  ("model", .text("llama")),
  ("tokens", .texts(["<unk>", "<s>", "</s>", "\u{2581}", "a", "b"])),
  ("scores", .floats([0, 0, 0, -1, -2, -3])),
  ("token_type", .int32s([2, 3, 3, 1, 1, 1])),
]

private let byteLevelKeys: [(String, Value)] = [
  ("model", .text("gpt2")),
  ("pre", .text("gpt-2")),
  ("tokens", .texts(["a", "b", "ab", "\u{120}", "1"])),
  ("merges", .texts(["a b"])),
]

/// The tokenizer of a file with `keys`, of which `changes` replace, add or (nil) remove some.
private func load(
  _ keys: [(String, Value)], _ changes: [(String, Value?)] = [], rows: Int = 8
) throws -> Tokenizer {
  var writer = GGUFWriter()
  var keys = keys
  for (key, value) in changes {
    keys.removeAll { $0.0 == key }
    if let value { keys.append((key, value)) }
  }
  for (key, value) in keys { writer.add("tokenizer.ggml." + key, value) }
  writer.addTensor("none", [1], floats: [0])
  return try withTemporaryDirectory { directory in
    let path = directory + "/vocabulary.gguf"
    try writer.write(to: path)
    return try path.withCString { path throws(EngineError) in
      try Tokenizer(Checkpoint.open(path: path).tokenizer(rows: rows), rows: rows)
    }
  }
}

/// The error that loading ends with.
private func failure(
  _ keys: [(String, Value)], _ changes: [(String, Value?)], rows: Int = 8
) -> EngineError? {
  do {
    _ = try load(keys, changes, rows: rows)
    return nil
  } catch {
    return error as? EngineError
  }
}

@Suite("Tokenizers in GGUF metadata")
struct MetadataTests {
  @Test("absent settings of a SentencePiece model")
  func sentencePieceDefaults() throws {
    let tokenizer = try load(sentencePieceKeys)
    #expect(tokenizer.bos == 1 && tokenizer.eos == 2 && tokenizer.unknown == 0)
    #expect(tokenizer.padding == -1 && tokenizer.count == 6)
    #expect(try tokenizer.ids("a", .bos) == [1, 3, 4])
    #expect(try tokenizer.text([3, 4]) == "a")
  }

  @Test("settings of a SentencePiece model that are there win")
  func sentencePieceSettings() throws {
    let tokenizer = try load(
      sentencePieceKeys,
      [
        ("bos_token_id", .uint32(2)), ("eos_token_id", .uint32(1)),
        ("padding_token_id", .uint32(0)), ("add_bos_token", .bool(false)),
        ("add_eos_token", .bool(true)), ("add_space_prefix", .bool(false)),
      ])
    #expect(tokenizer.bos == 2 && tokenizer.eos == 1 && tokenizer.padding == 0)
    #expect(try tokenizer.ids("a", .bos) == [4, 1])
    #expect(try tokenizer.text([3, 4]) == " a")
  }

  @Test("marks that a trusted text brings itself are not added again")
  func marksOfTheText() throws {
    let tokenizer = try load(sentencePieceKeys, [("add_eos_token", .bool(true))])
    let trusted: Tokenizer.EncodeOptions = [.bos, .special]
    for text in ["a", "<s>a", "a</s>", "<s>a</s>"] {
      #expect(try tokenizer.ids(text, trusted) == [1, 3, 4, 2])
    }
    #expect(try tokenizer.ids("", trusted) == [1, 2])
    #expect(try tokenizer.ids("<s>", trusted) == [1, 2])
    #expect(try tokenizer.ids("</s>", trusted) == [1, 2])
    // Marks in other places, and those that a text says twice, are the text's.
    #expect(try tokenizer.ids("</s>a<s>", trusted) == [1, 2, 3, 4, 1, 2])
    #expect(try tokenizer.ids("<s><s>a</s></s>", trusted) == [1, 1, 3, 4, 2, 2])
    #expect(try tokenizer.ids("a</s>b", trusted) == [1, 3, 4, 2, 3, 5, 2])
    // A file that wants no mark gets none.
    let plain = try load(sentencePieceKeys, [("add_bos_token", .bool(false))])
    #expect(try plain.ids("a", trusted) == [3, 4])
    #expect(try plain.ids("<s>a", trusted) == [1, 3, 4])
  }

  @Test("absent settings of byte-level models")
  func byteLevelDefaults() throws {
    let tokenizer = try load(byteLevelKeys, [("bos_token_id", .uint32(0))])
    #expect(tokenizer.bos == 0 && tokenizer.eos == -1 && tokenizer.unknown == -1)
    #expect(try tokenizer.ids("ab a", .bos) == [2, 3, 0])
    let tekken = try load(
      byteLevelKeys, [("pre", .text("tekken")), ("bos_token_id", .uint32(0)), ("merges", nil)])
    #expect(try tekken.ids("ab a", .bos) == [0, 2, 3, 0])
  }

  @Test("GPT-2 cuts numbers as runs with their space")
  func gpt2Numbers() throws {
    let tokens = ["\u{120}", "1", "2", "\u{120}1", "12", "\u{120}12"]
    let keys: [(String, Value?)] = [
      ("tokens", .texts(tokens)), ("merges", .texts(["1 2", "\u{120} 12"])),
    ]
    #expect(try load(byteLevelKeys, keys).ids("12 12  1") == [4, 5, 0, 0, 1])
    let smolLM = try load(byteLevelKeys, keys + [("pre", .text("smollm"))])
    #expect(try smolLM.ids("12 12") == [1, 2, 0, 1, 2])
  }

  @Test("user-defined pieces match whole, control pieces only where the text is trusted")
  func wholePieces() throws {
    let changes: [(String, Value?)] = [
      ("tokens", .texts(["a", "b", "ab", "\u{120}", "<c>", "ba", "bab", "<u>"])),
      ("token_type", .int32s([1, 1, 1, 1, 3, 4, 4, 4])),
    ]
    let tokenizer = try load(byteLevelKeys, changes)
    #expect(try tokenizer.ids("abab<c> <u>") == [0, 6, 3, 7])
    #expect(try tokenizer.ids("abab<c> <u>", .special) == [0, 6, 4, 3, 7])
    #expect(try tokenizer.text([0, 6, 4, 3, 7]) == "abab <u>")
    #expect(try tokenizer.text([0, 6, 4, 3, 7], .special) == "abab<c> <u>")
  }

  @Test("ids of marks that are no tokens are absent, and said")
  func idsOutside() throws {
    let keys = ["bos", "eos", "unknown", "padding", "eot", "eom"].map { $0 + "_token_id" }
    for (value, text) in [
      (Value.uint32(6), "6"), (.uint32(.max), "4294967295"), (.int32(-1), "-1"),
      (.int32(.min), "-2147483648"),
    ] {
      for key in keys {
        let tokenizer = try load(sentencePieceKeys, [(key, value)])
        #expect(tokenizer.bos == 1 && tokenizer.eos == 2 && tokenizer.unknown == 0)
        #expect(tokenizer.padding == -1)
        #expect(
          try tokenizer.warned()
            == ["tokenizer.ggml.\(key) is \(text); allowed 0..5; taken for absent"])
      }
    }
    #expect(try load(sentencePieceKeys).warned().isEmpty)
    #expect(try load(byteLevelKeys).warned().isEmpty)
  }

  @Test("without types pieces are what their spelling says")
  func noTypes() throws {
    let tokenizer = try load(sentencePieceKeys, [("token_type", nil)])
    #expect(
      try tokenizer.warned()
        == ["key 'tokenizer.ggml.token_type' is absent; pieces are what their spelling says"])
    let typed = try load(sentencePieceKeys)
    for text in ["a<s>b</s>", "<unk>", "ab xa"] {
      #expect(try tokenizer.ids(text) == typed.ids(text))
      #expect(try tokenizer.ids(text, .special) == typed.ids(text, .special))
    }
    #expect(try tokenizer.text([0, 1, 2, 3, 4]) == typed.text([0, 1, 2, 3, 4]))
  }

  @Test("keys that are needed", arguments: ["model", "tokens", "scores"])
  func neededBySentencePiece(key: String) {
    let error = failure(sentencePieceKeys, [(key, nil)])
    #expect(
      error
        == EngineError(.malformed, "key 'tokenizer.ggml.\(key)' is absent; a tokenizer needs it"))
  }

  @Test("keys that are needed", arguments: ["pre", "merges", "tokens"])
  func neededByByteLevel(key: String) {
    #expect(failure(byteLevelKeys, [(key, nil)])?.kind == .malformed)
  }

  @Test("models and splitters that are not ours")
  func unsupported() {
    #expect(
      failure(sentencePieceKeys, [("model", .text("bert"))])
        == EngineError(
          .unsupported, "tokenizer.ggml.model is 'bert'; allowed are 'llama', 'gpt2'"))
    #expect(
      failure(byteLevelKeys, [("pre", .text("qwen2"))])
        == EngineError(
          .unsupported,
          "tokenizer.ggml.pre is 'qwen2'; allowed are 'gpt-2', 'smollm', 'tekken'"))
  }

  @Test("counts that do not agree")
  func counts() {
    #expect(
      failure(sentencePieceKeys, [], rows: 5)?.message
        == "tokenizer.ggml.tokens has 6 entries; allowed 1..5, the embedding's rows")
    #expect(failure(sentencePieceKeys, [("tokens", .texts([]))])?.kind == .malformed)
    #expect(failure(sentencePieceKeys, [("scores", .floats([1]))])?.kind == .malformed)
    #expect(failure(sentencePieceKeys, [("token_type", .int32s([]))])?.kind == .malformed)
  }

  @Test("values of another type or out of range")
  func wrongValues() {
    let changes: [(String, Value)] = [
      ("padding_token_id", .text("0")), ("eot_token_id", .floats([1])),
      ("add_bos_token", .uint32(1)), ("tokens", .int32s([1, 2])), ("scores", .int32s([1, 2])),
      ("token_type", .floats([1, 2])), ("model", .uint32(1)),
    ]
    for change in changes {
      #expect(failure(sentencePieceKeys, [change])?.kind == .malformed, "\(change.0)")
    }
  }
}
