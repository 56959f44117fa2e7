// IQ4_XS: 256 columns in 8 sub-blocks, 136 bytes: d (f16), the two high bits of 8 scales (u16, bits
// 2 i of scale i), their low nibbles (4 bytes, low first), 128 bytes of nibbles: byte 16 i + l has
// columns 32 i + l (low) and 32 i + 16 + l (high). A code is a place in a table of sixteen steps
// (`IQ4Steps`). value = d (scale - 32) step. Source: ggml, block_iq4_xs.
import Formats
import Kernels

package enum IQ4_XS: BlockType {
  package typealias Panel = PanelIQ4_XS
  package static let tensorType = TensorType.iq4_XS
  package static let panelType = PanelType.iq4_XS
  package static let fileByteCount = 136

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 2)
    let high = (block + 2).loadUnaligned(as: UInt16.self)
    let low = (block + 4).loadUnaligned(as: UInt32.self)
    for i in 0..<8 {
      let bits = UInt8(truncatingIfNeeded: low &>> UInt32(truncatingIfNeeded: 4 &* i)) & 15
      let more = UInt8(truncatingIfNeeded: high &>> UInt16(truncatingIfNeeded: 2 &* i)) & 3
      (out + (Unpacked.scales &+ i)).storeBytes(of: (bits | more &<< 4) &- 32, as: UInt8.self)
      unpackNibbles(block + (8 &+ i &* 16), out + i &* 32)
    }
  }
}
