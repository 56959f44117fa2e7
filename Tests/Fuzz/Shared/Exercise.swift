// The exercise of every model that loads, through the header: describe it, tokenize, step four
// tokens, sample.
import CMixtral
import Glibc

/// How a target loads.
struct Loading {
  var isa = MIXTRAL_ISA_AUTO
  var map = false
  var window: Int64 = 0
  var experts: UInt32 = 0
  /// Whether a part of the file may be missing.
  var mayBeMissing = false

  var options: mixtral_load_options {
    var options = mixtral_load_options()
    options.struct_size = UInt32(MemoryLayout<mixtral_load_options>.size)
    // Two rows a pass: four tokens take two passes, and the scratch memory is small.
    options.batch = 2
    options.threads = 1
    options.isa = UInt32(isa)
    options.map = map ? 1 : 0
    options.sliding_window = window
    options.experts_used = experts
    return options
  }
}

/// Loads the file at `path`; when that works, uses the model and frees it.
func loadAndUse(_ path: String, _ loading: Loading) {
  withoutOpenFiles {
    var model: OpaquePointer?
    var options = loading.options
    var allowed = fileStatuses
    if loading.experts != 0 { allowed.append(MIXTRAL_INVALID_ARGUMENT) }
    if loading.mayBeMissing { allowed += [MIXTRAL_NOT_FOUND, MIXTRAL_IO] }
    guard check(mixtral_load(&model, path, &options), "mixtral_load", allowed: allowed) else {
      require(model == nil, "mixtral_load fails and gives a model")
      return
    }
    guard let model else { finding("mixtral_load is OK and gives no model") }
    use(model)
    check(mixtral_free(UnsafeMutableRawPointer(model)), "mixtral_free")
  }
}

private func use(_ model: OpaquePointer) {
  var info = mixtral_info()
  info.struct_size = UInt32(MemoryLayout<mixtral_info>.size)
  check(mixtral_model_info(model, &info), "mixtral_model_info")
  require(info.vocabulary > 0 && info.layers > 0, "a model without vocabulary or layers")
  describe(model)
  tokenize(model, vocabulary: info.vocabulary)
  for cache in [MIXTRAL_CACHE_F16, MIXTRAL_CACHE_Q8_0] { step(model, info, cache) }
}

private func describe(_ model: OpaquePointer) {
  var size = 0
  check(
    mixtral_model_metadata(&size, nil, 0, model, nil), "mixtral_model_metadata",
    allowed: [MIXTRAL_BUFFER_TOO_SMALL])
  var text = [CChar](repeating: 0, count: size)
  check(mixtral_model_metadata(&size, &text, size, model, nil), "mixtral_model_metadata")
  require(
    String(validating: text.map(UInt8.init(bitPattern:)), as: UTF8.self) != nil,
    "the metadata's JSON is not UTF-8")
}

private func tokenize(_ model: OpaquePointer, vocabulary: UInt32) {
  let text: [UInt8] = Array("<s> ab [INST]\u{2581}é t7\n".utf8) + [0xff, 0x00, 0xe2]
  text.withUnsafeBytes { text in
    let text = text.assumingMemoryBound(to: CChar.self)
    for flags in 0..<UInt32(8) {
      var count = 0
      var tokens = [mixtral_token](repeating: -1, count: 64)
      let status = mixtral_tokenize(
        &count, &tokens, tokens.count, model, text.baseAddress, text.count, flags)
      // Most damaged vocabularies cannot spell every byte: INVALID_ARGUMENT.
      guard check(status, "mixtral_tokenize", allowed: [MIXTRAL_INVALID_ARGUMENT]) else { continue }
      tokens.removeLast(tokens.count - count)
      require(
        tokens.allSatisfy { $0 >= 0 && $0 < Int64(vocabulary) }, "a token beyond the vocabulary")
      var bytes = [CChar](repeating: 0, count: 4096)
      var size = 0
      check(
        mixtral_detokenize(&size, &bytes, bytes.count, model, tokens, count, flags & 3),
        "mixtral_detokenize", allowed: [MIXTRAL_BUFFER_TOO_SMALL])
    }
  }
}

private func step(_ model: OpaquePointer, _ info: mixtral_info, _ cache: Int) {
  var session: OpaquePointer?
  var options = mixtral_session_options()
  options.struct_size = UInt32(MemoryLayout<mixtral_session_options>.size)
  options.cache_type = UInt32(cache)
  let created = mixtral_session_create(&session, model, &options)
  guard check(created, "mixtral_session_create", allowed: [MIXTRAL_OUT_OF_MEMORY]) else { return }
  defer { check(mixtral_free(UnsafeMutableRawPointer(session)), "mixtral_free") }
  let tokens = (0..<3).map { mixtral_token(UInt32($0 * 7 + 1) % info.vocabulary) }
  let refusals = [MIXTRAL_NUMERIC, MIXTRAL_CONTEXT_FULL]
  guard check(mixtral_step(session, tokens, 3), "mixtral_step", allowed: refusals) else { return }
  var logits = [Float](repeating: .nan, count: Int(info.vocabulary))
  var count = 0
  check(mixtral_logits(&count, &logits, logits.count, session), "mixtral_logits")
  require(logits.allSatisfy(\.isFinite), "a logit is not finite, and the step was OK")
  var token: mixtral_token = -1
  check(mixtral_sample(&token, session, nil), "mixtral_sample")
  require(token >= 0 && token < Int64(info.vocabulary), "a sample beyond the vocabulary")
  check(mixtral_step(session, &token, 1), "mixtral_step", allowed: refusals)
}
