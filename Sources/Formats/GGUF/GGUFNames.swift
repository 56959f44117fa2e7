// How GGUF files of architecture `llama` spell the settings and tensors of a model. Source:
// ggml-org/llama.cpp `gguf-py/gguf/constants.py`.
import Base

extension GGUF {
  /// The keys, the names of tensors and the tokenizer.
  static let spelling = CheckpointSpelling(
    key: { key($0) }, tensor: { name($0) },
    tokenizer: { (metadata, rows) throws(EngineError) in try tokenizer(metadata, rows: rows) })

  private static func key(_ setting: Setting) -> String {
    switch setting {
    case .architecture: "general.architecture"
    case .quantizationVersion: "general.quantization_version"
    case .layers: "llama.block_count"
    case .hiddenWidth: "llama.embedding_length"
    case .heads: "llama.attention.head_count"
    case .kvHeads: "llama.attention.head_count_kv"
    case .keyWidth: "llama.attention.key_length"
    case .valueWidth: "llama.attention.value_length"
    case .feedForwardWidth: "llama.feed_forward_length"
    case .experts: "llama.expert_count"
    case .expertsPerToken: "llama.expert_used_count"
    case .contextLength: "llama.context_length"
    case .slidingWindow: "llama.attention.sliding_window"
    case .ropeBase: "llama.rope.freq_base"
    case .ropeWidth: "llama.rope.dimension_count"
    case .ropeScaling: "llama.rope.scaling.type"
    case .ropeFactor: "llama.rope.scaling.factor"
    case .ropeScale: "llama.rope.scale_linear"
    case .normEpsilon: "llama.attention.layer_norm_rms_epsilon"
    }
  }

  private static func name(_ role: TensorRole) -> String {
    switch role {
    case .tokenEmbedding: "token_embd.weight"
    case .outputNorm: "output_norm.weight"
    case .output: "output.weight"
    case .ropeFactors: "rope_freqs.weight"
    case .layer(let layer, let tensor): "blk.\(layer).\(name(tensor)).weight"
    case .experts(let layer, let tensor): "blk.\(layer).\(name(tensor))_exps.weight"
    case .expert(let layer, let tensor, let expert):
      "blk.\(layer).\(name(tensor)).\(expert).weight"
    }
  }

  private static func name(_ tensor: LayerTensor) -> String {
    switch tensor {
    case .attentionNorm: "attn_norm"
    case .query: "attn_q"
    case .key: "attn_k"
    case .value: "attn_v"
    case .attentionOutput: "attn_output"
    case .feedForwardNorm: "ffn_norm"
    case .router: "ffn_gate_inp"
    case .gate: "ffn_gate"
    case .up: "ffn_up"
    case .down: "ffn_down"
    }
  }
}
