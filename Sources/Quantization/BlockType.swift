// The description of a quantisation type: one file a type (Types/), one line in `PanelFormat`. All
// of a type's knowledge of bytes on disk is its `unpack`; how a panel holds it, packing, values and
// products follow from its `PanelBlock` (Kernels).
import Base
import Formats
import Kernels

/// A type of block of a GGUF file.
package protocol BlockType: SendableMetatype {
  /// The block of a panel that it becomes.
  associatedtype Panel: PanelBlock
  static var tensorType: TensorType { get }
  static var panelType: PanelType { get }
  /// Bytes of a block in the file.
  static var fileByteCount: Int { get }
  /// Reads one block of the file.
  ///
  /// `block` is `fileByteCount` bytes at any alignment; `out` is `Unpacked.byteCount` writable
  /// bytes.
  static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer)
}

extension BlockType {
  /// Packs `rowCount` (1...16) rows of `blocks` blocks, `rowStride` bytes apart, into `panel`.
  ///
  /// Compiled for each type, with its `unpack` inside.
  static func pack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, blocks: Int,
    into panel: UnsafeMutableRawPointer
  ) throws(EngineError) {
    try withUnsafeTemporaryAllocation(
      byteCount: Unpacked.rowsByteCount, alignment: 16
    ) { scratch throws(EngineError) in
      guard let unpacked = scratch.baseAddress else {
        throw EngineError(.internal, "packing has no memory for its rows")
      }
      // Rows that are not there stay zero.
      if rowCount < panelRows {
        unpacked.initializeMemory(as: UInt8.self, repeating: 0, count: Unpacked.rowsByteCount)
      }
      var from = rows
      var to = panel
      var left = blocks
      while left > 0 {
        for row in below(rowCount) {
          unpack(from + row &* rowStride, unpacked + row &* Unpacked.byteCount)
        }
        Panel.place(unpacked, into: to)
        from += fileByteCount
        to += Panel.byteCount
        left &-= 1
      }
    }
  }
}

/// Sixteen bytes at a time: codes come out of bit fields by shift and mask.
typealias Bytes = SIMD16<UInt8>

extension Bytes {
  static func load(_ p: UnsafeRawPointer) -> Bytes { p.loadUnaligned(as: Bytes.self) }

  func store(_ p: UnsafeMutableRawPointer) { p.storeBytes(of: self, as: Bytes.self) }

  /// Bit i of the two bytes at `p` as lane i, 0 or 1.
  @inline(__always)
  static func spread(_ p: UnsafeRawPointer) -> Bytes {
    let own = SIMD8<UInt8>(1, 2, 4, 8, 16, 32, 64, 128)
    let bits = Bytes(
      lowHalf: SIMD8(repeating: p.load(as: UInt8.self)) & own,
      highHalf: SIMD8(repeating: (p + 1).load(as: UInt8.self)) & own)
    return Bytes(repeating: 1).replacing(with: 0, where: bits .== 0)
  }
}
