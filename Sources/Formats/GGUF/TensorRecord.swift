// The records of tensors in the header of a GGUF file.
import Base

/// A tensor's record in the header, its offset still relative to the data.
struct TensorRecord {
  let name: String
  let type: TensorType
  let dimensions: [Int]
  let relativeOffset: UInt64
  let byteCount: Int

  /// The fewest bytes of a record: length, one byte of name, dimensions, one of them, type, offset.
  static let leastByteCount: UInt64 = 8 + 1 + 4 + 8 + 4 + 8
}

extension CheckedReader {
  /// Reads the record of tensor `index`.
  mutating func tensorRecord(
    _ index: UInt64, _ packedBlock: PackedBlock
  ) throws(EngineError) -> TensorRecord {
    let name = try tensorName(index)
    let dimensions = try tensorDimensions(of: name)
    let type = TensorType(
      rawValue: try integer("the type of tensor \(quoted(name))", as: UInt32.self))
    let byteCount = try tensorByteCount(name, type, dimensions, packedBlock)
    let offset: UInt64 = try integer("the offset of tensor \(quoted(name))")
    return TensorRecord(
      name: name, type: type, dimensions: dimensions, relativeOffset: offset, byteCount: byteCount)
  }

  /// The bytes of a tensor; 0 for one beside the model whose type is not known, as nobody reads it.
  private func tensorByteCount(
    _ name: String, _ type: TensorType, _ dimensions: [Int], _ packedBlock: PackedBlock
  ) throws(EngineError) -> Int {
    let packed = type.isPacked ? packedBlock(type) : nil
    guard let weightsPerBlock = packed?.weights ?? type.weightsPerBlock,
      let bytesPerBlock = packed?.bytes ?? type.bytesPerBlock
    else {
      if GGUF.isBeside(name) { return 0 }
      throw error(
        .unsupported,
        "tensor \(quoted(name)) has type id \(type.rawValue), which is not a known tensor type"
          + (type.name.hasPrefix("type") ? "" : ": \(type.name)"))
    }
    let (weightCount, overflow) = product(dimensions)
    guard !overflow, UInt64(clamping: weightCount) <= Limits.weightCount else {
      throw error(
        .malformed,
        "the element count of tensor \(quoted(name)) overflows: \(shape(dimensions)); allowed are "
          + "\(Limits.weightCount)")
    }
    let width = try dimensions.at(0)
    guard weightsPerBlock > 0, width % weightsPerBlock == 0 else {
      throw error(
        .malformed,
        "dimension 0 of tensor \(quoted(name)) is \(width); type \(type.name) needs a "
          + "multiple of \(weightsPerBlock)")
    }
    // At most 2^48 blocks of at most 292 bytes, or 2^48 rows rounded up to 16 (of which a panel's
    // block has at most 64 bytes a weight): no overflow.
    return type.isPacked
      ? panelCount(dimensions) &* (width / weightsPerBlock) &* bytesPerBlock
      : weightCount / weightsPerBlock &* bytesPerBlock
  }

  private mutating func tensorName(_ index: UInt64) throws(EngineError) -> String {
    let length: UInt64 = try integer("the name's length of tensor \(index)")
    guard length >= 1, length <= Limits.tensorNameByteCount else {
      throw error(
        .malformed,
        "the name of tensor \(index) has \(length) bytes; allowed are "
          + "1..\(Limits.tensorNameByteCount)")
    }
    return try name(byteCount: Int(length), "the name of tensor \(index)")
  }

  /// Reads a name that must be UTF-8 without NUL.
  mutating func name(
    byteCount: Int, _ field: @autoclosure () -> String
  ) throws(EngineError) -> String {
    var taken = Growable<UInt8>()
    try append(byteCount, to: &taken, field())
    let bytes = try taken.array()
    guard !bytes.contains(0) else {
      throw error(.malformed, "\(field()) has a NUL byte: \(quoted(bytes))")
    }
    guard let name = String(validating: bytes, as: UTF8.self) else {
      throw error(.malformed, "\(field()) is not UTF-8: \(quoted(bytes))")
    }
    return name
  }

  private mutating func tensorDimensions(of name: String) throws(EngineError) -> [Int] {
    let count: UInt32 = try integer("the dimension count of tensor \(quoted(name))")
    guard count >= 1, count <= Limits.dimensionCount else {
      throw error(
        .malformed,
        "tensor \(quoted(name)) has \(count) dimensions; allowed are 1..\(Limits.dimensionCount)")
    }
    var dimensions = Growable<Int>()
    while dimensions.count < Int(count) {
      let size: UInt64 = try integer("a dimension of tensor \(quoted(name))")
      guard size >= 1, size <= Limits.dimension else {
        throw error(
          .malformed,
          "dimension \(dimensions.count) of tensor \(quoted(name)) is \(size); allowed is "
            + "1..\(Limits.dimension)")
      }
      try dimensions.append(Int(clamping: size))
    }
    return try dimensions.array()
  }
}

/// Panels of a packed tensor: those of its rows, for each of the matrices that it holds.
private func panelCount(_ dimensions: [Int]) -> Int {
  let rows = dimensions.count > 1 ? dimensions[1] : 1
  return dimensions.dropFirst(2).reduce((rows &+ 15) / 16) { $0 &* $1 }
}

private func product(_ dimensions: [Int]) -> (value: Int, overflow: Bool) {
  var value = 1
  for size in dimensions {
    let (next, overflow) = value.multipliedReportingOverflow(by: size)
    guard !overflow else { return (0, true) }
    value = next
  }
  return (value, false)
}
