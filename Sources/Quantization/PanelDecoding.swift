// Reading a row of values back from a panel: the embedding of a token, and what tests compare with
// the dequantiser of the `gguf` package.
import Kernels

extension PanelFormat {
  /// Decodes one row of a packed matrix.
  ///
  /// `panel` is the panel that holds the row, `lane` its place there (0...15); `out` takes blocks x
  /// `columns` floats.
  package func decode(
    panel: UnsafeRawPointer, lane: Int, blocks: Int, into out: UnsafeMutablePointer<Float>
  ) {
    var block = 0
    while block < blocks {
      let at = panel + block &* panelBlockByteCount
      if family == .float {
        out[block] = plainValue(at, lane)
      } else {
        decodeBlock(at, lane, out + block &* columns)
      }
      block &+= 1
    }
  }

  /// Value `index` of plain values in a row, as the file has them and as a column of a panel has
  /// them.
  package func plainValue(_ values: UnsafeRawPointer, _ index: Int) -> Float {
    switch panelType {
    case .f32: values.loadUnaligned(fromByteOffset: index &* 4, as: Float.self)
    case .bf16:
      Float(
        bitPattern: UInt32(values.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
          &<< 16)
    default: half(values, index)
    }
  }

  private func decodeBlock(
    _ block: UnsafeRawPointer, _ lane: Int, _ out: UnsafeMutablePointer<Float>
  ) {
    let tail = block + columns / 32 &* codeBits &* 64
    var column = 0
    while column < columns {
      let code = Float(Int32(code(block, lane, column)) &- codeOffset)
      switch family {
      case .affine32:
        let (scale, minimum) = scales(tail, lane, column / 32)
        let d = half(tail + 256, lane) * Float(scale)
        out[column] = d * code - half(tail + 288, lane) * Float(minimum)
      case .affine16:
        let both = byte(tail, lane, column / 16)
        let d = half(tail + 256, lane) * Float(both & 15)
        out[column] = d * code - half(tail + 288, lane) * Float(both &>> 4)
      case .offset16:
        let scale = Int8(bitPattern: byte(tail, lane, column / 16))
        out[column] = half(tail + 256, lane) * Float(scale) * code
      case .offset:
        out[column] = half(tail, lane) * code
      case .affine:
        out[column] = half(tail, lane) * code + half(tail + 32, lane)
      case .float:
        break
      }
      column &+= 1
    }
  }

  private func scales(
    _ tail: UnsafeRawPointer, _ lane: Int, _ subBlock: Int
  ) -> (UInt8, UInt8) { (byte(tail, lane, subBlock), byte(tail + 128, lane, subBlock)) }

  /// Byte `k` of those stored in pairs.
  private func byte(_ pairs: UnsafeRawPointer, _ lane: Int, _ k: Int) -> UInt8 {
    pairs.load(fromByteOffset: k / 2 &* 32 &+ lane &* 2 &+ (k & 1), as: UInt8.self)
  }

  private func half(_ halves: UnsafeRawPointer, _ lane: Int) -> Float {
    Float(Float16(bitPattern: halves.loadUnaligned(fromByteOffset: lane &* 2, as: UInt16.self)))
  }

  /// The code of one column.
  private func code(_ block: UnsafeRawPointer, _ lane: Int, _ column: Int) -> UInt8 {
    let group = block + column / 32 &* codeBits &* 64
    let vector = column % 32 / 4
    let place = lane &* 4 &+ column % 4
    func field(_ at: Int, _ shift: Int, _ mask: UInt8) -> UInt8 {
      group.load(fromByteOffset: at &* 64 &+ place, as: UInt8.self)
        &>> UInt8(truncatingIfNeeded: shift) & mask
    }
    let nibble = { field(vector / 2, vector % 2 &* 4, 15) }
    let pair = { field(vector / 4, vector % 4 &* 2, 3) }
    return switch codeBits {
    case 8: field(vector, 0, 255)
    case 6: nibble() | field(4 &+ vector / 4, vector % 4 &* 2, 3) &<< 4
    case 5: nibble() | field(4, vector, 1) &<< 4
    case 4: nibble()
    case 3: pair() | field(2, vector, 1) &<< 2
    default: pair()
    }
  }
}
