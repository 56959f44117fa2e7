// What a quantisation type says of itself: one file a type (Types/), one line in
// `PanelFormat.formats`. All of a type's knowledge of bytes on disk is its `unpack`; packing into
// panels and reading values back follow from its family (`PanelPacking`, `PanelDecoding`), its
// products from its panel type (Kernels).
import Formats
import Intrinsics
import Kernels

/// A type of block of a GGUF file.
package protocol BlockType: SendableMetatype {
  static var tensorType: TensorType { get }
  static var panelType: PanelType { get }
  static var family: BlockFamily { get }
  /// Columns of a block: 32 or 256.
  static var columns: Int { get }
  /// Bytes of a block in the file.
  static var fileByteCount: Int { get }
  /// Bits of a code in a panel.
  static var codeBits: Int { get }
  /// What the codes are above their values.
  static var codeOffset: Int32 { get }
  /// Reads one block of the file.
  ///
  /// `block` is `fileByteCount` bytes at any alignment; `out` is `Unpacked.byteCount` writable
  /// bytes.
  static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer)
  /// Reads one block each of `rowCount` rows, `rowStride` bytes apart; `out` has room for them.
  ///
  /// A requirement, so that the loop is compiled for each type, with its `unpack` inside.
  static func unpack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, _ out: UnsafeMutableRawPointer)
}

extension BlockType {
  package static func unpack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, _ out: UnsafeMutableRawPointer
  ) {
    var row = 0
    while row < rowCount {
      unpack(rows + row &* rowStride, out + row &* Unpacked.byteCount)
      row &+= 1
    }
  }
}

/// One block of one row, taken apart: the common form between file and panel.
package enum Unpacked {
  /// Unsigned codes in the order of the columns, at most 256 bytes.
  static let codes = 0
  /// Of 256 columns: 16 bytes of scales and minimums, as the family has them in a panel.
  ///
  /// affine32: 8 scales, then 8 minimums; affine16: 16 scales, minimums in the high nibbles;
  /// offset16: 16 scales, signed.
  static let scales = 256
  /// d, half precision.
  static let d = 272
  /// dmin or m, half precision.
  static let m = 274
  /// A multiple of 16, so that each row of a panel is aligned.
  static let byteCount = 288
}

/// Sixteen bytes at a time: codes come out of bit fields by shift and mask.
typealias Bytes = SIMD16<UInt8>

extension Bytes {
  static func load(_ p: UnsafeRawPointer) -> Bytes { p.loadUnaligned(as: Bytes.self) }

  func store(_ p: UnsafeMutableRawPointer) { p.storeBytes(of: self, as: Bytes.self) }

  /// Bit i of the two bytes at `p` as lane i, 0 or 1.
  static func spread(_ p: UnsafeRawPointer) -> Bytes {
    unsafeBitCast(v128_spread(p.loadUnaligned(as: UInt16.self)), to: Bytes.self)
  }
}
