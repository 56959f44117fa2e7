// Products on eight lanes in one register of 256 bits: all but the products of codes, which AVX2
// and AVX-VNNI do each in their way. Both rooms compile this text, the other by a symbolic link.
import Intrinsics
import Kernels

/// The operations that the products of AVX2 and of AVX-VNNI share.
protocol Lanes256: ProductISA
where
  Integers == __m256i, Floats == __m256, Partial == __m256i, Scale == __m256i,
  Outputs == (__m256, __m256)
{}

extension Lanes256 {
  @inline(__always) static var lanes: Int { 8 }
  @inline(__always) static var bundledRows: Int { 6 }
  @inline(__always) static var spreadRows: Int { 32 }

  @inline(__always) static func zero() -> __m256i { v256_zero() }
  @inline(__always) static func add(_ a: __m256i, _ b: __m256i) -> __m256i { v256_add(a, b) }
  @inline(__always) static func load(_ p: UnsafeRawPointer) -> __m256i { v256_load(p) }
  @inline(__always) static func store(_ p: UnsafeMutableRawPointer, _ a: __m256i) {
    v256_store(p, a)
  }
  @inline(__always) static func prefetch(_ p: UnsafeRawPointer) { v_prefetch(p) }
  @inline(__always) static func broadcast(from p: UnsafeRawPointer) -> __m256i {
    v256_broadcast_from(p)
  }
  @inline(__always) static func lowBits(_ a: __m256i, _ mask: UInt8) -> __m256i {
    v256_low_bits(a, mask)
  }
  @inline(__always) static func byte(_ a: __m256i, _ i: Int) -> __m256i {
    v256_byte(a, Int32(truncatingIfNeeded: i))
  }
  @inline(__always) static func lookup16(
    _ table: (low: UInt64, high: UInt64), _ codes: __m256i
  ) -> __m256i { v256_lookup_16(table.low, table.high, codes) }
  @inline(__always) static func or(_ a: __m256i, _ b: __m256i) -> __m256i { v256_or(a, b) }
  @inline(__always) static func shiftRight16(_ a: __m256i, _ count: Int32) -> __m256i {
    v256_shift_right_16(a, count)
  }
  @inline(__always) static func shiftLeft16(_ a: __m256i, _ count: Int32) -> __m256i {
    v256_shift_left_16(a, count)
  }
  @inline(__always) static func shiftRight(_ a: __m256i, _ count: Int32) -> __m256i {
    v256_shift_right(a, count)
  }
  @inline(__always) static func shiftLeft(_ a: __m256i, _ count: Int32) -> __m256i {
    v256_shift_left(a, count)
  }
  @inline(__always) static func subtract(_ a: __m256i, _ b: __m256i) -> __m256i {
    v256_subtract(a, b)
  }
  @inline(__always) static func pairs(unsigned p: UnsafeRawPointer) -> __m256i {
    v256_widen_unsigned(p)
  }
  @inline(__always) static func pairs(signed p: UnsafeRawPointer) -> __m256i {
    v256_widen_signed(p)
  }

  @inline(__always) static func zeroFloats() -> __m256 { v256_zero_floats() }
  @inline(__always) static func broadcast(_ x: Float) -> __m256 { v256_broadcast(x) }
  @inline(__always) static func loadFloats(_ p: UnsafeRawPointer) -> __m256 { v256_load_floats(p) }
  @inline(__always) static func loadHalves(_ p: UnsafeRawPointer) -> __m256 { v256_load_halves(p) }
  @inline(__always) static func loadBrains(_ p: UnsafeRawPointer) -> __m256 { v256_load_brains(p) }
  @inline(__always) static func storeFloats(_ p: UnsafeMutableRawPointer, _ a: __m256) {
    v256_store_floats(p, a)
  }
  @inline(__always) static func add(_ a: __m256, _ b: __m256) -> __m256 { v256_add_floats(a, b) }
  @inline(__always) static func multiply(_ a: __m256, _ b: __m256) -> __m256 {
    v256_multiply_floats(a, b)
  }
  @inline(__always) static func fma(_ sum: __m256, _ a: __m256, _ b: __m256) -> __m256 {
    v256_fma(sum, a, b)
  }
  @inline(__always) static func fnma(_ sum: __m256, _ a: __m256, _ b: __m256) -> __m256 {
    v256_fnma(sum, a, b)
  }
  @inline(__always) static func float(_ a: __m256i) -> __m256 { v256_float(a) }
  @inline(__always) static func noPartial() -> __m256i { v256_zero() }

  /// Lanes 0...7 and 8...15.
  @inline(__always) static func noOutputs() -> (__m256, __m256) {
    (v256_zero_floats(), v256_zero_floats())
  }
  @inline(__always) static func output(_ outputs: (__m256, __m256), _ part: Int) -> __m256 {
    part == 0 ? outputs.0 : outputs.1
  }
  @inline(__always) static func setOutput(
    _ outputs: inout (__m256, __m256), _ part: Int, _ value: __m256
  ) {
    if part == 0 { outputs.0 = value } else { outputs.1 = value }
  }
}
