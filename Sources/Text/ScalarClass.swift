// The classes of characters that the splitters of byte-level BPE know. Categories come from the
// standard library; white space is the Unicode property White_Space, whose 25 members are listed
// here. The version of Unicode is pinned, so that a newer standard library does not change the
// tokens of a text.

/// What a splitter sees in a scalar.
enum ScalarClass: UInt8 {
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

  /// Characters that a later Unicode assigned are unassigned here, as in the oracles (tiktoken
  /// 0.14).
  private static let unicodeVersion = 16

  var isLetter: Bool { rawValue <= Self.letter.rawValue }

  /// Neither white space nor letter nor number; marks are among them.
  var isSymbol: Bool { self == .mark || self == .other }

  /// The class of `value`, a scalar or `UTF8Scalar.badByte`.
  @inline(__always)
  init(_ value: UInt32) {
    guard value >= 0x80 else {
      switch UInt8(truncatingIfNeeded: value) {
      case 0x61...0x7A: self = .lower
      case 0x41...0x5A: self = .upper
      case 0x30...0x39: self = .number
      case 9...13, 32: self = .whiteSpace
      default: self = .other
      }
      return
    }
    self.init(beyondASCII: value)
  }

  private init(beyondASCII value: UInt32) {
    switch value {
    case 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
      self = .whiteSpace
      return
    default: break
    }
    guard let scalar = Unicode.Scalar(value) else {
      self = .other
      return
    }
    let properties = scalar.properties
    guard let age = properties.age, age.major <= Self.unicodeVersion else {
      self = .other
      return
    }
    switch properties.generalCategory {
    case .uppercaseLetter, .titlecaseLetter: self = .upper
    case .lowercaseLetter: self = .lower
    case .modifierLetter, .otherLetter: self = .letter
    case .nonspacingMark, .spacingMark, .enclosingMark: self = .mark
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = .other
    }
  }
}
