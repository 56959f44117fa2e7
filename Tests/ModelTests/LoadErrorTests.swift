// Files that are well-formed GGUF and no model of ours: kind and gist of every refusal, one change
// to a good file at a time.
import Base
import Formats
import Kernels
import Model
import Support
import Testing

private typealias Value = GGUFWriter.Value

@Suite("refused models")
struct LoadErrorTests {
  private let good = TinyModel.mixture.writer()

  /// Expects a refusal of a good file with one key changed.
  private func refused(
    _ key: String, _ value: Value?, _ kind: EngineError.Kind, _ words: String...,
    location: SourceLocation = #_sourceLocation
  ) {
    var writer = good
    writer.set(key, value)
    expectError(kind, words, "\(key) \(String(describing: value))", location: location) {
      _ = try load(writer)
    }
  }

  private func accepted(_ key: String, _ value: Value?) throws -> Model {
    var writer = good
    writer.set(key, value)
    return try load(writer)
  }

  @Test("the good file loads and steps")
  func goodFile() throws {
    let model = try load(good)
    #expect(model.size.unusedTensors == 0)
    #expect(model.vocabulary == 41)
    #expect(try model.session().step([1, 2, 3]).count == 41)
  }

  @Test("architecture: missing, another one, of a wrong type")
  func architecture() {
    refused("general.architecture", nil, .malformed, "'general.architecture' is missing")
    refused("general.architecture", .text("gpt2"), .unsupported, "'gpt2'", "'llama'")
    refused("general.architecture", .text("LLAMA"), .unsupported, "'LLAMA'")
    refused("general.architecture", .uint32(1), .malformed, "general.architecture")
    refused("general.architecture", .text("clip"), .unsupported, "'clip', a tower for images")
    refused("general.quantization_version", .uint32(3), .unsupported, "is 3")
  }

  @Test(
    "a needed key that is missing is named",
    arguments: [
      "llama.block_count", "llama.embedding_length", "llama.attention.head_count",
      "llama.feed_forward_length", "llama.attention.layer_norm_rms_epsilon",
      "llama.context_length", "tokenizer.ggml.tokens", "tokenizer.ggml.model",
    ])
  func missingKey(key: String) {
    refused(key, nil, .malformed, key)
  }

