// Q3_K: 256 columns in 16 sub-blocks, 110 bytes: the third bits (bit c / 32 of byte c mod 32), 64
// bytes of two-bit codes as in Q2_K, 16 scales of 6 bits in 12 bytes, d (f16). value = d (scale -
// 32) (code - 4). Source: ggml, block_q3_K.
import Formats
import Kernels

package enum Q3_K: BlockType {
  package typealias Panel = PanelQ3_K
  package static let tensorType = TensorType.q3_K
  package static let panelType = PanelType.q3_K
  package static let fileByteCount = 110

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    for i in 0..<2 {
      var thirdBits = Bytes.load(block + i &* 16)
      for half in 0..<2 {
        let bits = Bytes.load(block + (32 &+ half &* 32 &+ i &* 16))
        for s in 0..<4 {
          let codes = bits &>> UInt8(2 &* s) & 3 | (thirdBits &>> UInt8(s) & 1) &<< 2
          codes.store(out + (half &* 128 &+ s &* 32 &+ i &* 16))
        }
        thirdBits = thirdBits &>> 4
      }
    }
    // Four scales a word: low nibbles in the first two words, high pairs of bits in the third.
    let first = (block + 96).loadUnaligned(as: UInt32.self)
    let second = (block + 100).loadUnaligned(as: UInt32.self)
    let third = (block + 104).loadUnaligned(as: UInt32.self)
    let low = SIMD4(first, second, first &>> 4, second &>> 4) & 0x0f0f_0f0f
    let high = SIMD4(third, third &>> 2, third &>> 4, third &>> 6) & 0x0303_0303
    let scales = unsafeBitCast(low | high &<< 4, to: Bytes.self)
    (scales &- 32).store(out + Unpacked.scales)
    (out + Unpacked.d).copyMemory(from: block + 108, byteCount: 2)
  }
}
