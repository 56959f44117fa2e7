// A tensor of a model on disk: what and where, not its weights.

/// A tensor's description, checked: its type is known and its bytes lie inside its file.
package struct StoredTensor: Sendable {
  /// Its name in the files, unique in the model; in GGUF 1 to 64 bytes of UTF-8.
  package let name: String
  /// How its weights are stored; known, unless the tensor is beside the model.
  package let type: TensorType
  /// The sizes, one to four, each at least 1; the first is contiguous and whole blocks.
  package let dimensions: [Int]
  /// The index of the file that holds it, from 0.
  package let part: Int
  /// Where its bytes start in that file.
  package let offset: UInt64
  /// The size of its bytes; 0 where the type is not known.
  package let byteCount: Int
}

/// Spells dimensions as sentences do: "4096 x 14336 x 8".
package func shape(_ dimensions: [Int]) -> String {
  dimensions.map(String.init).joined(separator: " x ")
}
