// Q2_K: 256 columns in 16 sub-blocks, 84 bytes: scales and minimums (nibbles of 16 bytes, the scale
// low), 64 bytes of codes, d, dmin (f16). Column 128 n + 32 s + l is bits 2 s of byte 32 n + l.
// value = d scale code - dmin minimum. Source: ggml, block_q2_K.
import Formats
import Kernels

package enum Q2_K: BlockType {
  package typealias Panel = PanelQ2_K
  package static let tensorType = TensorType.q2_K
  package static let panelType = PanelType.q2_K
  package static let fileByteCount = 84

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    Bytes.load(block).store(out + Unpacked.scales)
    for half in 0..<2 {
      for i in 0..<2 {
        let bits = Bytes.load(block + (16 &+ half &* 32 &+ i &* 16))
        for s in 0..<4 {
          (bits &>> UInt8(2 &* s) & 3).store(out + (half &* 128 &+ s &* 32 &+ i &* 16))
        }
      }
    }
    (out + Unpacked.d).copyMemory(from: block + 80, byteCount: 4)
  }
}
