// The types of plain values: nothing to take apart, so packing turns rows into columns and no more.
// Each spells its own loads: code that stays generic would keep checks of the compiler.
import Kernels

/// A type of plain values.
protocol PlainType: SendableMetatype {
  /// The column of a panel that its values become.
  associatedtype Panel: ValueStorage
  /// Bytes of a value.
  static var byteCount: Int { get }
  /// Value `index` of a row as the file has it.
  static func value(_ values: UnsafeRawPointer, _ index: Int) -> Float
  /// Packs `rowCount` (1...16) rows of `columns` values, `rowStride` bytes apart, into `panel`.
  static func pack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, columns: Int,
    into panel: UnsafeMutableRawPointer)
}

enum SinglePrecision: PlainType {
  typealias Panel = F32
  static var byteCount: Int { 4 }

  static func value(_ values: UnsafeRawPointer, _ index: Int) -> Float {
    values.loadUnaligned(fromByteOffset: index &* 4, as: Float.self)
  }

  static func pack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, columns: Int,
    into panel: UnsafeMutableRawPointer
  ) {
    placeValues(
      UInt32.self, rows, rowStride: rowStride, rowCount: rowCount, columns: columns, into: panel)
  }
}

enum HalfPrecision: PlainType {
  typealias Panel = F16
  static var byteCount: Int { 2 }

  static func value(_ values: UnsafeRawPointer, _ index: Int) -> Float {
    Float(Float16(bitPattern: values.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)))
  }

  static func pack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, columns: Int,
    into panel: UnsafeMutableRawPointer
  ) {
    placeValues(
      UInt16.self, rows, rowStride: rowStride, rowCount: rowCount, columns: columns, into: panel)
  }
}

enum BrainFloat: PlainType {
  typealias Panel = BF16
  static var byteCount: Int { 2 }

  static func value(_ values: UnsafeRawPointer, _ index: Int) -> Float {
    let bits = values.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
    return Float(bitPattern: UInt32(bits) &<< 16)
  }

  static func pack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, columns: Int,
    into panel: UnsafeMutableRawPointer
  ) {
    HalfPrecision.pack(
      rows: rows, rowStride: rowStride, rowCount: rowCount, columns: columns, into: panel)
  }
}
