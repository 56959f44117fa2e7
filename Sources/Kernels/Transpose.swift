// Sixteen bytes of some rows with columns for rows, and the ways in which codes of few bits share
// bytes then (CodeStorage.swift draws them; a mask drops the bits of others). In vectors of Swift
// alone, which are registers of SSE2 or of NEON: what memory gives is the bound, not they.

/// Four words of four rows, turned: column i has word i of each row.
public struct FourRows {
  /// A register of sixteen bytes.
  public typealias Words = SIMD4<UInt32>

  public let columns: (Words, Words, Words, Words)

  /// Reads 16 bytes of each of four rows, `stride` bytes apart.
  @inlinable @inline(__always)
  public init(_ rows: UnsafeRawPointer, _ stride: Int) {
    let a = rows.loadUnaligned(as: Words.self)
    let b = (rows + stride).loadUnaligned(as: Words.self)
    let c = (rows + 2 &* stride).loadUnaligned(as: Words.self)
    let d = (rows + 3 &* stride).loadUnaligned(as: Words.self)
    let (abLow, cdLow) = (Words(a[0], b[0], a[1], b[1]), Words(c[0], d[0], c[1], d[1]))
    let (abHigh, cdHigh) = (Words(a[2], b[2], a[3], b[3]), Words(c[2], d[2], c[3], d[3]))
    columns = (
      Words(lowHalf: abLow.lowHalf, highHalf: cdLow.lowHalf),
      Words(lowHalf: abLow.highHalf, highHalf: cdLow.highHalf),
      Words(lowHalf: abHigh.lowHalf, highHalf: cdHigh.lowHalf),
      Words(lowHalf: abHigh.highHalf, highHalf: cdHigh.highHalf)
    )
  }

  /// Stores the columns `stride` bytes apart.
  @inlinable @inline(__always)
  public func store(_ out: UnsafeMutableRawPointer, _ stride: Int) {
    out.storeBytes(of: columns.0, as: Words.self)
    (out + stride).storeBytes(of: columns.1, as: Words.self)
    (out + 2 &* stride).storeBytes(of: columns.2, as: Words.self)
    (out + 3 &* stride).storeBytes(of: columns.3, as: Words.self)
  }

  /// The bits from `bit` that `mask` leaves of each byte of the columns, side by side, `width`
  /// bits apart.
  @inlinable @inline(__always)
  public func fields(_ bit: UInt32, _ mask: UInt8, _ width: UInt32) -> Words {
    let first = bits(columns.0, bit, mask) | bits(columns.1, bit, mask) &<< width
    let second = bits(columns.2, bit, mask) | bits(columns.3, bit, mask) &<< width
    return first | second &<< (2 &* width)
  }
}

/// The bits from `bit` that `mask` leaves of each byte.
@inlinable @inline(__always)
public func bits(_ bytes: FourRows.Words, _ bit: UInt32, _ mask: UInt8) -> FourRows.Words {
  bytes &>> bit & FourRows.Words(repeating: UInt32(mask) &* 0x0101_0101)
}

/// Stores the low four bits of each code: two code vectors share bytes.
@inlinable @inline(__always)
public func placeNibbles(_ low: FourRows, _ high: FourRows, _ out: UnsafeMutableRawPointer) {
  func both(_ even: FourRows.Words, _ odd: FourRows.Words) -> FourRows.Words {
    bits(even, 0, 15) | bits(odd, 0, 15) &<< 4
  }
  let (l, h) = (low.columns, high.columns)
  out.storeBytes(of: both(l.0, l.1), as: FourRows.Words.self)
  (out + 64).storeBytes(of: both(l.2, l.3), as: FourRows.Words.self)
  (out + 128).storeBytes(of: both(h.0, h.1), as: FourRows.Words.self)
  (out + 192).storeBytes(of: both(h.2, h.3), as: FourRows.Words.self)
}

/// Stores two bits from `bit` of each code: four code vectors share bytes.
@inlinable @inline(__always)
public func placePairs(
  _ bit: UInt32, _ low: FourRows, _ high: FourRows, _ out: UnsafeMutableRawPointer
) {
  out.storeBytes(of: low.fields(bit, 3, 2), as: FourRows.Words.self)
  (out + 64).storeBytes(of: high.fields(bit, 3, 2), as: FourRows.Words.self)
}

/// Stores bit `bit` of each code: all eight code vectors share bytes.
@inlinable @inline(__always)
public func placeBit(
  _ bit: UInt32, _ low: FourRows, _ high: FourRows, _ out: UnsafeMutableRawPointer
) {
  let both = low.fields(bit, 1, 1) | high.fields(bit, 1, 1) &<< 4
  out.storeBytes(of: both, as: FourRows.Words.self)
}

/// Eight half words of eight rows, turned: column i has half word i of each row.
public struct EightRows {
  /// A register of sixteen bytes.
  public typealias Halves = SIMD8<UInt16>

  @usableFromInline let columns: InlineArray<8, Halves>

  /// Reads 16 bytes of each of eight rows, `stride` bytes apart.
  @inlinable @inline(__always)
  public init(_ rows: UnsafeRawPointer, _ stride: Int) {
    // Three times neighbours four apart are shuffled together: row bits become column bits.
    var now = InlineArray<8, Halves> { (rows + $0 &* stride).loadUnaligned(as: Halves.self) }
    for _ in 0..<3 {
      now = InlineArray<8, Halves> { i in
        let (a, b) = (now[i &>> 1], now[i &>> 1 &+ 4])
        return i & 1 == 0
          ? Halves(a[0], b[0], a[1], b[1], a[2], b[2], a[3], b[3])
          : Halves(a[4], b[4], a[5], b[5], a[6], b[6], a[7], b[7])
      }
    }
    columns = now
  }

  /// Stores the first `count` columns `stride` bytes apart.
  @inlinable @inline(__always)
  public func store(_ out: UnsafeMutableRawPointer, _ stride: Int, count: Int = 8) {
    for i in 0..<8 where i < count {
      (out + i &* stride).storeBytes(of: columns[i], as: Halves.self)
    }
  }
}
