// Tekken's splitter, without a regex engine. With U = Lu Lt Lm Lo M and W = Ll Lm Lo M it is
//   [^\r\n\p{L}\p{N}]?U*W+ | [^\r\n\p{L}\p{N}]?U+W* | \p{N} |
//    ?[^\s\p{L}\p{N}]+[\r\n/]* | \s*[\r\n]+ | \s+(?!\S) | \s+
// Source: mistralai/mistral-common, `pattern` of tekken_240718.json.
import Base

/// Cuts text as Mistral's Tekken does.
enum TekkenSplitter {
  /// Where the piece that begins at `start` of `text[..<end]` ends.
  static func pieceEnd(
    _ text: borrowing Growable<UInt8>, _ classes: borrowing ScalarClasses, from start: Int,
    to end: Int
  ) throws(EngineError) -> Int {
    guard let first = try classes.scalar(text, at: start, to: end) else { return end }
    // A mark may lead a word or belong to it; both end at the same place, and if the word has no W
    // the mark stands alone.
    if ScalarClassSet.lettersAndMarks.contains(first.kind) {
      return try wordEnd(text, classes, from: start, to: end)
    }
    if ScalarClassSet.numbers.contains(first.kind) { return first.end }
    let isLineEnd = first.value == 0x0A || first.value == 0x0D
    var head = first
    if !isLineEnd, let second = try classes.scalar(text, at: first.end, to: end) {
      if ScalarClassSet.lettersAndMarks.contains(second.kind) {
        return try wordEnd(text, classes, from: first.end, to: end)
      }
      if first.value == 0x20 { head = second }
    }
    guard ScalarClassSet.symbols.contains(head.kind) else {
      return try spaceEnd(text, classes, from: start, to: end)
    }
    var position = try classes.runEnd(text, from: head.end, to: end, .symbols)
    while position < end {
      let byte = try text.at(position)
      guard byte == 0x0A || byte == 0x0D || byte == 0x2F else { break }
      position &+= 1
    }
    return position
  }

  /// The end of a word, at whose beginning is a letter or a mark.
  ///
  /// That is the end of `U*W+`, greedy, and where W+ finds nothing after U*, of what U* gives back;
  /// where that is nothing either, of `U+`.
  @inline(__always)
  private static func wordEnd(
    _ text: borrowing Growable<UInt8>, _ classes: borrowing ScalarClasses, from start: Int,
    to end: Int
  ) throws(EngineError) -> Int {
    var position = start
    var afterLastLower = -1
    while let scalar = try classes.scalar(text, at: position, to: end),
      ScalarClassSet.uppers.contains(scalar.kind)
    {
      position = scalar.end
      if ScalarClassSet.lowers.contains(scalar.kind) { afterLastLower = position }
    }
    let lowerEnd = try classes.runEnd(text, from: position, to: end, .lowers)
    return lowerEnd > position || afterLastLower < 0 ? lowerEnd : afterLastLower
  }

  /// A white-space run up to its last line end; else without its last scalar, or whole at the end.
  private static func spaceEnd(
    _ text: borrowing Growable<UInt8>, _ classes: borrowing ScalarClasses, from start: Int,
    to end: Int
  ) throws(EngineError) -> Int {
    var position = start
    var last = start
    var afterLineEnd: Int?
    while let scalar = try classes.scalar(text, at: position, to: end),
      ScalarClassSet.whiteSpace.contains(scalar.kind)
    {
      last = position
      position = scalar.end
      if scalar.value == 0x0A || scalar.value == 0x0D { afterLineEnd = position }
    }
    if let afterLineEnd { return afterLineEnd }
    return position == end || last == start ? position : last
  }
}
