// Any bytes as a text and as tokens, on the tokenizers of the bundled models (SentencePiece and
// Tekken): what was encoded decodes to the same bytes, and a stream gives what the whole gives, cut
// anywhere.
import CMixtral
import Support

/// The models and how many tokens each has.
nonisolated(unsafe) private let models: [(handle: OpaquePointer, vocabulary: Int)] = [
  "examples/models/mistral-demo-q4_k_m.gguf", "Tests/Oracle/models/nemo-shape-demo-f16.gguf",
].map { path in
  var model: OpaquePointer?
  var options = Loading().options
  check(lasting { mixtral_load(&model, repositoryPath(path), &options) }, "mixtral_load")
  var info = mixtral_info()
  info.struct_size = UInt32(MemoryLayout<mixtral_info>.size)
  check(mixtral_model_info(model, &info), "mixtral_model_info")
  guard let model else { finding("no model") }
  return (model, Int(info.vocabulary))
}

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  var choices = Choices(data, size)
  let way = choices.byte()
  let (model, vocabulary) = models[Int(way & 1)]
  let rest = choices.rest()
  if way & 2 == 0 {
    let text = rest.map(CChar.init(bitPattern:))
    roundTrip(model, text, flags: 0)
    roundTrip(model, text, flags: UInt32(MIXTRAL_TOKENIZE_CONTINUE))
    let trusted = tokenize(model, text, UInt32(way >> 2 & 7))
    stream(model, trusted, flags: UInt32(way >> 5 & 3))
  } else {
    // Each pair of bytes is a token.
    let tokens = stride(from: 0, to: rest.count - rest.count % 2, by: 2).map {
      mixtral_token((Int(rest[$0]) << 8 | Int(rest[$0 + 1])) % vocabulary)
    }
    stream(model, Array(tokens.prefix(64)), flags: UInt32(way >> 5 & 3))
  }
  return 0
}

private func tokenize(
  _ model: OpaquePointer, _ text: [CChar], _ flags: UInt32
) -> [mixtral_token] {
  // A text has at most one token a byte, the beginning, the end and a space in front.
  var tokens = [mixtral_token](repeating: -1, count: text.count + 3)
  var count = 0
  check(
    mixtral_tokenize(&count, &tokens, tokens.count, model, text, text.count, flags),
    "mixtral_tokenize")
  if count > 0 {
    var needed = 0
    var canary: mixtral_token = -7
    let status = mixtral_tokenize(&needed, &canary, count - 1, model, text, text.count, flags)
    if count == 1 {
      require(status == MIXTRAL_BUFFER_TOO_SMALL && needed == 1 && canary == -7, "no room for one")
    }
  }
  return Array(tokens[..<count])
}

private func detokenize(
  _ model: OpaquePointer, _ tokens: [mixtral_token], _ flags: UInt32
) -> [CChar] {
  var size = 0
  check(
    mixtral_detokenize(&size, nil, 0, model, tokens, tokens.count, flags), "mixtral_detokenize",
    allowed: [MIXTRAL_BUFFER_TOO_SMALL])
  var bytes = [CChar](repeating: 0, count: size)
  check(
    mixtral_detokenize(&size, &bytes, size, model, tokens, tokens.count, flags),
    "mixtral_detokenize")
  return bytes
}

private func roundTrip(_ model: OpaquePointer, _ text: [CChar], flags: UInt32) {
  let tokens = tokenize(model, text, flags)
  let isContinued = flags & UInt32(MIXTRAL_TOKENIZE_CONTINUE) != 0
  let back = detokenize(model, tokens, isContinued ? UInt32(MIXTRAL_DETOKENIZE_CONTINUE) : 0)
  // U+2581 is what SentencePiece writes for a space: it comes back as one.
  require(replacingLowerBlocks(text) == replacingLowerBlocks(back), "a text changes on its way")
}

private func replacingLowerBlocks(_ text: [CChar]) -> [CChar] {
  var out: [CChar] = []
  var i = 0
  while i < text.count {
    let isBlock = i + 2 < text.count && text[i...i + 2].elementsEqual([-0x1e, -0x6a, -0x7f])
    out.append(isBlock ? 0x20 : text[i])
    i += isBlock ? 3 : 1
  }
  return out
}

/// A streaming detokenizer and what it gave so far.
private struct Stream {
  let handle: OpaquePointer
  var bytes: [CChar] = []

  init(_ model: OpaquePointer, _ flags: UInt32) {
    var created: OpaquePointer?
    check(mixtral_detokenizer_create(&created, model, flags), "mixtral_detokenizer_create")
    guard let created else { finding("no detokenizer") }
    handle = created
  }

  mutating func feed(_ tokens: ArraySlice<mixtral_token>) {
    let tokens = Array(tokens)
    var size = 0
    // Asked without room first, which must consume nothing.
    let small = [MIXTRAL_BUFFER_TOO_SMALL]
    let asked = mixtral_detokenizer_next(&size, nil, 0, handle, tokens, tokens.count)
    if check(asked, "mixtral_detokenizer_next", allowed: small) { return }
    var given = [CChar](repeating: 0, count: size)
    check(
      mixtral_detokenizer_next(&size, &given, size, handle, tokens, tokens.count),
      "mixtral_detokenizer_next")
    bytes += given
  }

  func free() { check(mixtral_free(UnsafeMutableRawPointer(handle)), "mixtral_free") }
}

private func stream(_ model: OpaquePointer, _ tokens: [mixtral_token], flags: UInt32) {
  let whole = detokenize(model, tokens, flags)
  var single = Stream(model, flags)
  defer { single.free() }
  for i in tokens.indices {
    single.feed(tokens[i...i])
    let isPrefix = whole.starts(with: single.bytes)
    require(isPrefix, "a stream of single tokens gives other bytes than the whole")
  }
  require(whole.count - single.bytes.count <= 3, "more than 3 bytes are held back")
  single.feed([])
  require(single.bytes == whole, "a stream of single tokens gives other bytes than the whole")
  // The end begins a new text: one handle serves every cut.
  for cut in 1..<max(1, min(tokens.count, 64)) {
    single.bytes = []
    single.feed(tokens[..<cut])
    single.feed(tokens[cut...])
    single.feed([])
    require(single.bytes == whole, "a stream cut at \(cut) gives other bytes than the whole")
  }
}
