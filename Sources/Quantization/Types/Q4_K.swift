// Q4_K: 256 columns in 8 sub-blocks, 144 bytes: d, dmin (f16), 8 scales and 8 minimums of 6 bits in
// 12 bytes, 128 bytes of nibbles: byte 32 c + l holds columns 64 c + l (low) and 64 c + 32 + l
// (high). value = d scale code - dmin minimum. Source: ggml, block_q4_K.
import Formats
import Kernels

package enum Q4_K: BlockType {
  package typealias Panel = PanelQ4_K
  package static let tensorType = TensorType.q4_K
  package static let panelType = PanelType.q4_K
  package static let fileByteCount = 144

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 4)
    unpackSixBitScales(block + 4, out)
    for c in 0..<4 {
      for i in 0..<2 {
        let bits = Bytes.load(block + (16 &+ c &* 32 &+ i &* 16))
        (bits & 15).store(out + (c &* 64 &+ i &* 16))
        (bits &>> 4).store(out + (c &* 64 &+ 32 &+ i &* 16))
      }
    }
  }
}

/// The 12 bytes of eight scales and eight minimums of Q4_K and Q5_K.
func unpackSixBitScales(_ bytes: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
  // Four to a word: the low six bits of the first two words, and of the third a nibble each with
  // the two bits that those left.
  let first = bytes.loadUnaligned(as: UInt32.self)
  let second = (bytes + 4).loadUnaligned(as: UInt32.self)
  let third = (bytes + 8).loadUnaligned(as: UInt32.self)
  let scales = SIMD4(
    first & 0x3f3f_3f3f, third & 0x0f0f_0f0f | first &>> 2 & 0x3030_3030,
    second & 0x3f3f_3f3f, third &>> 4 & 0x0f0f_0f0f | second &>> 2 & 0x3030_3030)
  (out + Unpacked.scales).storeBytes(of: scales, as: SIMD4<UInt32>.self)
}
