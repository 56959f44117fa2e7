// A key of a model's files, to be read as the type that its reader expects.
import Base

/// A file's statement under one key: a value, or nothing.
package struct MetadataEntry: Sendable {
  /// The key, as the file spells it.
  package let key: String
  /// Nil when the file does not have the key.
  package let value: MetadataValue?
  /// The quoted name of the file, for sentences.
  let file: String

  /// Whether the value is a list.
  package var isArray: Bool {
    if case .array? = value { true } else { false }
  }

  /// The value of a key of any one number, of which truth is 1; nil for others.
  var number: Double? {
    switch value {
    case .unsigned(let value): Double(value)
    case .signed(let value): Double(value)
    case .float32(let value): Double(value)
    case .float64(let value): value
    case .bool(let value): value ? 1 : 0
    case .string, .array, nil: nil
    }
  }

  /// The value of an integer key of any width; nil when absent.
  ///
  /// Throws `.malformed` when it is not an integer in `range`.
  @export(interface)
  package func unsigned(in range: ClosedRange<UInt64>) throws(EngineError) -> UInt64? {
    let number: UInt64?
    switch value {
    case nil: return nil
    case .unsigned(let value): number = value
    case .signed(let value): number = UInt64(exactly: value)
    default: number = nil
    }
    guard let number, range.contains(number) else {
      throw mismatch("an integer in \(range.lowerBound)..\(range.upperBound)")
    }
    return number
  }

  /// The value of a floating-point key, rounded to single precision; nil when absent.
  ///
  /// Throws `.malformed` for another type. NaN and infinity are passed on.
  @export(interface)
  package func float() throws(EngineError) -> Float? {
    switch value {
    case nil: return nil
    case .float32(let value): return value
    case .float64(let value): return Float(value)
    default: throw mismatch("a float")
    }
  }

  /// The value of a truth key; nil when absent.
  ///
  /// Throws `.malformed` for another type.
  @export(interface)
  package func bool() throws(EngineError) -> Bool? {
    switch value {
    case nil: return nil
    case .bool(let value): return value
    default: throw mismatch("a bool")
    }
  }

  /// The text of a string key; nil when absent.
  ///
  /// Throws `.malformed` for another type and for bytes that are not UTF-8.
  @export(interface)
  package func string() throws(EngineError) -> String? {
    switch value {
    case nil: return nil
    case .string(let bytes):
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw mismatch("a string in UTF-8")
      }
      return text
    default: throw mismatch("a string")
    }
  }

  /// An array of strings; nil when absent.
  ///
  /// Throws `.malformed` for another type.
  @export(interface)
  package func strings() throws(EngineError) -> MetadataArray? {
    try array("an array of strings") { $0 == .string }
  }

  /// An array of single or double floats; nil when absent.
  ///
  /// Throws `.malformed` for another type.
  @export(interface)
  package func floats() throws(EngineError) -> MetadataArray? {
    try array("an array of floats") { $0 == .float32 || $0 == .float64 }
  }

  /// An array of integers of any width; nil when absent.
  ///
  /// Throws `.malformed` for another type.
  @export(interface)
  package func integers() throws(EngineError) -> MetadataArray? {
    try array("an array of integers") { $0.isInteger }
  }

  /// An array of truth values; nil when absent.
  ///
  /// Throws `.malformed` for another type.
  @export(interface)
  package func flags() throws(EngineError) -> MetadataArray? {
    try array("an array of bools") { $0 == .bool }
  }

  private func array(
    _ expected: String, _ accepts: (MetadataType) -> Bool
  ) throws(EngineError) -> MetadataArray? {
    switch value {
    case nil: return nil
    case .array(let array) where accepts(array.elementType): return array
    default: throw mismatch(expected)
    }
  }

  private func mismatch(_ expected: String) -> EngineError {
    let found = value?.summary ?? "absent"
    return EngineError(
      .malformed, "\(file): key \(quoted(key)) is \(found); allowed is \(expected)")
  }
}
