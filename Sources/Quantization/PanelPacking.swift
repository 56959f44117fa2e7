// Packing: sixteen rows as the file has them become one panel. Nothing is rounded: the same bits,
// moved. Codes move four at a time, as words of four neighbouring columns, which is what a code
// vector holds of each row (Kernels/CodeStorage.swift draws it).
import Kernels

extension PanelFormat {
  /// Packs `rowCount` (1...16) rows of `blocks` blocks, `rowStride` bytes apart, into `panel`.
  ///
  /// `panel` is blocks x panelBlockByteCount zeroed bytes; lanes without a row stay zero.
  /// SAFETY: the caller sized both from the tensor's checked dimensions.
  package func pack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, blocks: Int,
    into panel: UnsafeMutableRawPointer
  ) {
    guard family != .float else {
      return packValues(
        rows: rows, rowStride: rowStride, rowCount: rowCount, columns: blocks, into: panel)
    }
    withUnsafeTemporaryAllocation(byteCount: Unpacked.byteCount, alignment: 8) { scratch in
      guard let unpacked = scratch.baseAddress else { return }
      for lane in 0..<rowCount {
        for block in 0..<blocks {
          unpack(rows + (lane &* rowStride &+ block &* fileBlockByteCount), unpacked)
          place(unpacked, lane: lane, into: panel + block &* panelBlockByteCount)
        }
      }
    }
  }

  private func packValues(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, columns: Int,
    into panel: UnsafeMutableRawPointer
  ) {
    for lane in 0..<rowCount {
      let row = rows + lane &* rowStride
      for column in 0..<columns {
        if fileBlockByteCount == 4 {
          let value = row.loadUnaligned(fromByteOffset: column &* 4, as: UInt32.self)
          (panel + (column &* 64 &+ lane &* 4)).storeBytes(of: value, as: UInt32.self)
        } else {
          let value = row.loadUnaligned(fromByteOffset: column &* 2, as: UInt16.self)
          (panel + (column &* 32 &+ lane &* 2)).storeBytes(of: value, as: UInt16.self)
        }
      }
    }
  }

  /// Writes one unpacked block into its lane of a panel's block.
  private func place(
    _ unpacked: UnsafeRawPointer, lane: Int, into block: UnsafeMutableRawPointer
  ) {
    let groups = columns / 32
    let groupByteCount = codeBits &* 64
    for group in 0..<groups {
      placeCodes(
        unpacked + group &* 32, into: block + (group &* groupByteCount &+ lane &* 4))
    }
    let tail = block + groups &* groupByteCount
    switch family {
    case .affine32:
      placePairs(unpacked + Unpacked.scales, count: 4, lane: lane, into: tail)
      placePairs(unpacked + Unpacked.minimums, count: 4, lane: lane, into: tail + 128)
      placeHalves(unpacked, lane: lane, into: tail + 256)
    case .affine16:
      withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { both in
        for k in 0..<16 {
          let scale = unpacked.load(fromByteOffset: Unpacked.scales &+ k, as: UInt8.self)
          let minimum = unpacked.load(fromByteOffset: Unpacked.minimums &+ k, as: UInt8.self)
          both.storeBytes(of: scale | minimum &<< 4, toByteOffset: k, as: UInt8.self)
        }
        guard let both = both.baseAddress else { return }
        placePairs(both, count: 8, lane: lane, into: tail)
      }
      placeHalves(unpacked, lane: lane, into: tail + 256)
    case .offset16:
      placePairs(unpacked + Unpacked.scales, count: 8, lane: lane, into: tail)
      placeHalf(unpacked + Unpacked.d, lane: lane, into: tail + 256)
    case .offset:
      placeHalf(unpacked + Unpacked.d, lane: lane, into: tail)
    case .affine:
      placeHalves(unpacked, lane: lane, into: tail)
    case .float:
      break
    }
  }

  /// The codes of 32 columns of one row, into the words of its lane.
  private func placeCodes(_ codes: UnsafeRawPointer, into lane: UnsafeMutableRawPointer) {
    func word(_ v: Int) -> UInt32 { codes.loadUnaligned(fromByteOffset: v &* 4, as: UInt32.self) }
    func set(_ vector: Int, _ value: UInt32) {
      (lane + vector &* 64).storeBytes(of: value, as: UInt32.self)
    }
    /// One bit of every code of the group, code vector c at bit c.
    func plane(_ bit: UInt32) -> UInt32 {
      var bits: UInt32 = 0
      for c in 0..<8 { bits |= (word(c) &>> bit & 0x0101_0101) &<< UInt32(c) }
      return bits
    }
    /// Two bits from `bit` of code vectors 4 h to 4 h + 3.
    func pairs(_ h: Int, _ bit: UInt32) -> UInt32 {
      var bits: UInt32 = 0
      for c in 0..<4 { bits |= (word(4 &* h &+ c) &>> bit & 0x0303_0303) &<< UInt32(2 &* c) }
      return bits
    }
    switch codeBits {
    case 8:
      for v in 0..<8 { set(v, word(v)) }
    case 4, 5, 6:
      for v in 0..<4 {
        set(v, word(2 &* v) & 0x0f0f_0f0f | (word(2 &* v &+ 1) & 0x0f0f_0f0f) &<< 4)
      }
      if codeBits == 5 { set(4, plane(4)) }
      if codeBits == 6 {
        set(4, pairs(0, 4))
        set(5, pairs(1, 4))
      }
    default:
      set(0, pairs(0, 0))
      set(1, pairs(1, 0))
      if codeBits == 3 { set(2, plane(2)) }
    }
  }

  /// 2 x `count` bytes, in pairs 32 bytes apart.
  private func placePairs(
    _ bytes: UnsafeRawPointer, count: Int, lane: Int, into out: UnsafeMutableRawPointer
  ) {
    for pair in 0..<count {
      let value = bytes.loadUnaligned(fromByteOffset: pair &* 2, as: UInt16.self)
      (out + (pair &* 32 &+ lane &* 2)).storeBytes(of: value, as: UInt16.self)
    }
  }

  private func placeHalf(
    _ half: UnsafeRawPointer, lane: Int, into out: UnsafeMutableRawPointer
  ) {
    (out + lane &* 2).storeBytes(of: half.loadUnaligned(as: UInt16.self), as: UInt16.self)
  }

  private func placeHalves(
    _ unpacked: UnsafeRawPointer, lane: Int, into out: UnsafeMutableRawPointer
  ) {
    placeHalf(unpacked + Unpacked.d, lane: lane, into: out)
    placeHalf(unpacked + Unpacked.m, lane: lane, into: out + 32)
  }
}
