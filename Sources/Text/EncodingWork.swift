// The memory of one call of encode, kept from part to part of its text.
import Base

/// Buffers and results of one encoding.
struct EncodingWork: ~Copyable {
  /// The part at hand, as SentencePiece sees it.
  var normalized = Growable<UInt8>()
  /// The user-defined pieces of the part at hand.
  var userDefined = WholeMatches()
  var run = MergeRun()
  /// The rest of an unused piece that is taken apart and written.
  var pending = Growable<MergedPiece>()
  private(set) var tokens = Growable<Int32>()
  private(set) var endsInUnknown = false

  init() {}

  @inline(__always)
  mutating func output(_ id: Int32, isUnknown: Bool = false) throws(EngineError) {
    try tokens.append(id)
    endsInUnknown = isUnknown
  }
}
