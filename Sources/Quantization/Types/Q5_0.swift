// Q5_0: 32 columns, 22 bytes: d (f16), the fifth bits (u32, bit i of column i), 16 bytes of
// nibbles. value = d (code - 16). Source: ggml, block_q5_0.
import Formats
import Kernels

package enum Q5_0: BlockType {
  package typealias Panel = PanelQ5_0
  package static let tensorType = TensorType.q5_0
  package static let panelType = PanelType.q5_0
  package static let fileByteCount = 22

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 2)
    unpackNibbles(block + 6, out)
    addFifthBits(block + 2, out)
  }
}

/// Adds 16 to the codes whose bit is set in the four bytes at `bits`.
func addFifthBits(_ bits: UnsafeRawPointer, _ codes: UnsafeMutableRawPointer) {
  for i in 0..<2 {
    let p = codes + i &* 16
    (Bytes.load(p) | Bytes.spread(bits + i &* 2) &<< 4).store(p)
  }
}
