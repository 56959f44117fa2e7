// Q3_K: 256 columns in 16 sub-blocks, 110 bytes: the third bits (bit c / 32 of byte c mod 32), 64
// bytes of two-bit codes as in Q2_K, 16 scales of 6 bits in 12 bytes, d (f16). value = d (scale -
// 32) (code - 4). Source: ggml, block_q3_K.
import Formats
import Kernels

package enum Q3_K: BlockType {
  package static let tensorType = TensorType.q3_K
  package static let panelType = PanelType.q3_K
  package static let family = BlockFamily.offset16
  package static let columns = 256
  package static let fileByteCount = 110
  package static let codeBits = 3
  package static let codeOffset: Int32 = 4

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    unpackPairsOfBits(block + 32, out)
    for i in 0..<4 {
      let bits = Words.load(block + i &* 8)
      for s in 0..<8 {
        let p = out + (s &* 32 &+ i &* 8)
        Words.store(Words.load(p) | (bits &>> UInt64(s) & Words.bytes(1)) &<< 2, p)
      }
    }
    let scales = block + 96
    for k in 0..<16 {
      let low = scales.load(fromByteOffset: k & 7, as: UInt8.self) &>> (k < 8 ? 0 : 4) & 15
      let high = scales.load(fromByteOffset: 8 &+ (k & 3), as: UInt8.self)
      let scale = low | (high &>> UInt8(2 &* (k &>> 2)) & 3) &<< 4
      (out + (Unpacked.scales &+ k)).storeBytes(of: scale &- 32, as: UInt8.self)
    }
    (out + Unpacked.d).copyMemory(from: block + 108, byteCount: 2)
  }
}
