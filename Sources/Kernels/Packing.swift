// Packing: one block of each of sixteen rows, taken apart, becomes one block of a panel. Nothing is
// rounded: the same bits, moved. What takes a row's block of a file apart is its type's `unpack`
// (Quantization); what is left is to turn rows into columns.

/// A block of a row, taken apart: the common form between file and panel.
public enum Unpacked {
  /// Unsigned codes in the order of the columns, at most 256 bytes.
  @inlinable @inline(__always) public static var codes: Int { 0 }
  /// Of 256 columns: 16 bytes of scales and minimums, as the family has them in a panel.
  ///
  /// `Affine32`: 8 scales, then 8 minimums; `Affine16`: 16 scales, minimums in the high nibbles;
  /// `Offset16`: 16 scales, signed; `Byte32`: 8 scales, signed.
  @inlinable @inline(__always) public static var scales: Int { 256 }
  /// d, half precision.
  @inlinable @inline(__always) public static var d: Int { 272 }
  /// dmin or m, half precision.
  @inlinable @inline(__always) public static var m: Int { 274 }
  /// A multiple of 16, so that each row of a panel is aligned.
  @inlinable @inline(__always) public static var byteCount: Int { 288 }
  /// The rows of a panel.
  @inlinable @inline(__always) public static var rowsByteCount: Int { 16 &* 288 }
}

extension PanelBlock {
  /// Writes the block of a panel at `block` from sixteen rows, `Unpacked.byteCount` bytes each.
  @inlinable @inline(__always)
  public static func place(_ rows: UnsafeRawPointer, into block: UnsafeMutableRawPointer) {
    for four in 0..<4 {
      for group in 0..<columns / 32 {
        let codes = rows + (four &* 4 &* Unpacked.byteCount &+ group &* 32)
        Codes.place(
          FourRows(codes, Unpacked.byteCount), FourRows(codes + 16, Unpacked.byteCount),
          block + (group &* Codes.groupByteCount &+ four &* 16))
      }
    }
    var halves = block + tail
    if scaleByteCount > 0 {
      let scales = rows + Unpacked.scales
      let pairs = scaleByteCount / 2
      EightRows(scales, Unpacked.byteCount).store(halves, 32, count: pairs)
      EightRows(scales + 8 &* Unpacked.byteCount, Unpacked.byteCount)
        .store(halves + 16, 32, count: pairs)
      halves += scaleByteCount &* panelRows
    }
    placeHalves(rows + Unpacked.d, into: halves)
    if hasMinimums { placeHalves(rows + Unpacked.m, into: halves + 32) }
  }
}

/// Writes one half-precision value of each of sixteen rows.
@inlinable @inline(__always)
public func placeHalves(_ rows: UnsafeRawPointer, into out: UnsafeMutableRawPointer) {
  for row in 0..<panelRows {
    let half = (rows + row &* Unpacked.byteCount).load(as: UInt16.self)
    (out + row &* 2).storeBytes(of: half, as: UInt16.self)
  }
}

/// Writes a panel of plain values, whose columns are its rows turned.
///
/// `Bits` is an integer of a value's size: four bytes or two. Lanes without a row become zero.
@inlinable @inline(__always)
public func placeValues<Bits: FixedWidthInteger>(
  _ type: Bits.Type, _ rows: UnsafeRawPointer, rowStride: Int, rowCount: Int, columns: Int,
  into panel: UnsafeMutableRawPointer
) {
  let size = Bits.bitWidth / 8
  // Sixteen bytes of each row at a time.
  let together = 16 / size
  let turned = rowCount < panelRows ? 0 : columns & ~(together &- 1)
  var column = 0
  while column < turned {
    let from = rows + column &* size
    let to = panel + column &* size &* panelRows
    if size == 4 {
      for four in 0..<4 {
        FourRows(from + four &* 4 &* rowStride, rowStride).store(to + four &* 16, 64)
      }
    } else {
      EightRows(from, rowStride).store(to, 32)
      EightRows(from + 8 &* rowStride, rowStride).store(to + 16, 32)
    }
    column &+= together
  }
  while column < columns {
    for lane in 0..<panelRows {
      let from = rows + (lane &* rowStride &+ column &* size)
      let to = panel + (column &* panelRows &+ lane) &* size
      to.storeBytes(of: lane < rowCount ? from.loadUnaligned(as: Bits.self) : 0, as: Bits.self)
    }
    column &+= 1
  }
}
