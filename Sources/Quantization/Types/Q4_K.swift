// Q4_K: 256 columns in 8 sub-blocks, 144 bytes: d, dmin (f16), 8 scales and 8 minimums of 6 bits in
// 12 bytes, 128 bytes of nibbles: byte 32 c + l holds columns 64 c + l (low) and 64 c + 32 + l
// (high). value = d scale code - dmin minimum. Source: ggml, block_q4_K.
import Formats
import Kernels

package enum Q4_K: BlockType {
  package static let tensorType = TensorType.q4_K
  package static let panelType = PanelType.q4_K
  package static let family = BlockFamily.affine32
  package static let columns = 256
  package static let fileByteCount = 144
  package static let codeBits = 4
  package static let codeOffset: Int32 = 0

  package static func unpack(_ block: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
    (out + Unpacked.d).copyMemory(from: block, byteCount: 4)
    unpackSixBitScales(block + 4, out)
    unpackNibbles64(block + 16, out)
  }
}

/// The 12 bytes of eight scales and eight minimums of Q4_K and Q5_K.
func unpackSixBitScales(_ bytes: UnsafeRawPointer, _ out: UnsafeMutableRawPointer) {
  for j in 0..<4 {
    let a = bytes.load(fromByteOffset: j, as: UInt8.self)
    let b = bytes.load(fromByteOffset: j &+ 4, as: UInt8.self)
    let c = bytes.load(fromByteOffset: j &+ 8, as: UInt8.self)
    (out + (Unpacked.scales &+ j)).storeBytes(of: a & 63, as: UInt8.self)
    (out + (Unpacked.minimums &+ j)).storeBytes(of: b & 63, as: UInt8.self)
    let scale = c & 15 | (a &>> 6) &<< 4
    let minimum = c &>> 4 | (b &>> 6) &<< 4
    (out + (Unpacked.scales &+ j &+ 4)).storeBytes(of: scale, as: UInt8.self)
    (out + (Unpacked.minimums &+ j &+ 4)).storeBytes(of: minimum, as: UInt8.self)
  }
}

/// 128 bytes of nibbles as 256 codes: of each 32 bytes the low ones, then the high ones.
func unpackNibbles64(_ nibbles: UnsafeRawPointer, _ codes: UnsafeMutableRawPointer) {
  for c in 0..<4 {
    for i in 0..<4 {
      let bits = Words.load(nibbles + (c &* 32 &+ i &* 8))
      Words.store(bits & Words.bytes(15), codes + (c &* 64 &+ i &* 8))
      Words.store(bits &>> 4 & Words.bytes(15), codes + (c &* 64 &+ 32 &+ i &* 8))
    }
  }
}
