// Q6_K: 256 columns in 16 sub-blocks, 210 bytes: 128 bytes of low nibbles, 64 bytes of the two high
// bits, 16 signed scales, d (f16). In each half of 128 columns, column 32 s + l has its nibble in
// byte 32 (s mod 2) + l (low for s < 2, high else) and its high bits at 2 s of byte l. value = d
// scale (code - 32). Source: ggml, block_q6_K.
import Formats
import Kernels

package enum Q6_K: BlockType {
  package typealias Panel = PanelQ6_K
  package static let tensorType = TensorType.q6_K
  package static let panelType = PanelType.q6_K
  package static let fileByteCount = 210

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    for half in 0..<2 {
      for i in 0..<2 {
        let first = Bytes.load(block + (half &* 64 &+ i &* 16))
        let second = Bytes.load(block + (half &* 64 &+ 32 &+ i &* 16))
        let high = Bytes.load(block + (128 &+ half &* 32 &+ i &* 16))
        let codes = out + (half &* 128 &+ i &* 16)
        (first & 15 | (high & 3) &<< 4).store(codes)
        (second & 15 | (high &>> 2 & 3) &<< 4).store(codes + 32)
        (first &>> 4 | (high &>> 4 & 3) &<< 4).store(codes + 64)
        (second &>> 4 | (high &>> 6) &<< 4).store(codes + 96)
      }
    }
    (out + Unpacked.scales).copyMemory(from: block + 192, byteCount: 16)
    (out + Unpacked.d).copyMemory(from: block + 208, byteCount: 2)
  }
}
