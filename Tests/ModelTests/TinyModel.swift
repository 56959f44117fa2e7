// Whole models of a few kilobytes with random weights, of any shape and mixture of types, as files.
import Formats
import Support

/// A tensor's rows as the file has them; experts one after another.
struct TinyTensor {
  let name: String
  var type: TensorType
  /// The sizes, the contiguous one first.
  let dimensions: [Int]
  var rows: [[UInt8]]
}

/// The description of a model; `tensors()` makes its weights from the seed.
struct TinyModel {
  var layers = 2
  var hidden = 64
  var heads = 4
  var kvHeads = 2
  /// nil: hidden / heads, and the file does not say.
  var headWidth: Int?
  var feedForward = 96
  /// 0: dense.
  var experts = 4
  var used = 2
  /// No multiple of sixteen: the last panel is partly filled.
  var vocabulary = 41
  var context = 1000
  /// 0: the file does not say.
  var window = 0
  var tied = false
  /// Whether a role is one tensor, or one for each expert as in files before April 2024.
  var merged = true
  /// Types of the matrices in turn.
  var types: [TensorType] = [.q8_0, .f16, .q4_0, .f32, .q5_1]
  /// The type of the embedding and the output.
  var outer = TensorType.q8_0
  var seed: UInt64 = 1

  /// A Mixtral of the defaults.
  static let mixture = TinyModel()
  /// A Mistral of the same size.
  static let dense = TinyModel(experts: 0)
  /// Blocks of 256 columns in every role.
  static let wide = TinyModel(
    layers: 2, hidden: 256, feedForward: 256, experts: 3,
    types: [.q4_K, .q6_K, .q5_K, .q3_K, .q2_K, .q4_1, .q5_0, .bf16, .q8_0], outer: .q6_K)

  private var width: Int { headWidth ?? hidden / heads }

  /// All tensors, in the order of their names' first use.
  func tensors() -> [TinyTensor] {
    var random = SeededGenerator(seed: seed)
    var turn = 0
    func matrix(_ name: String, _ columns: Int, _ rows: Int, _ count: Int? = nil) -> TinyTensor {
      turn += 1
      let type = name.hasPrefix("blk") ? types[turn % types.count] : outer
      return tensor(name, type, [columns, rows] + (count.map { [$0] } ?? []), &random)
    }
    var all = [matrix("token_embd.weight", hidden, vocabulary)]
    for layer in 0..<layers {
      let prefix = "blk.\(layer)."
      all.append(vector(prefix + "attn_norm.weight", &random))
      all.append(matrix(prefix + "attn_q.weight", hidden, heads * width))
      all.append(matrix(prefix + "attn_k.weight", hidden, kvHeads * width))
      all.append(matrix(prefix + "attn_v.weight", hidden, kvHeads * width))
      all.append(matrix(prefix + "attn_output.weight", heads * width, hidden))
      all.append(vector(prefix + "ffn_norm.weight", &random))
      if experts > 0 {
        all.append(tensor(prefix + "ffn_gate_inp.weight", .f32, [hidden, experts], &random))
      }
      let count = experts > 0 ? experts : nil
      let suffix = experts > 0 ? "_exps.weight" : ".weight"
      all.append(matrix(prefix + "ffn_gate" + suffix, hidden, feedForward, count))
      all.append(matrix(prefix + "ffn_up" + suffix, hidden, feedForward, count))
      all.append(matrix(prefix + "ffn_down" + suffix, feedForward, hidden, count))
    }
    all.append(vector("output_norm.weight", &random))
    if !tied { all.append(matrix("output.weight", hidden, vocabulary)) }
    return all
  }

  private func tensor(
    _ name: String, _ type: TensorType, _ dimensions: [Int], _ random: inout SeededGenerator
  ) -> TinyTensor {
    // Plain values and the scales of blocks so that a product of a row keeps its size about.
    let plain = BlockParts.of(type) == nil
    let scale: Float = plain ? 0.25 : type == .q8_0 ? 0.002 : dimensions[0] >= 256 ? 0.002 : 0.02
    let rows = (0..<dimensions.dropFirst().reduce(1, *)).map { _ in
      BlockSample.random(scale: scale).row(type, columns: dimensions[0], using: &random)
    }
    return TinyTensor(name: name, type: type, dimensions: dimensions, rows: rows)
  }

