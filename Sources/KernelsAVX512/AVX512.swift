// Sixteen lanes in one register of 512 bits. Needs F, BW, CD, DQ, VL and VNNI.
import Intrinsics
import Kernels

/// `VectorISA` and `ProductISA` in AVX-512.
enum AVX512: VectorISA {
  typealias Integers = __m512i
  typealias Floats = __m512

  @inline(__always) static var wideTiles: Bool { true }
  @inline(__always) static func zero() -> __m512i { v512_zero() }
  @inline(__always) static func add(_ a: __m512i, _ b: __m512i) -> __m512i { v512_add(a, b) }
  @inline(__always) static func maximum(_ a: __m512i, _ b: __m512i) -> __m512i {
    v512_maximum(a, b)
  }
  @inline(__always) static func sum(_ a: __m512i) -> Int32 { v512_sum(a) }
  @inline(__always) static func largest(_ a: __m512i) -> Int32 { v512_largest(a) }
  @inline(__always) static func bytes(_ a: __m512i) -> SIMD16<Int8> {
    unsafeBitCast(v512_bytes(a), to: SIMD16<Int8>.self)
  }

  @inline(__always) static func zeroFloats() -> __m512 { v512_zero_floats() }
  @inline(__always) static func broadcast(_ x: Float) -> __m512 { v512_broadcast(x) }
  @inline(__always) static func loadFloats(_ p: UnsafeRawPointer) -> __m512 {
    v512_load_floats(p)
  }
  @inline(__always) static func loadHalves(_ p: UnsafeRawPointer) -> __m512 {
    v512_load_halves(p)
  }
  @inline(__always) static func loadFloats(_ p: UnsafeRawPointer, count: Int) -> __m512 {
    v512_load_some_floats(p, UInt32(truncatingIfNeeded: count))
  }
  @inline(__always) static func loadBytes(_ p: UnsafeRawPointer) -> __m512 {
    v512_load_bytes(p)
  }
  @inline(__always) static func halves(_ a: __m512) -> SIMD16<UInt16> {
    unsafeBitCast(v512_halves(a), to: SIMD16<UInt16>.self)
  }
  @inline(__always) static func storeFloats(_ p: UnsafeMutableRawPointer, _ a: __m512) {
    v512_store_floats(p, a)
  }
  @inline(__always) static func add(_ a: __m512, _ b: __m512) -> __m512 { v512_add_floats(a, b) }
  @inline(__always) static func subtract(_ a: __m512, _ b: __m512) -> __m512 {
    v512_subtract_floats(a, b)
  }
  @inline(__always) static func multiply(_ a: __m512, _ b: __m512) -> __m512 {
    v512_multiply_floats(a, b)
  }
  @inline(__always) static func divide(_ a: __m512, _ b: __m512) -> __m512 {
    v512_divide_floats(a, b)
  }
  @inline(__always) static func maximum(_ a: __m512, _ b: __m512) -> __m512 {
    v512_maximum_floats(a, b)
  }
  @inline(__always) static func minimum(_ a: __m512, _ b: __m512) -> __m512 {
    v512_minimum_floats(a, b)
  }
  @inline(__always) static func fma(_ sum: __m512, _ a: __m512, _ b: __m512) -> __m512 {
    v512_fma(sum, a, b)
  }
  @inline(__always) static func fnma(_ sum: __m512, _ a: __m512, _ b: __m512) -> __m512 {
    v512_fnma(sum, a, b)
  }
  @inline(__always) static func float(_ a: __m512i) -> __m512 { v512_float(a) }
  @inline(__always) static func round(_ a: __m512) -> __m512i { v512_round(a) }
  @inline(__always) static func magnitudeBits(_ a: __m512) -> __m512i { v512_magnitude_bits(a) }
  @inline(__always) static func powerOfTwo(_ n: __m512i) -> __m512 { v512_power_of_two(n) }
  @inline(__always) static func zeroBelow(
    _ value: __m512, _ x: __m512, _ bound: __m512
  ) -> __m512 { v512_zero_below(value, x, bound) }
  @inline(__always) static func sum(_ a: __m512) -> Float {
    v256_sum_floats(v256_add_floats(v512_low_half(a), v512_high_half(a)))
  }
  @inline(__always) static func largest(_ a: __m512) -> Float {
    v256_largest_float(v256_maximum_floats(v512_low_half(a), v512_high_half(a)))
  }
}

