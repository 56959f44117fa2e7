// Files whose tensors are not those of the model that their keys describe: missing, foreign, of
// another shape or type.
import Base
import Formats
import Model
import Support
import Testing

@Suite("refused models: tensors")
struct TensorLoadErrorTests: LoadErrorSuite {
  let good = TinyModel.mixture.writer()

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

  @Test("more tokens than rows of the embedding")
  func vocabulary() {
    let pieces = (0..<42).map { "p\($0)" }
    refused("tokenizer.ggml.tokens", .texts(pieces), .malformed, "42", "41")
    refused("tokenizer.ggml.tokens", .texts([]), .malformed, "tokenizer.ggml.tokens")
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
}