  @Test("numbers of any integer type are read; other types and negative ones are refused")
  func integerTypes() throws {
    let expected = try load(good).session().step([1, 2, 3])
    let key = "llama.block_count"
    for value in [
      Value.uint8(2), .int8(2), .uint16(2), .int16(2), .uint32(2), .int32(2), .uint64(2), .int64(2),
    ] { #expect(try accepted(key, value).session().step([1, 2, 3]) == expected) }
    for value in [
      Value.int32(-2), .int8(-1), .float32(2), .float64(7.5), .text("2"), .bool(true),
      .int64(.min), .uint64(.max),
    ] { refused(key, value, .malformed, key) }
  }

  @Test("a number a layer is read when all are equal")
  func perLayer() throws {
    let key = "llama.attention.head_count"
    let expected = try load(good).session().step([1, 2, 3])
    let equal = Value.array(.uint32, [.uint32(4), .uint32(4)])
    #expect(try accepted(key, equal).session().step([1, 2, 3]) == expected)
    refused(key, .array(.uint32, [.uint32(4), .uint32(2)]), .unsupported, key, "layer 1")
    refused(key, .array(.int32, [.int32(-4), .int32(-4)]), .malformed, key, "-4")
    refused(key, .array(.uint32, []), .malformed, key)
    refused(key, .texts(["4", "4"]), .malformed, key)
  }

  @Test("every tensor that is missing is named")
  func missingTensor() throws {
    for tensor in TinyModel.mixture.tensors() {
      var writer = good
      writer.removeTensor(tensor.name)
      if tensor.name == "output.weight" {
        let model = try load(writer)
        #expect(model.size.tiedEmbeddings)
        #expect(try model.session().step([1]).count == 41)
        continue
      }
      expectError(.malformed, [tensor.name]) { _ = try load(writer) }
    }
    var dense = TinyModel.dense.writer()
    dense.removeTensor("blk.1.ffn_up.weight")
    expectError(.malformed, ["'blk.1.ffn_up.weight'"]) { _ = try load(dense) }
  }

  @Test("towers beside the model are counted and change nothing, whatever type they have")
  func towers() throws {
    var writer = good
    writer.addTensor("a.conv1d.weight", [3], floats: [1, 2, 3])
    writer.addTensor("mm.linear_1.weight", [2], floats: [1, 2])
    writer.addTensor("v.patch.weight", [2, 2], floats: [1, 2, 3, 4])
    writer.addTensor("blk.0.attn_rot_embd.weight", [2], floats: [1, 2])
    writer.addTensor(
      "v.blk.0.attn_q.weight", TensorType(rawValue: 999), [4], bytes: [1, 2, 3, 4])
    let model = try load(writer)
    #expect(model.size.unusedTensors == 5)
    #expect(try model.session().step([1, 2]) == load(good).session().step([1, 2]))
  }

  @Test(
    "a tensor that would change the answers is refused by name",
    arguments: [
      "blk.0.attn_sinks.weight", "blk.0.attn_q_norm.weight", "blk.1.attn_k_norm.weight",
      "blk.0.attn_norm.bias", "blk.0.post_attention_norm.weight", "blk.0.ffn_gate_inp.bias",
      "blk.0.exp_probs_b.bias", "blk.0.ffn_gate.bias", "blk.0.ffn_up_exps.bias",
      "blk.0.attn_q.scale", "blk.0.ffn_down_exps.scale", "blk.0.ffn_gate_shexp.weight",
      "blk.2.attn_norm.weight", "output.bias", "output_norm.bias", "position_embd.weight",
      "token_embd_norm.weight", "rope_factors_long.weight", "vv.weight", "my\u{1b}tensor",
    ])
  func foreignTensor(name: String) {
    var writer = good
    writer.addTensor(name, [64], floats: [Float](repeating: 0, count: 64))
    expectError(.unsupported, [quoted(name), "'llama' with 2 layers"]) { _ = try load(writer) }
  }

  @Test("keys that change the computation of other architectures are refused by name")
  func foreignKeys() throws {
    let changing: [(String, Value)] = [
      ("attention.causal", .bool(false)), ("attention.scale", .float32(0.5)),
      ("attention.clamp_kqv", .float32(8)), ("attention.max_alibi_bias", .float64(8)),
      ("attention.temperature_scale", .float32(0.1)), ("attn_logit_softcapping", .float32(50)),
      ("final_logit_softcapping", .float32(30)), ("logit_scale", .float32(.nan)),
      ("residual_scale", .float32(0.22)), ("embedding_scale", .uint32(12)),
      ("use_parallel_residual", .bool(true)), ("expert_shared_count", .uint32(1)),
      ("expert_gating_func", .uint32(2)), ("expert_weights_norm", .bool(false)),
      ("expert_weights_scale", .float32(2.5)), ("leading_dense_block_count", .int32(-1)),
      ("rope.dimension_sections", .int32s([16, 24, 24, 0])), ("logit_scale", .text("1")),
    ]
    for (key, value) in changing { refused("llama." + key, value, .unsupported, "llama." + key) }
    var writer = good
    for (key, value): (String, Value) in [
      ("attention.causal", .bool(true)), ("attention.scale", .float32(0)),
      ("logit_scale", .float32(1)), ("expert_gating_func", .uint32(1)),
      ("attention.temperature_scale", .float32(0)), ("vocab_size", .uint32(41)),
      ("rope.scaling.finetuned", .bool(true)), ("vision.block_count", .uint32(3)),
    ] { writer.set("llama." + key, value) }
    #expect(try load(writer).session().step([1, 2]) == load(good).session().step([1, 2]))
  }

  @Test("the version of quantisation is asked only where there are blocks")
  func quantizationVersion() throws {
    let floats = TinyModel(types: [.f16, .f32], outer: .f16)
    var writer = floats.writer()
    writer.set("general.quantization_version", .uint32(9))
    #expect(try load(writer).session().step([1, 2]) == load(floats).session().step([1, 2]))
  }

  @Test("every wrong shape is refused with both shapes")
  func shapes() {
    for tensor in TinyModel.mixture.tensors() {
      let right = tensor.dimensions
      var wrong = right.indices.map { axis in
        right.enumerated().map { $0.offset == axis ? $0.element + 1 : $0.element }
      }
      wrong.append(right.map { $0 == right[0] ? 1 : $0 })
      if right.count > 1 {
        if right[0] != right[1] { wrong.append([right[1], right[0]] + right.dropFirst(2)) }
        wrong.append([right.reduce(1, *)])
      }
      wrong.append(right + Array(repeating: 1, count: 3 - right.count) + [2])
      for shape in wrong where shape.count <= 4 {
        // The embedding says how many tokens there are; more rows than tokens are padding.
        if tensor.name == "token_embd.weight", shape == [64, 42] { continue }
        var writer = good
        writer.reshape(tensor.name, shape)
        expectError(.malformed, ["token_embd" == tensor.name ? "" : tensor.name], "\(shape)") {
          _ = try load(writer)
        }
      }
    }
  }

  @Test("more rows of the embedding than tokens are padding, if the output has them too")
  func paddedVocabulary() throws {
    var writer = good
    writer.reshape("token_embd.weight", [64, 42])
    expectError(.malformed, ["output.weight", "64 x 41", "64 x 42"]) { _ = try load(writer) }
    writer.reshape("output.weight", [64, 42])
    #expect(try load(writer).vocabulary == 42)
  }

  @Test("types without kernels are named with their tensor")
  func unsupportedType() {
    var writer = good
    writer.removeTensor("blk.0.attn_q.weight")
    writer.addTensor(
      "blk.0.attn_q.weight", .mxfp4, [64, 64], bytes: [UInt8](repeating: 0, count: 64 * 34))
    expectError(.unsupported, ["'blk.0.attn_q.weight'", "MXFP4", "Q4_K"]) {
      _ = try load(writer)
    }
    writer = good
    writer.removeTensor("output_norm.weight")
    writer.addTensor(
      "output_norm.weight", .q8_0, [64], bytes: [UInt8](repeating: 0, count: 68))
    expectError(.unsupported, ["'output_norm.weight'", "Q8_0", "F32"]) { _ = try load(writer) }
  }

  @Test("layers: none, too many, more or fewer than there are")
  func layers() throws {
    refused("llama.block_count", .uint32(0), .malformed, "is 0", "1..512")
    refused("llama.block_count", .uint32(513), .malformed, "is 513", "1..512")
    refused("llama.block_count", .uint32(3), .malformed, "'blk.2.attn_norm.weight' is missing")
    refused("llama.block_count", .uint32(1), .unsupported, "'blk.1.", "with 1 layers")
  }

  @Test("heads that divide nothing")
  func heads() {
    let head = "llama.attention.head_count"
    refused(head, .uint32(0), .malformed, "is 0")
    refused(head, .uint32(1025), .malformed, "1025")
    refused(head, .uint32(5), .malformed, "5")
    let kv = "llama.attention.head_count_kv"
    refused(kv, .uint32(0), .malformed, "is 0")
    refused(kv, .uint32(3), .malformed, "3", "4")
    refused(kv, .uint32(8), .malformed, "8", "4")
    let key = "llama.attention.key_length"
    for bad: UInt32 in [0, 1 << 31, 1026] { refused(key, .uint32(bad), .malformed, "\(bad)") }
    refused(key, .uint32(15), .malformed, "15", "even")
    refused(key, .uint32(32), .malformed, "attn_q.weight")
    var writer = good
    writer.set(key, .uint32(16))
    writer.set("llama.attention.value_length", .uint32(32))
    expectError(.unsupported, ["16", "32"]) { _ = try load(writer) }
  }

  @Test("a width that is no multiple of the heads needs the heads' width")
  func widths() {
    var writer = good
    writer.set("llama.embedding_length", .uint32(66))
    expectError(.malformed, ["66", "4", "key_length"]) { _ = try load(writer) }
    refused("llama.embedding_length", .uint32(0), .malformed, "is 0")
    refused("llama.embedding_length", .uint32(1_048_577), .malformed, "1048577")
    refused("llama.feed_forward_length", .uint32(0), .malformed, "is 0")
    refused("llama.feed_forward_length", .uint32(95), .malformed, "96", "95")
  }

  @Test("experts: too many, negative, none used, more used than there are")
  func experts() {
    let count = "llama.expert_count"
    refused(count, .uint32(513), .malformed, "513")
    refused(count, .int32(-1), .malformed, "-1")
    refused(count, .uint32(5), .malformed, "ffn_gate_inp.weight")
    let used = "llama.expert_used_count"
    refused(used, .uint32(0), .malformed, "is 0", "1..4")
    refused(used, .uint32(5), .malformed, "is 5", "1..4")
    refused(used, nil, .malformed, used)
  }

  @Test("one expert, with a router or as a dense layer, is a dense layer")
  func oneExpert() throws {
    let one = TinyModel(experts: 1, used: 1).writer()
    let expected = try load(one).session().stepEvery([1, 2, 3, 4])
    var dense = one
    for layer in 0..<2 { dense.removeTensor("blk.\(layer).ffn_gate_inp.weight") }
    for index in dense.tensors.indices {
      let name = String(decoding: dense.tensors[index].name, as: UTF8.self)
      guard let part = name.split(separator: "_exps").first, part != name[...] else { continue }
      dense.tensors[index].name = Array("\(part).weight".utf8)
      dense.tensors[index].dimensions.removeLast()
    }
    #expect(try load(dense).session().stepEvery([1, 2, 3, 4]) == expected)
    dense.set("llama.expert_count", nil)
    dense.set("llama.expert_used_count", nil)
    #expect(try load(dense).session().stepEvery([1, 2, 3, 4]) == expected)
  }

  @Test("one missing expert of the older layout is named")
  func olderLayout() throws {
    var tiny = TinyModel.mixture
    tiny.merged = false
    for name in ["blk.0.ffn_gate.0", "blk.1.ffn_up.2", "blk.0.ffn_down.3"] {
      var writer = tiny.writer()
      writer.removeTensor(name + ".weight")
      expectError(.malformed, ["'\(name).weight' is missing"]) { _ = try load(writer) }
    }
    // Both layouts at once: which of them counts cannot be known.
    var both = tiny.writer()
    for tensor in good.tensors where String(decoding: tensor.name, as: UTF8.self).contains("_exps")
    { both.tensors.append(tensor) }
    expectError(.malformed, ["'blk.0.ffn_gate_exps.weight' and 'blk.0.ffn_gate.0.weight'"]) {
      _ = try load(both)
    }
  }

  @Test("rotary numbers")
  func rotary() throws {
    let width = "llama.rope.dimension_count"
    refused(width, .uint32(0), .malformed, "is 0")
    refused(width, .uint32(7), .malformed, "is 7", "even")
    refused(width, .uint32(18), .malformed, "is 18", "16")
    let expected = try load(good).session().step([1, 2, 3])
    #expect(try accepted(width, .uint32(16)).session().step([1, 2, 3]) == expected)
    #expect(try accepted(width, .uint32(8)).session().step([1, 2, 3]) != expected)
    let base = "llama.rope.freq_base"
    for bad: Float in [0, -1, .nan, .infinity, -.infinity] {
      refused(base, .float32(bad), .malformed, base)
    }
    #expect(try accepted(base, nil).session().step([1, 2, 3]) == expected)
    refused("llama.rope.scaling.type", .text("yarn"), .unsupported, "'yarn'", "'linear'")
    #expect(
      try accepted("llama.rope.scaling.type", .text("none")).session().step([1, 2, 3]) == expected)
    for bad: Float in [-2, .nan, .infinity] {
      var writer = good
      writer.set("llama.rope.scaling.type", .text("linear"))
      writer.set("llama.rope.scaling.factor", .float32(bad))
      expectError(.malformed, ["llama.rope.scaling.factor"], "\(bad)") { _ = try load(writer) }
    }
    let magnitude = "llama.rope.scaling.attn_factor"
    for bad: Float in [0, -1, .nan, .infinity] {
      refused(magnitude, .float32(bad), .malformed, magnitude)
    }
    #expect(try accepted(magnitude, .float32(1)).session().step([1, 2, 3]) == expected)
    #expect(try accepted(magnitude, .float32(1.25)).session().step([1, 2, 3]) != expected)
  }

