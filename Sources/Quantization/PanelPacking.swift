// Packing: sixteen rows as the file has them become one panel. Nothing is rounded: the same bits,
// moved. Each row's block is taken apart by its type (`unpack`); what is left is to turn rows into
// columns, in registers of SSE2, which every x86-64 has: what memory gives is the bound, not they.
import Kernels

extension PanelFormat {
  /// Packs `rowCount` (1...16) rows of `blocks` blocks, `rowStride` bytes apart, into `panel`.
  ///
  /// `panel` is blocks x panelBlockByteCount bytes; lanes without a row become zero.
  /// SAFETY: the caller sized both from the tensor's checked dimensions.
  package func pack(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, blocks: Int,
    into panel: UnsafeMutableRawPointer
  ) {
    guard family != .float else {
      return packValues(
        rows: rows, rowStride: rowStride, rowCount: rowCount, columns: blocks, into: panel)
    }
    let scratchByteCount = panelRows &* Unpacked.byteCount
    withUnsafeTemporaryAllocation(byteCount: scratchByteCount, alignment: 16) { scratch in
      guard let unpacked = scratch.baseAddress else { return }
      if rowCount < panelRows {
        unpacked.initializeMemory(as: UInt8.self, repeating: 0, count: scratchByteCount)
      }
      var from = rows
      var to = panel
      var left = blocks
      while left > 0 {
        unpack(from, rowStride, rowCount, unpacked)
        placeCodes(unpacked, into: to)
        placeScales(unpacked, into: to + columns / 32 &* codeBits &* 64)
        from += fileBlockByteCount
        to += panelBlockByteCount
        left &-= 1
      }
    }
  }

  /// The codes of one block of sixteen rows, as `CodeStorage` draws them.
  private func placeCodes(_ unpacked: UnsafeRawPointer, into block: UnsafeMutableRawPointer) {
    let groupByteCount = codeBits &* 64
    for four in 0..<4 {
      var codes = unpacked + four &* 4 &* Unpacked.byteCount
      var group = block + four &* 16
      var left = columns
      while left > 0 {
        let low = FourRows(codes, Unpacked.byteCount)
        let high = FourRows(codes + 16, Unpacked.byteCount)
        switch codeBits {
        case 8: FourRows.storeBytes(low, high, group)
        case 4, 5, 6:
          FourRows.storeNibbles(low, high, group)
          if codeBits == 5 { FourRows.storeBit(4, low, high, group + 256) }
          if codeBits == 6 { FourRows.storePairs(4, low, high, group + 256) }
        default:
          FourRows.storePairs(0, low, high, group)
          if codeBits == 3 { FourRows.storeBit(2, low, high, group + 128) }
        }
        codes += 32
        group += groupByteCount
        left &-= 32
      }
    }
  }

  /// The scales, minimums and d's of sixteen rows, behind the codes.
  private func placeScales(_ unpacked: UnsafeRawPointer, into tail: UnsafeMutableRawPointer) {
    var halves = tail
    if columns == 256 {
      let pairs = unpacked + Unpacked.scales
      EightRows(pairs, Unpacked.byteCount).store(tail, 32)
      EightRows(pairs + 8 &* Unpacked.byteCount, Unpacked.byteCount).store(tail + 16, 32)
      halves += 256
    }
    placeHalves(unpacked + Unpacked.d, into: halves)
    switch family {
    case .affine32, .affine16, .affine:
      placeHalves(unpacked + Unpacked.m, into: halves + 32)
    case .offset16, .offset, .float: break
    }
  }

  /// One half-precision value of each of sixteen rows.
  private func placeHalves(_ unpacked: UnsafeRawPointer, into out: UnsafeMutableRawPointer) {
    for row in 0..<panelRows {
      let half = (unpacked + row &* Unpacked.byteCount).load(as: UInt16.self)
      (out + row &* 2).storeBytes(of: half, as: UInt16.self)
    }
  }

  /// Plain values: the columns of a panel are its rows turned.
  private func packValues(
    rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, columns: Int,
    into panel: UnsafeMutableRawPointer
  ) {
    let size = fileBlockByteCount
    // Sixteen bytes of each row at a time.
    let turned = rowCount < panelRows ? 0 : size == 4 ? columns & ~3 : columns & ~7
    var column = 0
    while column < turned {
      let from = rows + column &* size
      let to = panel + column &* size &* panelRows
      if size == 4 {
        for four in 0..<4 {
          FourRows(from + four &* 4 &* rowStride, rowStride).store(to + four &* 16, 64)
        }
        column &+= 4
      } else {
        EightRows(from, rowStride).store(to, 32)
        EightRows(from + 8 &* rowStride, rowStride).store(to + 16, 32)
        column &+= 8
      }
    }
    while column < columns {
      for lane in 0..<panelRows {
        let from = rows + (lane &* rowStride &+ column &* size)
        let to = panel + (column &* panelRows &+ lane) &* size
        if size == 4 {
          to.storeBytes(
            of: lane < rowCount ? from.loadUnaligned(as: UInt32.self) : 0, as: UInt32.self)
        } else {
          to.storeBytes(
            of: lane < rowCount ? from.loadUnaligned(as: UInt16.self) : 0, as: UInt16.self)
        }
      }
      column &+= 1
    }
  }
}
