// The layout of one block of a panel, and of the activations that meet it. Packing (Quantization)
// writes what the products (Products/) read.
//
// A panel is sixteen rows of a matrix, block after block. A block of a panel holds, for 256 columns
// (k-quants) or 32 (the others):
//
//   codes         `CodeStorage`, one group after another
//   scales        k-quants: one byte a row and sub-block, in pairs: (2i, 2i + 1) of row 0, of
//   minimums      row 1, ...: 32 bytes a pair. Q2_K: both in one byte, the scale in the low nibble
//   d, dmin or m  sixteen half-precision values each
//
// Float matrices have no blocks: a column of a panel is sixteen values.

/// Rows of a panel.
public let panelRows = 16

/// The families of block: how codes, scales and offsets make a value.
public enum BlockFamily: Sendable {
  /// 256 columns in sub-blocks of 32: d scale code - dmin minimum.
  case affine32
  /// 256 columns in sub-blocks of 16: d scale code - dmin minimum, both of 4 bits.
  case affine16
  /// 256 columns in sub-blocks of 16: d scale (code - offset), the scale signed.
  case offset16
  /// 32 columns: d (code - offset).
  case offset
  /// 32 columns: d code + m.
  case affine
  /// Plain values.
  case float
}

/// Activations in 8 bits for 256 columns: what k-quants meet.
///
/// code = round(x / scale), scale = max|x| / 127; sums of codes go with offsets and minimums.
public enum Activation256 {
  public static let columns = 256
  /// 256 Int8 codes.
  @inlinable @inline(__always) public static var codes: Int { 0 }
  /// 16 Int16: sums of 16 codes.
  @inlinable @inline(__always) public static var sums16: Int { 256 }
  /// 8 Int16: sums of 32 codes.
  @inlinable @inline(__always) public static var sums32: Int { 288 }
  /// Float.
  @inlinable @inline(__always) public static var scale: Int { 304 }
  @inlinable @inline(__always) public static var byteCount: Int { 308 }
}

/// Activations in 8 bits for 32 columns: what the other integer types meet.
public enum Activation32 {
  public static let columns = 32
  /// 32 Int8 codes.
  @inlinable @inline(__always) public static var codes: Int { 0 }
  /// Float.
  @inlinable @inline(__always) public static var scale: Int { 32 }
  /// Float: scale times the sum of the codes.
  @inlinable @inline(__always) public static var scaledSum: Int { 36 }
  /// Int32: -128 times the sum of the codes; shifted right it is the offset of smaller codes.
  @inlinable @inline(__always) public static var bias: Int { 40 }
  @inlinable @inline(__always) public static var byteCount: Int { 44 }
}
