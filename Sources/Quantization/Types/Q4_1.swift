// Q4_1: 32 columns, 20 bytes: d, m (f16), 16 bytes of nibbles, low nibbles first. value = d code +
// m.
// Source: ggml, block_q4_1.
import Formats
import Kernels

package enum Q4_1: BlockType {
  package typealias Panel = PanelQ4_1
  package static let tensorType = TensorType.q4_1
  package static let panelType = PanelType.q4_1
  package static let fileByteCount = 20

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 4)
    unpackNibbles(block + 4, out)
  }
}
