// The numbers of a model, read from the metadata of its file and checked against each other:
// whatever the forward pass divides by or indexes with has a lower and an upper bound here. (The
// `max(1, …)` before a division tells the compiler so, too.)
import Base
import Formats
import Forward

extension Hyperparameters {
  /// Reads and checks the metadata.
  ///
  /// `slidingWindow` overrides the file: 0 keeps it, -1 switches the window off. `expertsPerToken`
  /// 0 keeps the file's number.
  package init(
    _ metadata: GGUFMetadata, slidingWindow window: Int64, expertsPerToken used: Int
  ) throws(EngineError) {
    try Self.checkArchitecture(metadata)
    let layers = try Self.required(metadata, "llama.block_count", 1...512)
    let hiddenWidth = try Self.required(metadata, "llama.embedding_length", 1...1_048_576)
    let heads = try Self.required(metadata, "llama.attention.head_count", 1...1024)
    let kvHeads =
      try Self.optional(metadata, "llama.attention.head_count_kv", 1...1024) ?? heads
    guard heads.isMultiple(of: kvHeads) else {
      throw EngineError(
        .malformed,
        "key 'llama.attention.head_count_kv' is \(kvHeads), "
          + "which does not divide the \(heads) heads"
      )
    }
    let headWidth = try Self.headWidth(metadata, hiddenWidth: hiddenWidth, heads: heads)
    let feedForwardWidth = try Self.required(metadata, "llama.feed_forward_length", 1...1_048_576)
    let experts = try Self.optional(metadata, "llama.expert_count", 0...512) ?? 0
    guard experts != 1 else {
      throw EngineError(.malformed, "key 'llama.expert_count' is 1; allowed 0, 2..512")
    }
    let expertsPerToken = try Self.expertsPerToken(metadata, experts: experts, override: used)
    let contextLength = try Self.required(metadata, "llama.context_length", 1...4_294_967_295)
    let slidingWindow = try Self.slidingWindow(metadata, override: window)
    let ropeBase = try metadata.float("llama.rope.freq_base") ?? 10_000
    guard ropeBase.isFinite, ropeBase > 0 else {
      throw EngineError(
        .malformed, "key 'llama.rope.freq_base' is \(ropeBase); allowed > 0, finite")
    }
    let ropeWidth =
      try Self.optional(metadata, "llama.rope.dimension_count", 1...1024) ?? headWidth
    guard ropeWidth % 2 == 0, ropeWidth <= headWidth else {
      throw EngineError(
        .malformed,
        "key 'llama.rope.dimension_count' is \(ropeWidth); allowed an even number 2..\(headWidth)")
    }
    let ropeFactor = try Self.ropeFactor(metadata)
    guard let epsilon = try metadata.float("llama.attention.layer_norm_rms_epsilon") else {
      throw EngineError(
        .malformed, "key 'llama.attention.layer_norm_rms_epsilon' is missing")
    }
    guard epsilon > 0, epsilon < 1 else {
      throw EngineError(
        .malformed,
        "key 'llama.attention.layer_norm_rms_epsilon' is \(epsilon); allowed above 0, below 1")
    }
    self.init(
      layers: layers, hiddenWidth: hiddenWidth, heads: heads, kvHeads: kvHeads,
      headWidth: headWidth, feedForwardWidth: feedForwardWidth, experts: experts,
      expertsPerToken: expertsPerToken, contextLength: contextLength, slidingWindow: slidingWindow,
      ropeBase: ropeBase, ropeWidth: ropeWidth, ropeFactor: ropeFactor, normEpsilon: epsilon)
  }

  private static func checkArchitecture(_ metadata: GGUFMetadata) throws(EngineError) {
    guard let architecture = try metadata.string("general.architecture") else {
      throw EngineError(.malformed, "key 'general.architecture' is missing")
    }
    guard architecture == "llama" else {
      throw EngineError(
        .unsupported,
        "architecture is \(quoted(architecture)); supported is 'llama' (Mistral, Mixtral)")
    }
    if let version = try metadata.unsigned(
      "general.quantization_version", in: 0...UInt64(UInt32.max)), version > 2
    {
      throw EngineError(
        .unsupported, "key 'general.quantization_version' is \(version); supported 0..2")
    }
  }