  private func vector(_ name: String, _ random: inout SeededGenerator) -> TinyTensor {
    let values = (0..<hidden).map { _ in Float.random(in: 0.5...1.5, using: &random) }
    return TinyTensor(
      name: name, type: .f32, dimensions: [hidden], rows: [floatBytes(values)])
  }

  /// The keys and these tensors as a file.
  func writer(_ tensors: [TinyTensor]) -> GGUFWriter {
    var writer = GGUFWriter()
    writer.add("general.architecture", .text("llama"))
    writer.add("llama.block_count", .uint32(UInt32(layers)))
    writer.add("llama.context_length", .uint32(UInt32(context)))
    writer.add("llama.embedding_length", .uint32(UInt32(hidden)))
    writer.add("llama.feed_forward_length", .uint32(UInt32(feedForward)))
    writer.add("llama.attention.head_count", .uint32(UInt32(heads)))
    writer.add("llama.attention.head_count_kv", .uint32(UInt32(kvHeads)))
    writer.add("llama.attention.layer_norm_rms_epsilon", .float32(1e-5))
    writer.add("llama.rope.freq_base", .float32(10_000))
    if let headWidth {
      writer.add("llama.attention.key_length", .uint32(UInt32(headWidth)))
      writer.add("llama.attention.value_length", .uint32(UInt32(headWidth)))
    }
    if window > 0 { writer.add("llama.attention.sliding_window", .uint32(UInt32(window))) }
    if experts > 0 {
      writer.add("llama.expert_count", .uint32(UInt32(experts)))
      writer.add("llama.expert_used_count", .uint32(UInt32(used)))
    }
    let pieces = ["<unk>", "<s>", "</s>"] + (3..<vocabulary).map { "t\($0)" }
    writer.add("tokenizer.ggml.model", .text("llama"))
    writer.add("tokenizer.ggml.tokens", .texts(pieces))
    writer.add("tokenizer.ggml.scores", .floats(pieces.indices.map { -Float($0) }))
    writer.add(
      "tokenizer.ggml.token_type",
      .int32s(pieces.indices.map { $0 == 0 ? 2 : $0 < 3 ? 3 : 1 }))
    for tensor in tensors { add(tensor, to: &writer) }
    return writer
  }

  /// The whole model as a file.
  func writer() -> GGUFWriter { writer(tensors()) }

  private func add(_ tensor: TinyTensor, to writer: inout GGUFWriter) {
    guard !merged, tensor.dimensions.count == 3 else {
      writer.addTensor(
        tensor.name, tensor.type, tensor.dimensions, bytes: Array(tensor.rows.joined()))
      return
    }
    let count = tensor.dimensions[1]
    for expert in 0..<tensor.dimensions[2] {
      let role = tensor.name.split(separator: "_exps")[0]
      writer.addTensor(
        "\(role).\(expert).weight", tensor.type, Array(tensor.dimensions.prefix(2)),
        bytes: Array(tensor.rows[expert * count..<(expert + 1) * count].joined()))
    }
  }
}

/// Single floats as a file has them.
func floatBytes(_ values: [Float]) -> [UInt8] {
  var builder = ByteBuilder()
  for value in values { builder.integer(value.bitPattern) }
  return builder.bytes
}

extension GGUFWriter {
  /// Replaces a key's value, or with nil removes the key.
  mutating func set(_ key: String, _ value: Value?) {
    let name = Array(key.utf8)
    keys.removeAll { $0.key == name }
    if let value { keys.append((name, value)) }
  }

  /// Removes a tensor.
  mutating func removeTensor(_ name: String) {
    tensors.removeAll { $0.name == Array(name.utf8) }
  }

  /// Gives a tensor another shape, filled with zeros as single floats.
  mutating func reshape(_ name: String, _ dimensions: [Int]) {
    guard let index = tensors.firstIndex(where: { $0.name == Array(name.utf8) }) else { return }
    tensors[index] = Tensor(
      name: Array(name.utf8), type: TensorType.f32.rawValue,
      dimensions: dimensions.map { UInt64($0) },
      bytes: [UInt8](repeating: 0, count: dimensions.reduce(4, *)))
  }
}
