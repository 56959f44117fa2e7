// IQ4_NL: 32 columns, 18 bytes: d (f16), 16 bytes of nibbles, low nibbles first. A code is a
// place in a table of sixteen steps (`IQ4Steps`). value = d step. Source: ggml, block_iq4_nl.
import Formats
import Kernels

package enum IQ4_NL: BlockType {
  package typealias Panel = PanelIQ4_NL
  package static let tensorType = TensorType.iq4_NL
  package static let panelType = PanelType.iq4_NL
  package static let fileByteCount = 18

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 2)
    unpackNibbles(block + 2, out)
  }
}
