// Tekken's splitter, without a regex engine. With U = Lu Lt Lm Lo M and W = Ll Lm Lo M it is
//   [^\r\n\p{L}\p{N}]?U*W+ | [^\r\n\p{L}\p{N}]?U+W* | \p{N} |
//    ?[^\s\p{L}\p{N}]+[\r\n/]* | \s*[\r\n]+ | \s+(?!\S) | \s+
// Source: mistralai/mistral-common, `pattern` of tekken_240718.json.
import Base

/// Cuts text as Mistral's Tekken does.
enum TekkenSplitter {
  /// Where the piece that begins at `start` of `text[..<end]` ends.
  static func pieceEnd(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int
  )
    throws(EngineError) -> Int
  {
    guard let first = try ClassedScalar(text, at: start, to: end) else { return end }
    let isLead =
      first.value != 0x0A && first.value != 0x0D && !first.kind.isLetter && first.kind != .number
    if isLead, let after = try mixedCaseEnd(text, from: first.end, to: end) { return after }
    if let after = try mixedCaseEnd(text, from: start, to: end) { return after }
    if isLead, let after = try upperEnd(text, from: first.end, to: end) { return after }
    if let after = try upperEnd(text, from: start, to: end) { return after }
    if first.kind == .number { return first.end }
    var head = first
    if first.value == 0x20, let second = try ClassedScalar(text, at: first.end, to: end) {
      head = second
    }
    if head.kind.isSymbol {
      var position = try GPT2Splitter.runEnd(text, from: head.end, to: end) { $0.isSymbol }
      while position < end, [0x0A, 0x0D, 0x2F].contains(try text.at(position)) { position &+= 1 }
      return position
    }
    return try spaceEnd(text, from: start, to: end)
  }

  private static func isUpper(_ kind: ScalarClass) -> Bool {
    kind == .upper || kind == .letter || kind == .mark
  }

  private static func isLower(_ kind: ScalarClass) -> Bool {
    kind == .lower || kind == .letter || kind == .mark
  }

  /// The end of `U*W+`: greedy, and where W+ finds nothing after U*, what U* gives back.
  private static func mixedCaseEnd(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int
  ) throws(EngineError) -> Int? {
    var position = start
    var afterLastLower: Int?
    while let scalar = try ClassedScalar(text, at: position, to: end), isUpper(scalar.kind) {
      position = scalar.end
      if isLower(scalar.kind) { afterLastLower = position }
    }
    let lowerEnd = try GPT2Splitter.runEnd(text, from: position, to: end, isLower)
    return lowerEnd > position ? lowerEnd : afterLastLower
  }

  /// The end of `U+W*`.
  private static func upperEnd(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int
  ) throws(EngineError) -> Int? {
    let upperEnd = try GPT2Splitter.runEnd(text, from: start, to: end, isUpper)
    guard upperEnd > start else { return nil }
    return try GPT2Splitter.runEnd(text, from: upperEnd, to: end, isLower)
  }

  /// A white-space run up to its last line end; else without its last scalar, or whole at the end.
  private static func spaceEnd(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int
  ) throws(EngineError) -> Int {
    var position = start
    var last = start
    var afterLineEnd: Int?
    while let scalar = try ClassedScalar(text, at: position, to: end), scalar.kind == .whiteSpace {
      last = position
      position = scalar.end
      if scalar.value == 0x0A || scalar.value == 0x0D { afterLineEnd = position }
    }
    if let afterLineEnd { return afterLineEnd }
    return position == end || last == start ? position : last
  }
}
