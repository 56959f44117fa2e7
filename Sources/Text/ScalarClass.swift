// The classes of characters that the splitters of byte-level BPE know. A table holds those of one
// version of Unicode, so that another standard library does not change the tokens of a text.
import Base
import Formats

/// The kind of a scalar, as splitters see it.
package enum ScalarClass: UInt8, CaseIterable, Sendable {
  /// Lu, Lt.
  case upper
  /// Ll.
  case lower
  /// Lm, Lo: letters that go with either case.
  case letter
  /// Mn, Mc, Me.
  case mark
  /// Nd, Nl, No.
  case number
  case whiteSpace
  /// Everything else, and bytes that are not UTF-8.
  case other

  /// The class as a set of one.
  package var bit: UInt8 { 1 << rawValue }
}

/// A set of classes: a bit each, the first class in the lowest place.
struct ScalarClassSet {
  let bits: UInt8

  static var letters: Self { Self(bits: 0b000_0111) }
  /// Neither white space nor letter nor number; marks are among them.
  static var symbols: Self { Self(bits: 0b100_1000) }
  static var numbers: Self { Self(bits: 0b001_0000) }
  static var whiteSpace: Self { Self(bits: 0b010_0000) }
  /// Tekken's two kinds of letters, both with what has no case.
  static var uppers: Self { Self(bits: 0b000_1101) }
  static var lowers: Self { Self(bits: 0b000_1110) }
  static var lettersAndMarks: Self { Self(bits: 0b000_1111) }

  /// Whether a class, given as a set of one, is among them.
  @inline(__always)
  func contains(_ bit: UInt8) -> Bool { bits & bit != 0 }
}

/// A scalar of a text with its class and the place after it.
struct ClassedScalar {
  let value: UInt32
  /// The class as a set of one.
  let kind: UInt8
  let end: Int
}

/// The classes of all characters.
package struct ScalarClasses: Sendable {
  /// The set of one of each value below `limit`.
  private let table: Growable<UInt8>
  /// Beyond it are a few marks, and else only the class `other`.
  private static let limit = 0x40000

  package init() throws(EngineError) {
    var table = try Growable(filled: ScalarClass.other.bit, count: Self.limit)
    var runs = Growable<UInt8>()
    try runs.append(Self.runs)
    var position = 0
    var index = 0
    while index < runs.count {
      let letter = try runs.at(index)
      index &+= 1
      var count = 0
      while index < runs.count {
        let digit = try runs.at(index)
        guard (0x30...0x39).contains(digit) else { break }
        count = count &* 10 &+ Int(digit &- 0x30)
        index &+= 1
      }
      let end = position &+ max(count, 1)
      let bit = Self.kind(letter).bit
      while position < end {
        try table.put(bit, at: position)
        position &+= 1
      }
    }
    self.table = table
  }

  /// The class that a letter of the table's text stands for.
  private static func kind(_ letter: UInt8) -> ScalarClass {
    switch letter {
    case 0x55: .upper
    case 0x4C: .lower
    case 0x41: .letter
    case 0x4D: .mark
    case 0x4E: .number
    case 0x53: .whiteSpace
    default: .other
    }
  }

  /// The class, as a set of one, of a scalar or of `UTF8Scalar.badByte`.
  @inline(__always)
  package func kind(_ value: UInt32) throws(EngineError) -> UInt8 {
    guard value >= UInt32(Self.limit) else { return try table.at(Int(value)) }
    return (0xE0100...0xE01EF).contains(value) ? ScalarClass.mark.bit : ScalarClass.other.bit
  }

  /// The scalar at `position` of `text[..<end]`; nil at the end.
  @inline(__always)
  func scalar(
    _ text: borrowing Growable<UInt8>, at position: Int, to end: Int
  ) throws(EngineError) -> ClassedScalar? {
    guard position < end else { return nil }
    let lead = try text.at(position)
    if lead < 0x80 {
      return ClassedScalar(
        value: UInt32(lead), kind: try table.at(Int(lead)), end: position &+ 1)
    }
    let scalar = try UTF8Scalar(text, at: position, end: end)
    return ClassedScalar(
      value: scalar.value, kind: try kind(scalar.value), end: position &+ scalar.length)
  }

  /// Where the run of scalars of some classes ends, from `position` on.
  @inline(__always)
  func runEnd(
    _ text: borrowing Growable<UInt8>, from position: Int, to end: Int, _ classes: ScalarClassSet
  ) throws(EngineError) -> Int {
    var position = position
    while let scalar = try scalar(text, at: position, to: end), classes.contains(scalar.kind) {
      position = scalar.end
    }
    return position
  }
}
