// Q5_1: 32 columns, 24 bytes: d, m (f16), the fifth bits (u32), 16 bytes of nibbles. value = d code
// + m.
// Source: ggml, block_q5_1.
import Formats
import Kernels

package enum Q5_1: BlockType {
  package typealias Panel = PanelQ5_1
  package static let tensorType = TensorType.q5_1
  package static let panelType = PanelType.q5_1
  package static let fileByteCount = 24

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 4)
    unpackNibbles(block + 8, out)
    addFifthBits(block + 4, out)
  }
}
