// The memory of one call of encode, kept from part to part of its text.
import Base

/// Buffers and results of one encoding.
struct EncodingWork: ~Copyable {
  /// The part at hand, as the tokenizer sees it.
  var normalized = Growable<UInt8>()
  var run = MergeRun()
  /// What is left to write of an unused piece that is taken apart.
  var pending = Growable<MergeSymbol>()
  private(set) var tokens = Growable<Int32>()
  private(set) var endsInUnknown = false

  init() {}

  mutating func output(_ id: Int32, isUnknown: Bool = false) throws(EngineError) {
    try tokens.append(id)
    endsInUnknown = isUnknown
  }
}