extension AVX512: ProductISA {
  @inline(__always) static var lanes: Int { 16 }
  @inline(__always) static var bundledRows: Int { 16 }
  @inline(__always) static var spreadRows: Int { Int.max }
  @inline(__always) static var rows8: Bool { true }
  @inline(__always) static var rows4: Bool { true }
  @inline(__always) static var rows2: Bool { true }

  @inline(__always) static func load(_ p: UnsafeRawPointer) -> __m512i { v512_load(p) }
  @inline(__always) static func store(_ p: UnsafeMutableRawPointer, _ a: __m512i) {
    v512_store(p, a)
  }
  @inline(__always) static func prefetch(_ p: UnsafeRawPointer) { v_prefetch(p) }
  @inline(__always) static func broadcast(from p: UnsafeRawPointer) -> __m512i {
    v512_broadcast_from(p)
  }
  @inline(__always) static func lowBits(_ a: __m512i, _ mask: UInt8) -> __m512i {
    v512_low_bits(a, mask)
  }
  @inline(__always) static func byte(_ a: __m512i, _ i: Int) -> __m512i {
    v512_byte(a, Int32(truncatingIfNeeded: i))
  }
  @inline(__always) static func lookup16(
    _ table: (low: UInt64, high: UInt64), _ codes: __m512i
  ) -> __m512i { v512_lookup_16(table.low, table.high, codes) }
  @inline(__always) static func or(_ a: __m512i, _ b: __m512i) -> __m512i { v512_or(a, b) }
  @inline(__always) static func shiftRight16(_ a: __m512i, _ count: Int32) -> __m512i {
    v512_shift_right_16(a, count)
  }
  @inline(__always) static func shiftLeft16(_ a: __m512i, _ count: Int32) -> __m512i {
    v512_shift_left_16(a, count)
  }
  @inline(__always) static func shiftRight(_ a: __m512i, _ count: Int32) -> __m512i {
    v512_shift_right(a, count)
  }
  @inline(__always) static func shiftLeft(_ a: __m512i, _ count: Int32) -> __m512i {
    v512_shift_left(a, count)
  }
  @inline(__always) static func subtract(_ a: __m512i, _ b: __m512i) -> __m512i {
    v512_subtract(a, b)
  }
  @inline(__always) static func pairs(unsigned p: UnsafeRawPointer) -> __m512i {
    v512_widen_unsigned(p)
  }
  @inline(__always) static func pairs(signed p: UnsafeRawPointer) -> __m512i {
    v512_widen_signed(p)
  }
  @inline(__always) static func pairDot(
    _ sum: __m512i, _ pairs: __m512i, _ activations: UnsafeRawPointer
  ) -> __m512i { v512_pair_dot(sum, pairs, v512_broadcast_from(activations)) }

  @inline(__always) static func noPartial() -> __m512i { v512_zero() }
  @inline(__always) static func capacity(bits: Int) -> Int { 8 }
  @inline(__always) static func dot4(
    _ partial: __m512i, _ codes: __m512i, _ activations: UnsafeRawPointer, _ place: Int
  ) -> __m512i { v512_dot4(partial, codes, v512_broadcast_from(activations + place * 4)) }
  @inline(__always) static func firstScale(_ pairs: __m512i) -> __m512i {
    v512_shift_right(v512_shift_left(pairs, 16), 16)
  }
  @inline(__always) static func secondScale(_ pairs: __m512i) -> __m512i {
    v512_shift_right(pairs, 16)
  }
  @inline(__always) static func addScaled(
    _ sum: __m512i, _ partial: __m512i, _ scale: __m512i
  ) -> __m512i { v512_add(sum, v512_multiply(partial, scale)) }
  @inline(__always) static func addPartial(_ sum: __m512i, _ partial: __m512i) -> __m512i {
    v512_add(sum, partial)
  }
  @inline(__always) static var keeps128: Bool { true }
  @inline(__always) static var capacity128: Int { 8 }
  @inline(__always) static func dot4Minus128(
    _ sum: __m512i, _ codes: __m512i, _ activations: UnsafeRawPointer, _ place: Int
  ) -> __m512i { v512_dot4(sum, codes, v512_broadcast_from(activations + place * 4)) }

  @inline(__always) static func loadBrains(_ p: UnsafeRawPointer) -> __m512 {
    v512_load_brains(p)
  }
  @inline(__always) static func noOutputs() -> __m512 { v512_zero_floats() }
  @inline(__always) static func output(_ outputs: __m512, _ part: Int) -> __m512 { outputs }
  @inline(__always) static func setOutput(
    _ outputs: inout __m512, _ part: Int, _ value: __m512
  ) { outputs = value }
}
