// Products on eight lanes in one register of 256 bits: all but the products of codes, which AVX2
// and AVX-VNNI do each in their way.
public import Intrinsics
public import Kernels

/// What the products of AVX2 and of AVX-VNNI share.
public protocol Lanes256: ProductISA
where
  Integers == __m256i, Floats == __m256, Partial == __m256i, Scale == __m256i,
  Outputs == (__m256, __m256)
{}

extension Lanes256 {
  @inlinable @inline(__always) public static var lanes: Int { 8 }
  @inlinable @inline(__always) public static var interleavedRows: Int { 6 }

  @inlinable @inline(__always) public static func zero() -> __m256i { v256_zero() }
  @inlinable @inline(__always)
  public static func add(_ a: __m256i, _ b: __m256i) -> __m256i { v256_add(a, b) }
  @inlinable @inline(__always)
  public static func load(_ p: UnsafeRawPointer) -> __m256i { v256_load(p) }
  @inlinable @inline(__always) public static func prefetch(_ p: UnsafeRawPointer) { v_prefetch(p) }
  @inlinable @inline(__always)
  public static func broadcast(from p: UnsafeRawPointer) -> __m256i { v256_broadcast_from(p) }
  @inlinable @inline(__always)
  public static func lowBits(_ a: __m256i, _ mask: UInt8) -> __m256i { v256_low_bits(a, mask) }
  @inlinable @inline(__always)
  public static func or(_ a: __m256i, _ b: __m256i) -> __m256i { v256_or(a, b) }
  @inlinable @inline(__always)
  public static func shiftRight16(_ a: __m256i, _ count: Int32) -> __m256i {
    v256_shift_right_16(a, count)
  }
  @inlinable @inline(__always)
  public static func shiftLeft16(_ a: __m256i, _ count: Int32) -> __m256i {
    v256_shift_left_16(a, count)
  }
  @inlinable @inline(__always)
  public static func shiftRight(_ a: __m256i, _ count: Int32) -> __m256i {
    v256_shift_right(a, count)
  }
  @inlinable @inline(__always)
  public static func shiftLeft(_ a: __m256i, _ count: Int32) -> __m256i {
    v256_shift_left(a, count)
  }
  @inlinable @inline(__always)
  public static func subtract(_ a: __m256i, _ b: __m256i) -> __m256i { v256_subtract(a, b) }
  @inlinable @inline(__always)
  public static func pairs(unsigned p: UnsafeRawPointer) -> __m256i { v256_widen_unsigned(p) }
  @inlinable @inline(__always)
  public static func pairs(signed p: UnsafeRawPointer) -> __m256i { v256_widen_signed(p) }

  @inlinable @inline(__always) public static func zeroFloats() -> __m256 { v256_zero_floats() }
  @inlinable @inline(__always)
  public static func broadcast(_ x: Float) -> __m256 { v256_broadcast(x) }
  @inlinable @inline(__always)
  public static func loadFloats(_ p: UnsafeRawPointer) -> __m256 { v256_load_floats(p) }
  @inlinable @inline(__always)
  public static func loadHalves(_ p: UnsafeRawPointer) -> __m256 { v256_load_halves(p) }
  @inlinable @inline(__always)
  public static func loadBrains(_ p: UnsafeRawPointer) -> __m256 { v256_load_brains(p) }
  @inlinable @inline(__always)
  public static func storeFloats(_ p: UnsafeMutableRawPointer, _ a: __m256) {
    v256_store_floats(p, a)
  }
  @inlinable @inline(__always)
  public static func add(_ a: __m256, _ b: __m256) -> __m256 { v256_add_floats(a, b) }
  @inlinable @inline(__always)
  public static func multiply(_ a: __m256, _ b: __m256) -> __m256 { v256_multiply_floats(a, b) }
  @inlinable @inline(__always)
  public static func fma(_ sum: __m256, _ a: __m256, _ b: __m256) -> __m256 { v256_fma(sum, a, b) }
  @inlinable @inline(__always)
  public static func fnma(_ sum: __m256, _ a: __m256, _ b: __m256) -> __m256 {
    v256_fnma(sum, a, b)
  }
  @inlinable @inline(__always)
  public static func float(_ a: __m256i) -> __m256 { v256_float(a) }
  @inlinable @inline(__always) public static func noPartial() -> __m256i { v256_zero() }

  /// Lanes 0...7 and 8...15.
  @inlinable @inline(__always) public static func noOutputs() -> (__m256, __m256) {
    (v256_zero_floats(), v256_zero_floats())
  }
  @inlinable @inline(__always)
  public static func output(_ outputs: (__m256, __m256), _ part: Int) -> __m256 {
    part == 0 ? outputs.0 : outputs.1
  }
  @inlinable @inline(__always)
  public static func setOutput(_ outputs: inout (__m256, __m256), _ part: Int, _ value: __m256) {
    if part == 0 { outputs.0 = value } else { outputs.1 = value }
  }
}
