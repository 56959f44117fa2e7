// The numbers of a model, as its files say them, checked against each other:
// whatever the forward pass divides by or indexes with has a lower and an upper bound here. (The
// `max(1, …)` before a division tells the compiler so, too.)
import Base
import Formats
import Forward

extension Hyperparameters {
  /// Reads and checks what the files say.
  ///
  /// `slidingWindow` overrides them: 0 keeps theirs, -1 switches the window off. `expertsPerToken`
  /// 0 keeps their number.
  package init(
    _ checkpoint: Checkpoint, slidingWindow window: Int64, expertsPerToken used: Int
  ) throws(EngineError) {
    try Self.checkArchitecture(checkpoint)
    let layers = try Self.required(checkpoint.said(.layers), 1...512)
    let hiddenWidth = try Self.required(checkpoint.said(.hiddenWidth), 1...1_048_576)
    let heads = try Self.required(checkpoint.said(.heads), 1...1024)
    let kvHeadsSaid = checkpoint.said(.kvHeads)
    let kvHeads = try Self.optional(kvHeadsSaid, 1...1024) ?? heads
    guard heads.isMultiple(of: kvHeads) else {
      throw EngineError(
        .malformed,
        "key '\(kvHeadsSaid.key)' is \(kvHeads), which does not divide the \(heads) heads")
    }
    let headWidth = try Self.headWidth(checkpoint, hiddenWidth: hiddenWidth, heads: heads)
    let feedForwardWidth = try Self.required(checkpoint.said(.feedForwardWidth), 1...1_048_576)
    let expertsSaid = checkpoint.said(.experts)
    let experts = try Self.optional(expertsSaid, 0...512) ?? 0
    guard experts != 1 else {
      throw EngineError(.malformed, "key '\(expertsSaid.key)' is 1; allowed 0, 2..512")
    }
    let expertsPerToken = try Self.expertsPerToken(checkpoint, experts: experts, override: used)
    let contextLength = try Self.required(checkpoint.said(.contextLength), 1...4_294_967_295)
    let slidingWindow = try Self.slidingWindow(checkpoint, override: window)
    let ropeBase = try Self.positive(checkpoint.said(.ropeBase)) ?? 10_000
    let ropeWidthSaid = checkpoint.said(.ropeWidth)
    let ropeWidth = try Self.optional(ropeWidthSaid, 1...1024) ?? headWidth
    guard ropeWidth % 2 == 0, ropeWidth <= headWidth else {
      throw EngineError(
        .malformed,
        "key '\(ropeWidthSaid.key)' is \(ropeWidth); allowed an even number 2..\(headWidth)")
    }
    let ropeFactor = try Self.ropeFactor(checkpoint)
    let normEpsilon = try Self.normEpsilon(checkpoint.said(.normEpsilon))
    self.init(
      layers: layers, hiddenWidth: hiddenWidth, heads: heads, kvHeads: kvHeads,
      headWidth: headWidth, feedForwardWidth: feedForwardWidth, experts: experts,
      expertsPerToken: expertsPerToken, contextLength: contextLength, slidingWindow: slidingWindow,
      ropeBase: ropeBase, ropeWidth: ropeWidth, ropeFactor: ropeFactor, normEpsilon: normEpsilon)
  }

  private static func checkArchitecture(_ checkpoint: Checkpoint) throws(EngineError) {
    let said = checkpoint.said(.architecture)
    guard let architecture = try said.string() else { throw missing(said) }
    guard architecture == "llama" else {
      throw EngineError(
        .unsupported,
        "architecture is \(quoted(architecture)); supported is 'llama' (Mistral, Mixtral)")
    }
    let quantization = checkpoint.said(.quantizationVersion)
    if let version = try quantization.unsigned(in: 0...UInt64(UInt32.max)), version > 2 {
      throw EngineError(
        .unsupported, "key '\(quantization.key)' is \(version); supported 0..2")
    }
  }

  private static func missing(_ said: MetadataEntry) -> EngineError {
    EngineError(.malformed, "key '\(said.key)' is missing")
  }

