// Files that are well-formed GGUF and no model of ours: by their architecture, and by keys that are
// missing, of another type or of another architecture.
import Base
import Model
import Support
import Testing

private typealias Value = GGUFWriter.Value

@Suite("refused models: keys")
struct LoadErrorTests: LoadErrorSuite {
  let good = TinyModel.mixture.writer()

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
    for (key, value, allowed): (String, Value, String) in [
      ("attention.causal", .bool(false), "supported: none, true"),
      ("use_parallel_residual", .bool(true), "supported: none, false"),
      ("expert_gating_func", .uint32(2), "supported: none, 0, 1, 3"),
      ("residual_scale", .float32(0.22), "supported: none, 0.0, 1.0"),
    ] {
      refused("llama." + key, value, .unsupported, allowed)
    }
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
            _ = try Model.load(path: try #require(path.baseAddress), options: options)
          }
        }
        #expect(calls == stopAt + 1)
      }
    }
  }
}
