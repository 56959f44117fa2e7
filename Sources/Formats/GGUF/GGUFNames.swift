// How GGUF files of architecture `llama` spell the settings and tensors of a model. Source:
// ggml-org/llama.cpp `gguf-py/gguf/constants.py`.
import Base

extension GGUF {
  /// The keys, the names of tensors and the tokenizer.
  static let spelling = CheckpointSpelling(
    key: { key($0) }, tensor: { name($0) },
    isBeside: { isBeside($0) }, foreign: foreign,
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
    case .windowPattern: "llama.attention.sliding_window_pattern"
    case .ropeBase: "llama.rope.freq_base"
    case .ropeWidth: "llama.rope.dimension_count"
    case .ropeScaling: "llama.rope.scaling.type"
    case .ropeFactor: "llama.rope.scaling.factor"
    case .ropeScale: "llama.rope.scale_linear"
    case .ropeMagnitude: "llama.rope.scaling.attn_factor"
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
    case .bias(let layer, let tensor): "blk.\(layer).\(name(tensor)).bias"
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

  /// Towers for images (and what joins them to the model) and sound, and frequencies that
  /// converters once wrote out for every layer.
  static func isBeside(_ name: String) -> Bool {
    name.hasPrefix("v.") || name.hasPrefix("mm.") || name.hasPrefix("a.")
      || name.hasPrefix("blk.") && name.hasSuffix(".attn_rot_embd.weight")
  }

  /// Keys that readers of other architectures compute with.
  private static let foreign = [
    ForeignKey("llama.attention.causal", 1), ForeignKey("llama.attention.scale", 0),
    ForeignKey("llama.attention.clamp_kqv", 0), ForeignKey("llama.attention.max_alibi_bias", 0),
    ForeignKey("llama.attention.temperature_scale", 0),
    ForeignKey("llama.attention.shared_kv_layers", 0),
    ForeignKey("llama.attn_logit_softcapping", 0), ForeignKey("llama.final_logit_softcapping", 0),
    ForeignKey("llama.router_logit_softcapping", 0), ForeignKey("llama.residual_scale", 0, 1),
    ForeignKey("llama.embedding_scale", 0, 1), ForeignKey("llama.logit_scale", 0, 1),
    ForeignKey("llama.use_parallel_residual", 0), ForeignKey("llama.rope.dimension_sections"),
    ForeignKey("llama.expert_shared_count", 0), ForeignKey("llama.expert_weights_scale", 0, 1),
    ForeignKey("llama.expert_weights_norm", 1),
    // Softmax before or after the choice: renormalised, both are the same.
    ForeignKey("llama.expert_gating_func", 0, 1, 3), ForeignKey("llama.expert_group_count", 0, 1),
    ForeignKey("llama.expert_group_used_count", 0, 1),
    ForeignKey("llama.leading_dense_block_count", 0),
    ForeignKey("llama.interleave_moe_layer_step", 0, 1),
    ForeignKey("llama.moe_every_n_layers", 0, 1), ForeignKey("llama.nextn_predict_layers", 0),
  ]
}
