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
  @export(interface)
  package init(
    _ checkpoint: Checkpoint, slidingWindow window: Int64, expertsPerToken used: Int
  ) throws(EngineError) {
    try Self.checkArchitecture(checkpoint)
    try checkpoint.checkForeignKeys()
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
    let experts = try Self.experts(checkpoint)
    let expertsPerToken = try Self.expertsPerToken(checkpoint, experts: experts, override: used)
    let contextLength = try Self.required(checkpoint.said(.contextLength), 1...4_294_967_295)
    let slidingWindow = try Self.slidingWindow(checkpoint, layers: layers, override: window)
    let ropeBase = try Self.positive(checkpoint.said(.ropeBase)) ?? 10_000
    let ropeWidthSaid = checkpoint.said(.ropeWidth)
    let ropeWidth = try Self.optional(ropeWidthSaid, 1...1024) ?? headWidth
    guard ropeWidth % 2 == 0, ropeWidth <= headWidth else {
      throw EngineError(
        .malformed,
        "key '\(ropeWidthSaid.key)' is \(ropeWidth); allowed an even number 2..\(headWidth)")
    }
    let ropeFactor = try Self.ropeFactor(checkpoint)
    let ropeMagnitude = try Self.positive(checkpoint.said(.ropeMagnitude)) ?? 1
    let normEpsilon = try Self.normEpsilon(checkpoint.said(.normEpsilon))
    self.init(
      layers: layers, hiddenWidth: hiddenWidth, heads: heads, kvHeads: kvHeads,
      headWidth: headWidth, feedForwardWidth: feedForwardWidth, experts: experts,
      expertsPerToken: expertsPerToken, contextLength: contextLength, slidingWindow: slidingWindow,
      ropeBase: ropeBase, ropeWidth: ropeWidth, ropeFactor: ropeFactor,
      ropeMagnitude: ropeMagnitude, normEpsilon: normEpsilon)
  }

  private static func checkArchitecture(_ checkpoint: Checkpoint) throws(EngineError) {
    let said = checkpoint.said(.architecture)
    guard let architecture = try said.string() else { throw missing(said) }
    guard architecture == "llama" else {
      let kind = architecture == "clip" ? ", a tower for images without a language model" : ""
      throw EngineError(
        .unsupported,
        "architecture is \(quoted(architecture))\(kind); supported is 'llama' (Mistral, Mixtral)")
    }
  }

  /// The number of experts; a single one without a router is a dense layer.
  private static func experts(_ checkpoint: Checkpoint) throws(EngineError) -> Int {
    let count = try optional(checkpoint.said(.experts), 0...512) ?? 0
    return count == 1 && checkpoint.tensor(.layer(0, .router)) == nil ? 0 : count
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

  /// A number, or a list of one number a layer when all are equal.
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
    for i in below(list.count, from: 1) {
      guard list.integer(i) == first else {
        throw EngineError(
          .unsupported,
          "key '\(said.key)' is \(first) in layer 0 and \(list.integer(i)) in layer \(i); "
            + "supported one number")
      }
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
    let inFile = try optional(said, 0...512)
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
    guard let inFile else { throw missing(said) }
    guard inFile >= 1, inFile <= experts else {
      throw EngineError(.malformed, "key '\(said.key)' is \(inFile); allowed 1..\(experts)")
    }
    return inFile
  }

  private static func slidingWindow(
    _ checkpoint: Checkpoint, layers: Int, override: Int64
  ) throws(EngineError) -> Int {
    if override == -1 { return 0 }
    if override > 0 { return Int(clamping: override) }
    let window = try optional(checkpoint.said(.slidingWindow), 0...UInt64(UInt32.max)) ?? 0
    guard window > 0 else { return 0 }
    return try isWindowed(checkpoint.said(.windowPattern), layers: layers) ? window : 0
  }

  /// Whether the layers have the window, which all of them must have or none.
  ///
  /// A list says it of each; of a number n, layer i has it unless i % n is n - 1 (0: all have it).
  private static func isWindowed(
    _ said: MetadataEntry, layers: Int
  ) throws(EngineError) -> Bool {
    let list = try said.isArray ? said.flags() : nil
    let period = try list == nil ? said.unsigned(in: 0...UInt64(UInt32.max)) : nil
    if let list, list.count != layers {
      throw EngineError(
        .malformed, "key '\(said.key)' has \(list.count) entries; allowed \(layers), one a layer")
    }
    var windowed = 0
    for layer in below(layers) {
      let isFull =
        if let list {
          list.integer(layer) == 0
        } else if let period, period > 0 {
          (UInt64(clamping: layer) &+ 1).isMultiple(of: period)
        } else {
          false
        }
      if !isFull { windowed &+= 1 }
    }
    guard windowed == 0 || windowed == layers else {
      throw EngineError(
        .unsupported,
        "key '\(said.key)' gives the window to \(windowed) of \(layers) layers; supported are all "
          + "or none")
    }
    return windowed > 0
  }

  /// Linear scaling, which a missing type means too; a factor of 0 is none.
  private static func ropeFactor(_ checkpoint: Checkpoint) throws(EngineError) -> Float {
    let said = checkpoint.said(.ropeScaling)
    let kind = try said.string() ?? "linear"
    guard kind == "none" || kind == "linear" else {
      throw EngineError(
        .unsupported, "key '\(said.key)' is \(quoted(kind)); supported 'none', 'linear'")
    }
    guard kind == "linear" else { return 1 }
    let newer = checkpoint.said(.ropeFactor)
    let factor = newer.value == nil ? checkpoint.said(.ropeScale) : newer
    guard let value = try factor.float(), value != 0 else { return 1 }
    guard value.isFinite, value > 0 else {
      throw EngineError(
        .malformed, "key '\(factor.key)' is \(value); allowed 0 (none), > 0, finite")
    }
    return value
  }
}
