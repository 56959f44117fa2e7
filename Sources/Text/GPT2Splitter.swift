// GPT-2's splitter, without a regex engine:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Source: openai/gpt-2 src/encoder.py.
import Base

/// Cuts text as GPT-2 does.
enum GPT2Splitter {
  /// Where the piece that begins at `start` of `text[..<end]` ends.
  static func pieceEnd(
    _ text: borrowing Growable<UInt8>, _ classes: borrowing ScalarClasses, from start: Int,
    to end: Int
  ) throws(EngineError) -> Int {
    try pieceEnd(text, classes, from: start, to: end, numbersEndTheText: false)
  }

  /// The same; with `numbersEndTheText` a number is as good as the end of the text.
  static func pieceEnd(
    _ text: borrowing Growable<UInt8>, _ classes: borrowing ScalarClasses, from start: Int,
    to end: Int, numbersEndTheText: Bool
  ) throws(EngineError) -> Int {
    guard let first = try classes.scalar(text, at: start, to: end) else { return end }
    if first.value == 0x27, let after = try contractionEnd(text, from: first.end, to: end) {
      return after
    }
    var head = first
    if first.value == 0x20, let second = try classes.scalar(text, at: first.end, to: end),
      !ScalarClassSet.whiteSpace.contains(second.kind),
      !numbersEndTheText || !ScalarClassSet.numbers.contains(second.kind)
    {
      head = second
    }
    if ScalarClassSet.letters.contains(head.kind) {
      return try classes.runEnd(text, from: head.end, to: end, .letters)
    }
    if ScalarClassSet.numbers.contains(head.kind) {
      return try classes.runEnd(text, from: head.end, to: end, .numbers)
    }
    if ScalarClassSet.symbols.contains(head.kind) {
      return try classes.runEnd(text, from: head.end, to: end, .symbols)
    }
    return try spaceEnd(text, classes, from: first, start: start, to: end, numbersEndTheText)
  }

  /// The end of a white-space run; before its last scalar when something else follows and something
  /// is left.
  private static func spaceEnd(
    _ text: borrowing Growable<UInt8>, _ classes: borrowing ScalarClasses,
    from first: ClassedScalar, start: Int, to end: Int, _ numbersEndTheText: Bool
  ) throws(EngineError) -> Int {
    var last = start
    var position = first.end
    while let scalar = try classes.scalar(text, at: position, to: end) {
      guard ScalarClassSet.whiteSpace.contains(scalar.kind) else {
        let isEnd = numbersEndTheText && ScalarClassSet.numbers.contains(scalar.kind)
        return isEnd || last == start ? position : last
      }
      last = position
      position = scalar.end
    }
    return position
  }

  /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` after its apostrophe.
  private static func contractionEnd(
    _ text: borrowing Growable<UInt8>, from position: Int, to end: Int
  ) throws(EngineError) -> Int? {
    guard position < end else { return nil }
    let second = position &+ 1 < end ? try text.at(position &+ 1) : 0
    switch (try text.at(position), second) {
    case (0x73, _), (0x74, _), (0x6D, _), (0x64, _): return position &+ 1
    case (0x72, 0x65), (0x76, 0x65), (0x6C, 0x6C): return position &+ 2
    default: return nil
    }
  }
}
