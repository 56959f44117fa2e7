// The keys of a GGUF file and what they say. A wrong value is named with its key and what is
// allowed.
import Base

/// The metadata of a GGUF file, in the order of the file.
package struct GGUFMetadata: Sendable {
  /// All keys, each once, in file order.
  package var keys: [String] { names.names }
  private(set) var values: [GGUFValue] = []
  /// Where each key with its value lies in the file.
  package private(set) var ranges: [Range<UInt64>] = []
  private var names = NameTable()
  private let file: String

  /// Nothing yet; `file` is the quoted name for sentences.
  init(file: String) { self.file = file }

  /// Adds a key; false when it is there already.
  mutating func append(
    _ key: String, _ value: GGUFValue, at range: Range<UInt64>
  ) throws(EngineError) -> Bool {
    guard try names.append(key) else { return false }
    values.append(value)
    ranges.append(range)
    return true
  }

  /// Whether the file has the key.
  package func contains(_ key: String) -> Bool { names.index(of: key) != nil }

  /// The value of a key; nil when absent.
  package func value(_ key: String) -> GGUFValue? {
    guard let index = names.index(of: key), index < values.count else { return nil }
    return values[index]
  }

  /// The value of an integer key of any width; nil when absent.
  ///
  /// Throws `.malformed` when it is not an integer in `range`.
  package func unsigned(
    _ key: String, in range: ClosedRange<UInt64>
  ) throws(EngineError) -> UInt64? {
    let number: UInt64?
    switch value(key) {
    case nil: return nil
    case .unsigned(let value): number = value
    case .signed(let value): number = UInt64(exactly: value)
    default: number = nil
    }
    guard let number, range.contains(number) else {
      throw mismatch(key, "an integer in \(range.lowerBound)..\(range.upperBound)")
    }
    return number
  }

  /// The value of a floating-point key, rounded to single precision; nil when absent.
  ///
  /// Throws `.malformed` for another type. NaN and infinity are passed on.
  package func float(_ key: String) throws(EngineError) -> Float? {
    switch value(key) {
    case nil: return nil
    case .float32(let value): return value
    case .float64(let value): return Float(value)
    default: throw mismatch(key, "a float")
    }
  }

  /// The value of a truth key; nil when absent.
  ///
  /// Throws `.malformed` for another type.
  package func bool(_ key: String) throws(EngineError) -> Bool? {
    switch value(key) {
    case nil: return nil
    case .bool(let value): return value
    default: throw mismatch(key, "a bool")
    }
  }

  /// The text of a string key; nil when absent.
  ///
  /// Throws `.malformed` for another type and for bytes that are not UTF-8.
  package func string(_ key: String) throws(EngineError) -> String? {
    switch value(key) {
    case nil: return nil
    case .string(let bytes):
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw mismatch(key, "a string in UTF-8")
      }
      return text
    default: throw mismatch(key, "a string")
    }
  }

  /// An array of strings; nil when absent.
  ///
  /// Throws `.malformed` for another type.
  package func strings(_ key: String) throws(EngineError) -> GGUFArray? {
    try array(key, "an array of strings") { $0 == .string }
  }

  /// An array of single or double floats; nil when absent.
  ///
  /// Throws `.malformed` for another type.
  package func floats(_ key: String) throws(EngineError) -> GGUFArray? {
    try array(key, "an array of floats") { $0 == .float32 || $0 == .float64 }
  }

  /// An array of integers of any width; nil when absent.
  ///
  /// Throws `.malformed` for another type.
  package func integers(_ key: String) throws(EngineError) -> GGUFArray? {
    try array(key, "an array of integers") { $0.isInteger }
  }

  private func array(
    _ key: String, _ expected: String, _ accepts: (GGUFValueType) -> Bool
  ) throws(EngineError) -> GGUFArray? {
    switch value(key) {
    case nil: return nil
    case .array(let array) where accepts(array.elementType): return array
    default: throw mismatch(key, expected)
    }
  }

  private func mismatch(_ key: String, _ expected: String) -> EngineError {
    let found = value(key)?.summary ?? "absent"
    return EngineError(
      .malformed, "\(file): key \(quoted(key)) is \(found); allowed is \(expected)")
  }
}
