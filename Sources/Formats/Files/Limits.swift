// The ceilings of what a file may claim. Each is far above what models need and low enough that the
// work and memory it allows stay bounded. A claim is compared with the bytes left in the file
// first.

/// The engine's ceilings for files, each with its reason.
package enum Limits {
  /// Tensors of one model: 8x22B in the layout with one tensor an expert has 1739.
  package static let tensorCount: UInt64 = 65_536
  /// Keys of one file: real ones have fewer than 100.
  package static let keyCount: UInt64 = 65_536
  /// Bytes of a key, by the GGUF specification.
  package static let keyByteCount: UInt64 = 65_535
  /// Bytes of a tensor's name, by the GGUF specification.
  package static let tensorNameByteCount: UInt64 = 64
  /// Bytes of one string value: the longest in use are chat templates of some 100 KiB.
  package static let stringByteCount: UInt64 = 16 << 20
  /// Elements of one array: vocabularies have up to 2^18, merges as many.
  package static let arrayCount: UInt64 = 16 << 20
  /// Bytes before the tensor data: keeps every offset into the metadata within 32 bits.
  package static let headerByteCount: UInt64 = 1 << 30
  /// Dimensions of a tensor, by the GGUF specification.
  package static let dimensionCount: UInt32 = 4
  /// The size of a dimension of a tensor.
  package static let dimension: UInt64 = 1 << 40
  /// Weights of one tensor: no sum over its bytes can then wrap.
  package static let weightCount: UInt64 = 1 << 48
  /// The alignment of tensor data, a power of two: what is read is copied, so any will do.
  package static let alignment: ClosedRange<UInt64> = 1...65_536
  /// Files of a split model: each holds a descriptor open while the model loads.
  package static let partCount: UInt64 = 1_024
  /// Elements of an array that the JSON of all metadata still spells out.
  package static let listedArrayCount = 64
}
