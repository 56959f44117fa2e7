// Q5_K: 256 columns in 8 sub-blocks, 176 bytes: d, dmin (f16), scales and minimums as in Q4_K, the
// fifth bits (bit j of byte l is column 32 j + l), 128 bytes of nibbles as in Q4_K. value = d scale
// code - dmin minimum. Source: ggml, block_q5_K.
import Formats
import Kernels

package enum Q5_K: BlockType {
  package typealias Panel = PanelQ5_K
  package static let tensorType = TensorType.q5_K
  package static let panelType = PanelType.q5_K
  package static let fileByteCount = 176

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 4)
    unpackSixBitScales(block + 4, out)
    for i in 0..<2 {
      let fifthBits = Bytes.load(block + (16 &+ i &* 16))
      for c in 0..<4 {
        let bits = Bytes.load(block + (48 &+ c &* 32 &+ i &* 16))
        let codes = out + (c &* 64 &+ i &* 16)
        (bits & 15 | (fifthBits &>> UInt8(2 &* c) & 1) &<< 4).store(codes)
        (bits &>> 4 | (fifthBits &>> UInt8(2 &* c &+ 1) & 1) &<< 4).store(codes + 32)
      }
    }
  }
}
