// Q6_K: 256 columns in 16 sub-blocks, 210 bytes: 128 bytes of low nibbles, 64 bytes of the two high
// bits, 16 signed scales, d (f16). In each half of 128 columns, column 32 s + l has its nibble in
// byte 32 (s mod 2) + l (low for s < 2, high else) and its high bits at 2 s of byte l. value = d
// scale (code - 32). Source: ggml, block_q6_K.
import Formats
import Kernels

package enum Q6_K: BlockType {
  package static let tensorType = TensorType.q6_K
  package static let panelType = PanelType.q6_K
  package static let family = BlockFamily.offset16
  package static let columns = 256
  package static let fileByteCount = 210
  package static let codeBits = 6
  package static let codeOffset: Int32 = 32

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    for half in 0..<2 {
      for i in 0..<4 {
        let first = Words.load(block + (half &* 64 &+ i &* 8))
        let second = Words.load(block + (half &* 64 &+ 32 &+ i &* 8))
        let high = Words.load(block + (128 &+ half &* 32 &+ i &* 8))
        let codes = out + (half &* 128 &+ i &* 8)
        let nibble = Words.bytes(15)
        let pair = Words.bytes(3)
        Words.store(first & nibble | (high & pair) &<< 4, codes)
        Words.store(second & nibble | (high &>> 2 & pair) &<< 4, codes + 32)
        Words.store(first &>> 4 & nibble | (high &>> 4 & pair) &<< 4, codes + 64)
        Words.store(second &>> 4 & nibble | (high &>> 6 & pair) &<< 4, codes + 96)
      }
    }
    (out + Unpacked.scales).copyMemory(from: block + 192, byteCount: 16)
    (out + Unpacked.d).copyMemory(from: block + 208, byteCount: 2)
  }
}
