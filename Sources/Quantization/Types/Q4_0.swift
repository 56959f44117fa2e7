// Q4_0: 32 columns, 18 bytes: d (f16), 16 bytes of nibbles, low nibbles first. value = d (code -
// 8).
// Source: ggml, block_q4_0.
import Formats
import Kernels

package enum Q4_0: BlockType {
  package static let tensorType = TensorType.q4_0
  package static let panelType = PanelType.q4_0
  package static let family = BlockFamily.offset
  package static let columns = 32
  package static let fileByteCount = 18
  package static let codeBits = 4
  package static let codeOffset: Int32 = 8

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 2)
    unpackNibbles(block + 2, out)
  }
}

/// 16 bytes of nibbles as 32 codes: the low ones, then the high ones.
func unpackNibbles(_ nibbles: UnsafeRawPointer, _ codes: UnsafeMutableRawPointer) {
  for i in 0..<2 {
    let bits = Words.load(nibbles + i &* 8)
    Words.store(bits & Words.bytes(15), codes + i &* 8)
    Words.store(bits &>> 4 & Words.bytes(15), codes + (16 &+ i &* 8))
  }
}
