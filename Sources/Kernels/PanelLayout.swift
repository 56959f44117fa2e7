// The layout of one block of a panel, and of the activations that meet it. Packing (Packing.swift)
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
// IQ4_XS has eight scales a row and no minimums.
//
// Float matrices have no blocks: a column of a panel is sixteen values.

/// Rows of a panel.
@inlinable @inline(__always) public var panelRows: Int { 16 }

/// Bytes of the values of 256 columns of a panel (`KernelTable.Tile`): the largest block, or as
/// many smaller ones.
@inlinable @inline(__always) public var tileByteCount: Int { 256 * 16 * 4 }

/// A block of a panel of one type: how it lies in memory, how it is written, read and multiplied.
///
/// Its conformances are the families of block (Products/); `PanelType` names them.
public protocol PanelBlock: SendableMetatype {
  associatedtype Codes: CodeStorage
  /// Columns of a block: 32 or 256.
  static var columns: Int { get }
  static var byteCount: Int { get }
  /// Bytes of scales and minimums a row, between the codes and d: 16, 8 or none.
  static var scaleByteCount: Int { get }
  /// Whether an `m` (or dmin) of each row follows its d.
  static var hasMinimums: Bool { get }
  /// Bytes of the activations that a block meets: `Activation32` or `Activation256`.
  static var activationByteCount: Int { get }

  /// Writes the values of columns 32 `group` to 32 `group` + 31 of the lanes of `part`, each column
  /// sixteen floats after the one before.
  ///
  /// `codes` and `tail` are the block's, at the lanes of `part`: of codes and of half-precision
  /// values.
  static func values<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer,
    _ out: UnsafeMutablePointer<Float>)

  /// Adds a block, of the lanes of `part`, times `M` rows of activations to the outputs.
  ///
  /// `codes` and `tail` are the block's, at the lanes of `part`: of codes, as `Reading` reads them,
  /// and of half-precision values. `streams`: asks for what follows them in the panel.
  static func add<ISA: ProductISA, Reading: CodeReading, let M: Int>(
    _ isa: ISA.Type, _ reading: Reading.Type, _ outputs: inout InlineArray<M, ISA.Outputs>,
    _ part: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer, _ a: UnsafeRawPointer,
    _ rowStride: Int, _ streams: Bool)
}

extension PanelBlock {
  /// Where the scales lie in a block: after the codes.
  @inlinable @inline(__always)
  public static var tail: Int { columns / 32 * Codes.groupByteCount }

  /// The values of `blocks` blocks of a panel, as a panel of F32 has them: out[column][row].
  @inlinable @inline(__always)
  public static func tile<ISA: ProductISA>(
    _ isa: ISA.Type, _ w: UnsafeRawPointer, _ blocks: Int, _ out: UnsafeMutablePointer<Float>
  ) {
    for block in 0..<blocks {
      let w = w + block * byteCount
      for group in 0..<columns / 32 {
        let out = out + (block * columns + group * 32) * panelRows
        for part in 0..<ISA.parts {
          values(
            isa, group, w + (group * Codes.groupByteCount + part * ISA.lanes * 4),
            w + (tail + part * ISA.lanes * 2), out + part * ISA.lanes)
        }
      }
    }
  }
}

/// Writes the values of the columns of `vectors` (of 0..<8) of a group of codes; `value` makes a
/// value of a code.
@inlinable @inline(__always)
public func writeColumns<ISA: ProductISA, Codes: CodeStorage>(
  _ isa: ISA.Type, _ codes: Codes.Type, _ group: UnsafeRawPointer, _ vectors: Range<Int>,
  _ out: UnsafeMutablePointer<Float>, _ value: (ISA.Floats) -> ISA.Floats
) {
  for i in vectors {
    let vector = Codes.vector(isa, group, i)
    for place in 0..<4 {
      ISA.storeFloats(
        out + (i * 4 + place) * panelRows, value(ISA.float(ISA.byte(vector, place))))
    }
  }
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
