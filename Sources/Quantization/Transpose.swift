// Sixteen bytes of some rows with columns for rows, and the ways in which codes of few bits share
// bytes then (Kernels/CodeStorage.swift draws them; a mask there drops the bits of others).
import Intrinsics

/// Four words of four rows, turned: register i has word i of each row.
struct FourRows {
  let columns: (__m128i, __m128i, __m128i, __m128i)

  /// Reads 16 bytes of each of four rows, `stride` bytes apart.
  @inline(__always)
  init(_ rows: UnsafeRawPointer, _ stride: Int) {
    let first = v128_load(rows)
    let second = v128_load(rows + stride)
    let third = v128_load(rows + 2 &* stride)
    let fourth = v128_load(rows + 3 &* stride)
    let low = (v128_low_32(first, second), v128_low_32(third, fourth))
    let high = (v128_high_32(first, second), v128_high_32(third, fourth))
    columns = (
      v128_low_64(low.0, low.1), v128_high_64(low.0, low.1),
      v128_low_64(high.0, high.1), v128_high_64(high.0, high.1)
    )
  }

  /// Stores the columns `stride` bytes apart.
  @inline(__always)
  func store(_ out: UnsafeMutableRawPointer, _ stride: Int) {
    v128_store(out, columns.0)
    v128_store(out + stride, columns.1)
    v128_store(out + 2 &* stride, columns.2)
    v128_store(out + 3 &* stride, columns.3)
  }

  /// Codes of a byte each.
  @inline(__always)
  static func storeBytes(_ low: FourRows, _ high: FourRows, _ out: UnsafeMutableRawPointer) {
    low.store(out, 64)
    high.store(out + 256, 64)
  }

  /// The low four bits of each code: two code vectors share bytes.
  @inline(__always)
  static func storeNibbles(_ low: FourRows, _ high: FourRows, _ out: UnsafeMutableRawPointer) {
    func both(_ even: __m128i, _ odd: __m128i) -> __m128i {
      v128_or(v128_low_bits(even, 15), v128_shift_left_16(v128_low_bits(odd, 15), 4))
    }
    v128_store(out, both(low.columns.0, low.columns.1))
    v128_store(out + 64, both(low.columns.2, low.columns.3))
    v128_store(out + 128, both(high.columns.0, high.columns.1))
    v128_store(out + 192, both(high.columns.2, high.columns.3))
  }

  /// Two bits from `bit` of each code: four code vectors share bytes.
  @inline(__always)
  static func storePairs(
    _ bit: Int32, _ low: FourRows, _ high: FourRows, _ out: UnsafeMutableRawPointer
  ) {
    v128_store(out, low.fields(bit, 3, 2))
    v128_store(out + 64, high.fields(bit, 3, 2))
  }

  /// Bit `bit` of each code: all eight code vectors share bytes.
  @inline(__always)
  static func storeBit(
    _ bit: Int32, _ low: FourRows, _ high: FourRows, _ out: UnsafeMutableRawPointer
  ) {
    let upper = v128_shift_left_16(high.fields(bit, 1, 1), 4)
    v128_store(out, v128_or(low.fields(bit, 1, 1), upper))
  }

  /// What `mask` leaves of the bits from `bit` of each column, side by side, `width` bits apart.
  @inline(__always)
  private func fields(_ bit: Int32, _ mask: UInt8, _ width: Int32) -> __m128i {
    func field(_ column: __m128i) -> __m128i {
      v128_low_bits(v128_shift_right_16(column, bit), mask)
    }
    let first = v128_or(field(columns.0), v128_shift_left_16(field(columns.1), width))
    let second = v128_or(field(columns.2), v128_shift_left_16(field(columns.3), width))
    return v128_or(first, v128_shift_left_16(second, 2 &* width))
  }
}

/// Eight half words of eight rows, turned: register i has half word i of each row.
struct EightRows {
  private let columns: InlineArray<8, __m128i>

  /// Reads 16 bytes of each of eight rows, `stride` bytes apart.
  @inline(__always)
  init(_ rows: UnsafeRawPointer, _ stride: Int) {
    // Three times neighbours four apart are shuffled together: row bits become column bits.
    var now = InlineArray<8, __m128i> { v128_load(rows + $0 &* stride) }
    for _ in 0..<3 {
      now = InlineArray<8, __m128i> { i in
        i & 1 == 0
          ? v128_low_16(now[i &>> 1], now[i &>> 1 &+ 4])
          : v128_high_16(now[i &>> 1], now[i &>> 1 &+ 4])
      }
    }
    columns = now
  }

  /// Stores the columns `stride` bytes apart.
  @inline(__always)
  func store(_ out: UnsafeMutableRawPointer, _ stride: Int) {
    for i in 0..<8 { v128_store(out + i &* stride, columns[i]) }
  }
}
