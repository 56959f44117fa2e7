// Values of a model's metadata. Arrays are flat (one blob, and for strings where each ends), so
// a vocabulary of 2^17 strings is two allocations.
import Base

/// The type of a metadata value, by its id in GGUF.
package enum MetadataType: UInt32, Sendable {
  case uint8 = 0
  case int8 = 1
  case uint16 = 2
  case int16 = 3
  case uint32 = 4
  case int32 = 5
  case float32 = 6
  case bool = 7
  case string = 8
  case array = 9
  case uint64 = 10
  case int64 = 11
  case float64 = 12

  /// GGUF's name of the type, such as "uint32".
  package var name: String {
    switch self {
    case .uint8: "uint8"
    case .int8: "int8"
    case .uint16: "uint16"
    case .int16: "int16"
    case .uint32: "uint32"
    case .int32: "int32"
    case .float32: "float32"
    case .bool: "bool"
    case .string: "string"
    case .array: "array"
    case .uint64: "uint64"
    case .int64: "int64"
    case .float64: "float64"
    }
  }

  /// The fewest bytes of one element of an array: a string's length, anything else's size.
  var leastByteCount: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64, .string, .array: 8
    }
  }

  /// Whether the type is a number without fraction.
  var isInteger: Bool {
    switch self {
    case .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64: true
    case .float32, .bool, .string, .array, .float64: false
    }
  }
}

/// A value of the metadata.
///
/// The widths of integers are of no interest: writers differ in them.
package enum MetadataValue: Sendable {
  case unsigned(UInt64)
  case signed(Int64)
  case float32(Float)
  case float64(Double)
  case bool(Bool)
  case string([UInt8])
  case array(MetadataArray)

  /// The words of a sentence for the value: its type, and the value when it is short.
  var summary: String {
    switch self {
    case .unsigned(let value): "\(value)"
    case .signed(let value): "\(value)"
    case .float32(let value): "float \(value)"
    case .float64(let value): "float \(value)"
    case .bool(let value): "\(value)"
    case .string(let bytes): "string \(quoted(bytes))"
    case .array(let array): "an array of \(array.count) \(array.elementType.name)"
    }
  }
}

/// An array of the metadata.
///
/// Reading an element that is not there gives nothing: "", 0.
package struct MetadataArray: Sendable {
  /// The type of every element; never `.array`.
  package let elementType: MetadataType
  /// The number of elements.
  package let count: Int
  /// All elements one after another: the bytes of strings, or little-endian numbers.
  package let storage: [UInt8]
  /// Where each string ends in `storage`; empty for numbers.
  let ends: [UInt32]

  /// Where element `i` lies in `storage`; empty when there is no such element.
  package func range(_ i: Int) -> Range<Int> { place(i) ?? 0..<0 }

  @inline(__always)
  private func place(_ i: Int) -> Range<Int>? {
    guard i >= 0, i < count else { return nil }
    let start: Int
    let end: Int
    if elementType == .string {
      guard i < ends.count else { return nil }
      start = i == 0 ? 0 : Int(ends[i &- 1])
      end = Int(ends[i])
    } else {
      let size = elementType.leastByteCount
      (start, end) = (i &* size, (i &+ 1) &* size)
    }
    guard 0 <= start, 0 <= end, start <= end, end <= storage.count else { return nil }
    return start..<end
  }

  /// The bytes of element `i` of an array of strings.
  package func bytes(_ i: Int) -> ArraySlice<UInt8> {
    guard let place = place(i) else { return [] }
    return storage[place]
  }

  /// Element `i` of an array of numbers, rounded to single precision.
  package func float(_ i: Int) -> Float {
    switch elementType {
    case .float32: Float(bitPattern: load(i))
    case .float64: Float(Double(bitPattern: load(i)))
    case .uint64: Float(load(i) as UInt64)
    default: Float(integer(i))
    }
  }

  /// Element `i` of an array of integers or truth values, clamped to 64 signed bits; 0 for others.
  package func integer(_ i: Int) -> Int64 {
    switch elementType {
    case .uint8, .bool: Int64(load(i) as UInt8)
    case .int8: Int64(load(i) as Int8)
    case .uint16: Int64(load(i) as UInt16)
    case .int16: Int64(load(i) as Int16)
    case .uint32: Int64(load(i) as UInt32)
    case .int32: Int64(load(i) as Int32)
    case .uint64: Int64(clamping: load(i) as UInt64)
    case .int64: load(i)
    case .float32, .float64, .string, .array: 0
    }
  }

  /// Element `i` as a value of its own.
  @export(interface)
  package func value(_ i: Int) -> MetadataValue {
    switch elementType {
    case .string: .string(Array(bytes(i)))
    case .float32: .float32(Float(bitPattern: load(i)))
    case .float64: .float64(Double(bitPattern: load(i)))
    case .bool: .bool(integer(i) != 0)
    case .uint64: .unsigned(load(i))
    case .uint8, .uint16, .uint32: .unsigned(UInt64(clamping: integer(i)))
    case .int8, .int16, .int32, .int64, .array: .signed(integer(i))
    }
  }

  private func load<Value: FixedWidthInteger & BitwiseCopyable>(_ i: Int) -> Value {
    let range = range(i)
    guard range.count == MemoryLayout<Value>.size else { return 0 }
    return unsafe storage.withUnsafeBytes { bytes in
      // SAFETY: `range` lies in the storage and is as long as the value; any bits are an integer.
      Value(
        littleEndian: unsafe bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: Value.self))
    }
  }
}
