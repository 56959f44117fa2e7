// What a quantisation type says of itself: one file a type (Types/), one line in `BlockTypes.all`.
// All of a type's knowledge of bytes on disk is its `unpack`; packing into panels and reading
// values back follow from its family (`PanelPacking`, `PanelDecoding`), its products from its panel
// type (Kernels).
import Formats
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
}

/// One block of one row, taken apart: the common form between file and panel.
package enum Unpacked {
  /// Unsigned codes in the order of the columns, at most 256 bytes.
  static let codes = 0
  /// Scale of each sub-block, 16 bytes, signed or not as the family has it.
  static let scales = 256
  /// Minimum of each sub-block, 16 bytes.
  static let minimums = 272
  /// d, half precision.
  static let d = 288
  /// dmin or m, half precision.
  static let m = 290
  static let byteCount = 292
}

/// The types of block, in the order of their numbers in GGUF.
package enum BlockTypes {
  static let all: [any BlockType.Type] = [
    Q4_0.self, Q4_1.self, Q5_0.self, Q5_1.self, Q8_0.self,
    Q2_K.self, Q3_K.self, Q4_K.self, Q5_K.self, Q6_K.self,
  ]
}

/// Eight bytes at a time: codes come out of bit fields by shift and mask.
enum Words {
  static func load(_ p: UnsafeRawPointer) -> UInt64 { p.loadUnaligned(as: UInt64.self) }
  static func store(_ value: UInt64, _ p: UnsafeMutableRawPointer) {
    p.storeBytes(of: value, as: UInt64.self)
  }
  /// The byte `mask` eight times.
  static func bytes(_ mask: UInt8) -> UInt64 { UInt64(mask) &* 0x0101_0101_0101_0101 }
  /// Bit i of `bits` (i < 8) as byte i, 0 or 1.
  static func spread(_ bits: UInt8) -> UInt64 {
    // Each byte keeps its own bit of eight copies; adding 0x7f carries it to the top of the byte.
    let own = (UInt64(bits) &* 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201
    return ((own &+ 0x7f7f_7f7f_7f7f_7f7f) | own) &>> 7 & 0x0101_0101_0101_0101
  }
}
