// Sixteen lanes in two registers of 256 bits. Needs AVX2, FMA and F16C.
import Intrinsics
import Kernels

/// Lanes 0...7 and 8...15.
struct Pair<Half> {
  var a: Half
  var b: Half
  @inline(__always) init(_ a: Half, _ b: Half) {
    self.a = a
    self.b = b
  }
}

/// `VectorISA` in AVX2.
enum AVX2: VectorISA {
  typealias Integers = Pair<__m256i>
  typealias Floats = Pair<__m256>

  @inline(__always) static func load(_ p: UnsafeRawPointer) -> Integers {
    Pair(v256_load(p), v256_load(p + 32))
  }
  @inline(__always) static func prefetch(_ p: UnsafeRawPointer) { v_prefetch(p) }
  @inline(__always) static func zero() -> Integers { Pair(v256_zero(), v256_zero()) }
  @inline(__always) static func broadcast(from p: UnsafeRawPointer) -> Integers {
    let x = v256_broadcast_from(p)
    return Pair(x, x)
  }
  @inline(__always) static func lowBits(_ a: Integers, _ mask: UInt8) -> Integers {
    Pair(v256_low_bits(a.a, mask), v256_low_bits(a.b, mask))
  }
  @inline(__always) static func or(_ a: Integers, _ b: Integers) -> Integers {
    Pair(v256_or(a.a, b.a), v256_or(a.b, b.b))
  }
  @inline(__always) static func shiftRight16(_ a: Integers, _ count: Int32) -> Integers {
    Pair(v256_shift_right_16(a.a, count), v256_shift_right_16(a.b, count))
  }
  @inline(__always) static func shiftLeft16(_ a: Integers, _ count: Int32) -> Integers {
    Pair(v256_shift_left_16(a.a, count), v256_shift_left_16(a.b, count))
  }
  @inline(__always) static func shiftRight(_ a: Integers, _ count: Int32) -> Integers {
    Pair(v256_shift_right(a.a, count), v256_shift_right(a.b, count))
  }
  @inline(__always) static func shiftLeft(_ a: Integers, _ count: Int32) -> Integers {
    Pair(v256_shift_left(a.a, count), v256_shift_left(a.b, count))
  }
  @inline(__always) static func dot4(
    _ sum: Integers, _ codes: Integers, _ activations: UnsafeRawPointer
  ) -> Integers {
    let x = v256_broadcast_from(activations)
    return Pair(v256_dot4(sum.a, codes.a, x), v256_dot4(sum.b, codes.b, x))
  }
  @inline(__always) static func dot4Wide(
    _ sum: Integers, _ codes: Integers, _ activations: UnsafeRawPointer
  ) -> Integers {
    let x = v256_broadcast_from(activations)
    return Pair(v256_dot4_wide(sum.a, codes.a, x), v256_dot4_wide(sum.b, codes.b, x))
  }
  @inline(__always) static func pairDot(
    _ sum: Integers, _ pairs: Integers, _ activations: UnsafeRawPointer
  ) -> Integers {
    let x = v256_broadcast_from(activations)
    return Pair(v256_pair_dot(sum.a, pairs.a, x), v256_pair_dot(sum.b, pairs.b, x))
  }
  @inline(__always) static func pairs(unsigned p: UnsafeRawPointer) -> Integers {
    Pair(v256_widen_unsigned(p), v256_widen_unsigned(p + 16))
  }
  @inline(__always) static func pairs(signed p: UnsafeRawPointer) -> Integers {
    Pair(v256_widen_signed(p), v256_widen_signed(p + 16))
  }
  @inline(__always) static func add(_ a: Integers, _ b: Integers) -> Integers {
    Pair(v256_add(a.a, b.a), v256_add(a.b, b.b))
  }
  @inline(__always) static func subtract(_ a: Integers, _ b: Integers) -> Integers {
    Pair(v256_subtract(a.a, b.a), v256_subtract(a.b, b.b))
  }
  @inline(__always) static func multiply(_ a: Integers, _ b: Integers) -> Integers {
    Pair(v256_multiply(a.a, b.a), v256_multiply(a.b, b.b))
  }
  @inline(__always) static func maximum(_ a: Integers, _ b: Integers) -> Integers {
    Pair(v256_maximum(a.a, b.a), v256_maximum(a.b, b.b))
  }
  @inline(__always) static func sum(_ a: Integers) -> Int32 { v256_sum(v256_add(a.a, a.b)) }
  @inline(__always) static func largest(_ a: Integers) -> Int32 {
    v256_largest(v256_maximum(a.a, a.b))
  }
  @inline(__always) static func storeBytes(_ p: UnsafeMutableRawPointer, _ a: Integers) {
    v256_store_bytes(p, a.a)
    v256_store_bytes(p + 8, a.b)
  }

