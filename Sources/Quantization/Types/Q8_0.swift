// Q8_0: 32 columns, 34 bytes: d (f16), 32 signed bytes. value = d byte. The code is the byte plus
// 128.
// Source: ggml, block_q8_0.
import Formats
import Kernels

package enum Q8_0: BlockType {
  package typealias Panel = PanelQ8_0
  package static let tensorType = TensorType.q8_0
  package static let panelType = PanelType.q8_0
  package static let fileByteCount = 34

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 2)
    for i in 0..<2 {
      (Bytes.load(block + (2 &+ i &* 16)) ^ 128).store(out + i &* 16)
    }
  }
}
