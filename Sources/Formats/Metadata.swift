// The keys of a model's files and what they say, under the names that the files have for them. A
// wrong value is named with its key and what is allowed.
import Base

/// The metadata of a model on disk, in the order of the file.
package struct Metadata: Sendable {
  /// All keys, each once, in file order.
  package var keys: [String] { names.names }
  private(set) var values: [MetadataValue] = []
  /// Where each key with its value lies in the file.
  package private(set) var ranges: [Range<UInt64>] = []
  private var names = NameTable()
  private let file: String

  /// Nothing yet; `file` is the quoted name for sentences.
  init(file: String) { self.file = file }

  /// Adds a key; false when it is there already.
  mutating func append(
    _ key: String, _ value: MetadataValue, at range: Range<UInt64>
  ) throws(EngineError) -> Bool {
    guard try names.append(key) else { return false }
    values.append(value)
    ranges.append(range)
    return true
  }

  /// The place of a key among `keys`; nil when absent.
  func index(of key: String) -> Int? { names.index(of: key) }

  /// Whether the file has the key.
  package func contains(_ key: String) -> Bool { index(of: key) != nil }

  /// The value of a key; nil when absent.
  @export(interface)
  package func value(_ key: String) -> MetadataValue? {
    guard let index = index(of: key), index < values.count else { return nil }
    return values[index]
  }

  /// The file's entry for a key.
  @export(interface)
  package func entry(_ key: String) -> MetadataEntry {
    MetadataEntry(key: key, value: value(key), file: file)
  }

  /// The value of an integer key (`MetadataEntry.unsigned`).
  package func unsigned(
    _ key: String, in range: ClosedRange<UInt64>
  ) throws(EngineError) -> UInt64? { try entry(key).unsigned(in: range) }

  /// The value of a floating-point key (`MetadataEntry.float`).
  package func float(_ key: String) throws(EngineError) -> Float? { try entry(key).float() }

  /// The value of a truth key (`MetadataEntry.bool`).
  package func bool(_ key: String) throws(EngineError) -> Bool? { try entry(key).bool() }

  /// The text of a string key (`MetadataEntry.string`).
  package func string(_ key: String) throws(EngineError) -> String? { try entry(key).string() }

  /// An array of strings (`MetadataEntry.strings`).
  package func strings(_ key: String) throws(EngineError) -> MetadataArray? {
    try entry(key).strings()
  }

  /// An array of floats (`MetadataEntry.floats`).
  package func floats(_ key: String) throws(EngineError) -> MetadataArray? {
    try entry(key).floats()
  }

  /// An array of integers (`MetadataEntry.integers`).
  package func integers(_ key: String) throws(EngineError) -> MetadataArray? {
    try entry(key).integers()
  }
}
