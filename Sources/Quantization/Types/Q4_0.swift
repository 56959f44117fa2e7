// Q4_0: 32 columns, 18 bytes: d (f16), 16 bytes of nibbles, low nibbles first. value = d (code -
// 8).
// Source: ggml, block_q4_0.
import Formats
import Kernels

package enum Q4_0: BlockType {
  package typealias Panel = PanelQ4_0
  package static let tensorType = TensorType.q4_0
  package static let panelType = PanelType.q4_0
  package static let fileByteCount = 18

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 2)
    unpackNibbles(block + 2, out)
  }
}

/// 16 bytes of nibbles as 32 codes: the low ones, then the high ones.
func unpackNibbles(_ nibbles: UnsafeRawPointer, _ codes: UnsafeMutableRawPointer) {
  let bits = Bytes.load(nibbles)
  (bits & 15).store(codes)
  (bits &>> 4).store(codes + 16)
}
