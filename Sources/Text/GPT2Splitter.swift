// GPT-2's splitter, without a regex engine:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Source: openai/gpt-2 src/encoder.py.
import Base

/// A scalar of a text with its class and the place after it.
struct ClassedScalar {
  let value: UInt32
  let kind: ScalarClass
  let end: Int

  /// The scalar at `position` of `text[..<end]`; nil at the end.
  @inline(__always)
  init?(_ text: borrowing Growable<UInt8>, at position: Int, to end: Int) throws(EngineError) {
    guard position < end else { return nil }
    let scalar = try UTF8Scalar(text, at: position, end: end)
    value = scalar.value
    kind = ScalarClass(scalar.value)
    self.end = position &+ scalar.length
  }
}

/// Cuts text as GPT-2 does.
enum GPT2Splitter {
  /// Where the piece that begins at `start` of `text[..<end]` ends.
  static func pieceEnd(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int
  )
    throws(EngineError) -> Int
  {
    try pieceEnd(text, from: start, to: end, numbersEndTheText: false)
  }

  /// As above; with `numbersEndTheText` a number is as good as the end of the text.
  static func pieceEnd(
    _ text: borrowing Growable<UInt8>, from start: Int, to end: Int, numbersEndTheText: Bool
  ) throws(EngineError) -> Int {
    guard let first = try ClassedScalar(text, at: start, to: end) else { return end }
    if first.value == 0x27, let after = try contractionEnd(text, from: first.end, to: end) {
      return after
    }
    var head = first
    if first.value == 0x20, let second = try ClassedScalar(text, at: first.end, to: end),
      second.kind != .whiteSpace, second.kind != .number || !numbersEndTheText
    {
      head = second
    }
    if head.kind.isLetter {
      return try runEnd(text, from: head.end, to: end) { $0.isLetter }
    }
    if head.kind == .number { return try runEnd(text, from: head.end, to: end) { $0 == .number } }
    if head.kind.isSymbol { return try runEnd(text, from: head.end, to: end) { $0.isSymbol } }
    return try spaceEnd(text, from: first, start: start, to: end, numbersEndTheText)
  }

  /// Where the run of scalars that `belong` ends, from `position` on.
  @inline(__always)
  static func runEnd(
    _ text: borrowing Growable<UInt8>, from position: Int, to end: Int,
    _ belong: (ScalarClass) -> Bool
  ) throws(EngineError) -> Int {
    var position = position
    while let scalar = try ClassedScalar(text, at: position, to: end), belong(scalar.kind) {
      position = scalar.end
    }
    return position
  }

  /// The end of a white-space run; before its last scalar when something else follows and something
  /// is left.
  private static func spaceEnd(
    _ text: borrowing Growable<UInt8>, from first: ClassedScalar, start: Int, to end: Int,
    _ numbersEndTheText: Bool
  ) throws(EngineError) -> Int {
    var last = start
    var position = first.end
    while let scalar = try ClassedScalar(text, at: position, to: end) {
      guard scalar.kind == .whiteSpace else {
        let isEnd = numbersEndTheText && scalar.kind == .number
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