  private static func required(
    _ metadata: GGUFMetadata, _ key: String, _ range: ClosedRange<UInt64>
  ) throws(EngineError) -> Int {
    guard let value = try optional(metadata, key, range) else {
      throw EngineError(.malformed, "key '\(key)' is missing")
    }
    return value
  }

  /// One number, or a list of one number a layer when all are equal.
  private static func optional(
    _ metadata: GGUFMetadata, _ key: String, _ range: ClosedRange<UInt64>
  ) throws(EngineError) -> Int? {
    guard case .array? = metadata.value(key) else {
      guard let value = try metadata.unsigned(key, in: range) else { return nil }
      return Int(clamping: value)
    }
    guard let list = try metadata.integers(key), list.count > 0 else {
      throw EngineError(.malformed, "key '\(key)' is an empty list; allowed a number")
    }
    let first = list.integer(0)
    var i = 1
    while i < list.count {
      guard list.integer(i) == first else {
        throw EngineError(
          .unsupported,
          "key '\(key)' is \(first) in layer 0 and \(list.integer(i)) in layer \(i); "
            + "supported one number"
        )
      }
      i &+= 1
    }
    guard let value = UInt64(exactly: first), range.contains(value) else {
      throw EngineError(
        .malformed,
        "key '\(key)' is \(first); allowed \(range.lowerBound)..\(range.upperBound)")
    }
    return Int(clamping: value)
  }

  private static func headWidth(
    _ metadata: GGUFMetadata, hiddenWidth: Int, heads: Int
  ) throws(EngineError) -> Int {
    let key = try optional(metadata, "llama.attention.key_length", 1...1024)
    let value = try optional(metadata, "llama.attention.value_length", 1...1024)
    if let key, let value, key != value {
      throw EngineError(
        .unsupported, "keys of width \(key) and values of width \(value); supported equal widths")
    }
    if key == nil, value == nil, !hiddenWidth.isMultiple(of: heads) {
      throw EngineError(
        .malformed,
        "embedding length \(hiddenWidth) is no multiple of the \(heads) heads, and "
          + "'llama.attention.key_length' is missing")
    }
    let width = key ?? value ?? hiddenWidth / max(1, heads)
    guard width % 2 == 0, width >= 2, width <= 1024 else {
      throw EngineError(.malformed, "head width is \(width); allowed an even number 2..1024")
    }
    return width
  }

  private static func expertsPerToken(
    _ metadata: GGUFMetadata, experts: Int, override: Int
  ) throws(EngineError) -> Int {
    let inFile = try optional(metadata, "llama.expert_used_count", 0...512) ?? 0
    guard experts > 0 else {
      guard override == 0 else {
        throw EngineError(
          .invalidArgument, "experts_used is \(override); the model is dense, allowed 0")
      }
      return 0
    }
    if override > 0 {
      guard override <= experts else {
        throw EngineError(
          .invalidArgument, "experts_used is \(override); allowed 0..\(experts)")
      }
      return override
    }
    guard inFile >= 1, inFile <= experts else {
      throw EngineError(
        .malformed, "key 'llama.expert_used_count' is \(inFile); allowed 1..\(experts)")
    }
    return inFile
  }

  private static func slidingWindow(
    _ metadata: GGUFMetadata, override: Int64
  ) throws(EngineError) -> Int {
    if override == -1 { return 0 }
    if override > 0 { return Int(clamping: override) }
    return try optional(
      metadata, "llama.attention.sliding_window", 0...UInt64(UInt32.max)) ?? 0
  }

  private static func ropeFactor(_ metadata: GGUFMetadata) throws(EngineError) -> Float {
    let kind = try metadata.string("llama.rope.scaling.type") ?? "none"
    let key = kind == "linear" ? "llama.rope.scaling.factor" : "llama.rope.scale_linear"
    guard kind == "none" || kind == "linear" else {
      throw EngineError(
        .unsupported,
        "key 'llama.rope.scaling.type' is \(quoted(kind)); supported 'none', 'linear'")
    }
    let factor = try metadata.float(key) ?? 1
    guard factor.isFinite, factor > 0 else {
      throw EngineError(.malformed, "key '\(key)' is \(factor); allowed > 0, finite")
    }
    return factor
  }
}
