// Files whose layers, heads, widths, experts or context cannot be those of a model.
import Base
import Model
import Support
import Testing

@Suite("refused models: layers, heads, widths and experts")
struct ShapeLoadErrorTests: LoadErrorSuite {
  let good = TinyModel.mixture.writer()

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
}