  private static func required(
    _ said: MetadataEntry, _ range: ClosedRange<UInt64>
  ) throws(EngineError) -> Int {
    guard let value = try optional(said, range) else { throw missing(said) }
    return value
  }

  /// One number, or a list of one number a layer when all are equal.
  private static func optional(
    _ said: MetadataEntry, _ range: ClosedRange<UInt64>
  ) throws(EngineError) -> Int? {
    guard said.isArray else {
      guard let value = try said.unsigned(in: range) else { return nil }
      return Int(clamping: value)
    }
    guard let list = try said.integers(), list.count > 0 else {
      throw EngineError(.malformed, "key '\(said.key)' is an empty list; allowed a number")
    }
    let first = list.integer(0)
    var i = 1
    while i < list.count {
      guard list.integer(i) == first else {
        throw EngineError(
          .unsupported,
          "key '\(said.key)' is \(first) in layer 0 and \(list.integer(i)) in layer \(i); "
            + "supported one number"
        )
      }
      i &+= 1
    }
    guard let value = UInt64(exactly: first), range.contains(value) else {
      throw EngineError(
        .malformed,
        "key '\(said.key)' is \(first); allowed \(range.lowerBound)..\(range.upperBound)")
    }
    return Int(clamping: value)
  }

  /// A finite number above 0.
  private static func positive(_ said: MetadataEntry) throws(EngineError) -> Float? {
    guard let value = try said.float() else { return nil }
    guard value.isFinite, value > 0 else {
      throw EngineError(.malformed, "key '\(said.key)' is \(value); allowed > 0, finite")
    }
    return value
  }

  private static func normEpsilon(_ said: MetadataEntry) throws(EngineError) -> Float {
    guard let epsilon = try said.float() else { throw missing(said) }
    guard epsilon > 0, epsilon < 1 else {
      throw EngineError(
        .malformed, "key '\(said.key)' is \(epsilon); allowed above 0, below 1")
    }
    return epsilon
  }

  private static func headWidth(
    _ checkpoint: Checkpoint, hiddenWidth: Int, heads: Int
  ) throws(EngineError) -> Int {
    let keySaid = checkpoint.said(.keyWidth)
    let key = try optional(keySaid, 1...1024)
    let value = try optional(checkpoint.said(.valueWidth), 1...1024)
    if let key, let value, key != value {
      throw EngineError(
        .unsupported, "keys of width \(key) and values of width \(value); supported equal widths")
    }
    if key == nil, value == nil, !hiddenWidth.isMultiple(of: heads) {
      throw EngineError(
        .malformed,
        "embedding length \(hiddenWidth) is no multiple of the \(heads) heads, and "
          + "'\(keySaid.key)' is missing")
    }
    let width = key ?? value ?? hiddenWidth / max(1, heads)
    guard width % 2 == 0, width >= 2, width <= 1024 else {
      throw EngineError(.malformed, "head width is \(width); allowed an even number 2..1024")
    }
    return width
  }

  private static func expertsPerToken(
    _ checkpoint: Checkpoint, experts: Int, override: Int
  ) throws(EngineError) -> Int {
    let said = checkpoint.said(.expertsPerToken)
    let inFile = try optional(said, 0...512) ?? 0
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
      throw EngineError(.malformed, "key '\(said.key)' is \(inFile); allowed 1..\(experts)")
    }
    return inFile
  }

  private static func slidingWindow(
    _ checkpoint: Checkpoint, override: Int64
  ) throws(EngineError) -> Int {
    if override == -1 { return 0 }
    if override > 0 { return Int(clamping: override) }
    return try optional(checkpoint.said(.slidingWindow), 0...UInt64(UInt32.max)) ?? 0
  }

  private static func ropeFactor(_ checkpoint: Checkpoint) throws(EngineError) -> Float {
    let said = checkpoint.said(.ropeScaling)
    let kind = try said.string() ?? "none"
    guard kind == "none" || kind == "linear" else {
      throw EngineError(
        .unsupported, "key '\(said.key)' is \(quoted(kind)); supported 'none', 'linear'")
    }
    return try positive(checkpoint.said(kind == "linear" ? .ropeFactor : .ropeScale)) ?? 1
  }
}