  @Test("spellings of linear scaling: the type may be missing, the factor's name be the old one")
  func linearScaling() throws {
    func logits(_ keys: (String, Value)...) throws -> Bits {
      var writer = good
      for (key, value) in keys { writer.set("llama.rope." + key, value) }
      return try load(writer).session().step([1, 2, 3])
    }
    let plain = try logits()
    let scaled = try logits(("scaling.type", .text("linear")), ("scaling.factor", .float32(4)))
    #expect(scaled != plain)
    #expect(try logits(("scaling.factor", .float32(4))) == scaled)
    #expect(try logits(("scale_linear", .float32(4))) == scaled)
    #expect(try logits(("scaling.type", .text("linear")), ("scale_linear", .float32(4))) == scaled)
    #expect(
      try logits(("scaling.factor", .float32(4)), ("scale_linear", .float32(2))) == scaled)
    #expect(try logits(("scaling.factor", .float32(0)), ("scale_linear", .float32(2))) == plain)
    #expect(try logits(("scaling.type", .text("linear"))) == plain)
    #expect(try logits(("scaling.type", .text("none")), ("scaling.factor", .float32(4))) == plain)
    #expect(try logits(("scaling.type", .text("none")), ("scale_linear", .float32(4))) == plain)
    // What nobody reads cannot be wrong.
    #expect(try logits(("scaling.type", .text("none")), ("scaling.factor", .float32(-2))) == plain)
  }

  @Test("the norm's epsilon lies between 0 and 1")
  func epsilon() {
    for bad: Float in [.nan, -1e-5, 0, 1, 1e30, .infinity] {
      let key = "llama.attention.layer_norm_rms_epsilon"
      refused(key, .float32(bad), .malformed, key)
    }
  }

  @Test("a context of 0 is refused; one of any size costs nothing")
  func context() throws {
    refused("llama.context_length", .uint32(0), .malformed, "is 0")
    let model = try accepted("llama.context_length", .uint32(.max))
    let session = try model.session()
    #expect(session.context == 16 * 1024 * 1024)
    #expect(session.cacheByteCount == 0)
  }

  @Test("a sliding window of any number is read; of another type it is refused")
  func window() throws {
    let key = "llama.attention.sliding_window"
    #expect(try accepted(key, .uint32(0)).shape.slidingWindow == 0)
    #expect(try accepted(key, .uint32(4096)).shape.slidingWindow == 4096)
    refused(key, .text("4096"), .malformed, key)
    refused(key, .int32(-1), .malformed, key)
  }

  @Test("windows of some layers alone are refused; a pattern of all or none is read")
  func windowPattern() throws {
    let key = "llama.attention.sliding_window_pattern"
    func window(_ pattern: Value, _ width: UInt32 = 7, _ loading: Loading = Loading()) throws -> Int
    {
      var writer = good
      writer.set("llama.attention.sliding_window", .uint32(width))
      writer.set(key, pattern)
      return try load(writer, loading).shape.slidingWindow
    }
    func bools(_ values: Bool...) -> Value { .array(.bool, values.map(Value.bool)) }
    #expect(try window(bools(true, true)) == 7)
    #expect(try window(bools(false, false)) == 0)
    #expect(try window(.uint32(0)) == 7)
    #expect(try window(.uint32(1)) == 0)
    // Of two layers, the third would be the first without.
    #expect(try window(.uint32(3)) == 7)
    for mixed in [bools(true, false), bools(false, true), .uint32(2)] {
      expectError(.unsupported, [key, "1 of 2 layers"]) { _ = try window(mixed) }
      // Without a window, and with one of the caller's, the pattern says nothing.
      #expect(try window(mixed, 0) == 0)
      #expect(try window(mixed, 7, Loading(window: -1)) == 0)
      #expect(try window(mixed, 7, Loading(window: 5)) == 5)
    }
    expectError(.malformed, [key, "3 entries", "2"]) { _ = try window(bools(true, true, true)) }
    expectError(.malformed, [key]) { _ = try window(.text("all")) }
  }

  @Test("more tokens than rows of the embedding")
  func vocabulary() {
    let pieces = (0..<42).map { "p\($0)" }
    refused("tokenizer.ggml.tokens", .texts(pieces), .malformed, "42", "41")
    refused("tokenizer.ggml.tokens", .texts([]), .malformed, "tokenizer.ggml.tokens")
  }

  @Test("a callback that says so stops a load")
  func stopped() throws {
    try withTemporaryDirectory { directory in
      let path = "\(directory)/model.gguf"
      try good.write(to: path)
      let path8 = Array(path.utf8CString)
      for stopAt in [0, 1, 5] {
        var options = Loading(threads: 2).options
        var calls = 0
        var last: UInt64 = 0
        options.progress = { done, total in
          #expect(done >= last && done <= total)
          last = done
          calls += 1
          return calls > stopAt
        }
        expectError(.cancelled) {
          try path8.withUnsafeBufferPointer { path in
            _ = try Model(path: try #require(path.baseAddress), options: options)
          }
        }
        #expect(calls == stopAt + 1)
      }
    }
  }
}
