// The metadata of a model as JSON text, written when it is asked for and kept nowhere: escapes make
// it up to six times as long as the file's own.
import Base

/// How many tensors and bytes there are of a type.
package struct TensorTypeSum: Sendable {
  package let type: TensorType
  package let count: Int
  package let byteCount: UInt64
}

/// The metadata of a model, and what can be said of it in JSON.
package struct MetadataText: Sendable {
  let metadata: Metadata
  /// In order of appearance.
  let types: [TensorTypeSum]

  /// The object's own member, in the place of a key of the file that has its name.
  private static let tensors = "tensors"

  /// Writes the JSON text of one key's value, or with a nil key that of all.
  ///
  /// All are one object of the keys in file order, in which arrays of more than 64 elements are
  /// `{"type": …, "count": …}`, and at its end "tensors", the count and bytes of each tensor type.
  ///
  /// The number of bytes that the text has, of which those that have no room in `memory` are not
  /// written; nil when the key is absent.
  @export(interface)
  package func write(
    _ key: String?, into memory: UnsafeMutableBufferPointer<UInt8>
  ) throws(EngineError) -> Int? {
    var writer = unsafe JSONWriter(into: memory)
    if let key {
      guard let value = metadata.value(key) else { return nil }
      writer.value(value, longest: .max)
      return writer.count
    }
    let replaced = metadata.index(of: Self.tensors)
    writer.raw("{")
    for index in below(metadata.keys.count) where index != replaced {
      writer.string(try metadata.keys.at(index))
      writer.raw(": ")
      writer.value(try metadata.values.at(index), longest: Limits.listedArrayCount)
      writer.raw(", ")
    }
    writer.string(Self.tensors)
    writer.raw(": {")
    for index in below(types.count) {
      let sum = try types.at(index)
      writer.separate(index)
      writer.string(sum.type.name)
      writer.raw(": {\"count\": ")
      writer.integer(sum.count)
      writer.raw(", \"bytes\": ")
      writer.integer(sum.byteCount)
      writer.raw("}")
    }
    writer.raw("}}")
    return writer.count
  }
}