  @inline(__always) static func zeroFloats() -> Floats {
    Pair(v256_zero_floats(), v256_zero_floats())
  }
  @inline(__always) static func broadcast(_ x: Float) -> Floats {
    Pair(v256_broadcast(x), v256_broadcast(x))
  }
  @inline(__always) static func loadFloats(_ p: UnsafeRawPointer) -> Floats {
    Pair(v256_load_floats(p), v256_load_floats(p + 32))
  }
  @inline(__always) static func loadHalves(_ p: UnsafeRawPointer) -> Floats {
    Pair(v256_load_halves(p), v256_load_halves(p + 16))
  }
  @inline(__always) static func loadBrains(_ p: UnsafeRawPointer) -> Floats {
    Pair(v256_load_brains(p), v256_load_brains(p + 16))
  }
  @inline(__always) static func storeFloats(_ p: UnsafeMutableRawPointer, _ a: Floats) {
    v256_store_floats(p, a.a)
    v256_store_floats(p + 32, a.b)
  }
  @inline(__always) static func add(_ a: Floats, _ b: Floats) -> Floats {
    Pair(v256_add_floats(a.a, b.a), v256_add_floats(a.b, b.b))
  }
  @inline(__always) static func subtract(_ a: Floats, _ b: Floats) -> Floats {
    Pair(v256_subtract_floats(a.a, b.a), v256_subtract_floats(a.b, b.b))
  }
  @inline(__always) static func multiply(_ a: Floats, _ b: Floats) -> Floats {
    Pair(v256_multiply_floats(a.a, b.a), v256_multiply_floats(a.b, b.b))
  }
  @inline(__always) static func divide(_ a: Floats, _ b: Floats) -> Floats {
    Pair(v256_divide_floats(a.a, b.a), v256_divide_floats(a.b, b.b))
  }
  @inline(__always) static func maximum(_ a: Floats, _ b: Floats) -> Floats {
    Pair(v256_maximum_floats(a.a, b.a), v256_maximum_floats(a.b, b.b))
  }
  @inline(__always) static func minimum(_ a: Floats, _ b: Floats) -> Floats {
    Pair(v256_minimum_floats(a.a, b.a), v256_minimum_floats(a.b, b.b))
  }
  @inline(__always) static func fma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    Pair(v256_fma(sum.a, a.a, b.a), v256_fma(sum.b, a.b, b.b))
  }
  @inline(__always) static func fnma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    Pair(v256_fnma(sum.a, a.a, b.a), v256_fnma(sum.b, a.b, b.b))
  }
  @inline(__always) static func float(_ a: Integers) -> Floats {
    Pair(v256_float(a.a), v256_float(a.b))
  }
  @inline(__always) static func round(_ a: Floats) -> Integers {
    Pair(v256_round(a.a), v256_round(a.b))
  }
  @inline(__always) static func magnitudeBits(_ a: Floats) -> Integers {
    Pair(v256_magnitude_bits(a.a), v256_magnitude_bits(a.b))
  }
  @inline(__always) static func powerOfTwo(_ n: Integers) -> Floats {
    Pair(v256_power_of_two(n.a), v256_power_of_two(n.b))
  }
  @inline(__always) static func zeroBelow(
    _ value: Floats, _ x: Floats, _ bound: Floats
  ) -> Floats {
    Pair(v256_zero_below(value.a, x.a, bound.a), v256_zero_below(value.b, x.b, bound.b))
  }
  @inline(__always) static func sum(_ a: Floats) -> Float {
    v256_sum_floats(v256_add_floats(a.a, a.b))
  }
  @inline(__always) static func largest(_ a: Floats) -> Float {
    v256_largest_float(v256_maximum_floats(a.a, a.b))
  }
}
