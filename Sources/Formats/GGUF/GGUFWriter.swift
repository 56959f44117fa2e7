// The front of a GGUF file, before its tensors' data, put together key by key and tensor by tensor.
import Base

/// The header, the keys and the records of tensors of a GGUF file, version 3.
package struct GGUFHeaderWriter {
  /// A divisor of all tensors' offsets.
  private let alignment: Int
  private var keys = Growable<UInt8>()
  private var keyCount: UInt64 = 0
  private var records = Growable<UInt8>()
  private var tensorCount: UInt64 = 0

  /// `alignment` is a power of two of `Limits.alignment`, and must be among the keys, unless 32.
  package init(alignment: Int) { self.alignment = alignment }

  /// Adds a number.
  @export(interface)
  package mutating func add(_ key: String, _ value: UInt32) throws(EngineError) {
    try keys.append(string: key)
    try keys.append(integer: MetadataType.uint32.rawValue)
    try keys.append(integer: value)
    keyCount &+= 1
  }

  /// Adds a key of another file with its value, as that file has them.
  @export(interface)
  package mutating func copyKey(_ index: Int, of source: Checkpoint) throws(EngineError) {
    let range = try source.metadata.ranges.at(index)
    // The header's ceiling bounds the range.
    let count = Int(clamping: range.upperBound &- range.lowerBound)
    var copy = try Growable<UInt8>(filled: 0, count: count)
    try unsafe source.read(into: copy.first(count), part: 0, at: range.lowerBound)
    try keys.append(copy, 0, count)
    keyCount &+= 1
  }

  /// Adds the record of a tensor; `offset` is that of its bytes from the start of the data.
  @export(interface)
  package mutating func add(
    tensor name: String, _ type: TensorType, _ dimensions: [Int], offset: Int
  ) throws(EngineError) {
    try records.append(string: name)
    try records.append(integer: UInt32(clamping: dimensions.count))
    for index in below(dimensions.count) {
      try records.append(integer: UInt64(clamping: dimensions.at(index)))
    }
    try records.append(integer: type.rawValue)
    try records.append(integer: UInt64(clamping: offset))
    tensorCount &+= 1
  }

  /// Writes all of it to the start of a file; gives where the data starts.
  @export(interface)
  package func write(to file: OutputFile) throws(EngineError) -> UInt64 {
    var bytes = Growable<UInt8>()
    try bytes.append("GGUF")
    try bytes.append(integer: UInt32(3))
    try bytes.append(integer: tensorCount)
    try bytes.append(integer: keyCount)
    try bytes.append(keys, 0, keys.count)
    try bytes.append(records, 0, records.count)
    try unsafe file.write(UnsafeRawBufferPointer(bytes.all()), at: 0)
    return UInt64(clamping: (bytes.count &+ alignment &- 1) & (0 &- alignment))
  }
}

extension Growable<UInt8> {
  /// Appends an integer, little-endian.
  fileprivate mutating func append<Value: FixedWidthInteger>(
    integer value: Value
  ) throws(EngineError) {
    var shift = 0
    while shift < Value.bitWidth {
      try append(UInt8(truncatingIfNeeded: value >> shift))
      shift &+= 8
    }
  }

  /// Appends a length of eight bytes and a text.
  fileprivate mutating func append(string text: String) throws(EngineError) {
    try append(integer: UInt64(clamping: text.utf8.count))
    try append(text)
  }
}
