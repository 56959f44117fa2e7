// Sixteen lanes in two registers of 256 bits. Needs AVX2, FMA and F16C. The room of AVX-VNNI
// compiles this text too, through a symbolic link.
import Intrinsics
import Kernels

/// Lanes 0...7 and 8...15.
struct Halved<Half> {
  var low: Half
  var high: Half
  @inline(__always) init(_ low: Half, _ high: Half) {
    self.low = low
    self.high = high
  }
}

/// `VectorISA` in AVX2.
enum AVX2: VectorISA {
  typealias Integers = Halved<__m256i>
  typealias Floats = Halved<__m256>

  @inline(__always) static var wideTiles: Bool { false }
  @inline(__always) static func prefetch(_ p: UnsafeRawPointer) { v_prefetch(p) }
  @inline(__always) static func zero() -> Integers { Halved(v256_zero(), v256_zero()) }
  @inline(__always) static func add(_ a: Integers, _ b: Integers) -> Integers {
    Halved(v256_add(a.low, b.low), v256_add(a.high, b.high))
  }
  @inline(__always) static func maximum(_ a: Integers, _ b: Integers) -> Integers {
    Halved(v256_maximum(a.low, b.low), v256_maximum(a.high, b.high))
  }
  @inline(__always) static func sum(_ a: Integers) -> Int32 { v256_sum(v256_add(a.low, a.high)) }
  @inline(__always) static func largest(_ a: Integers) -> Int32 {
    v256_largest(v256_maximum(a.low, a.high))
  }
  @inline(__always) static func bytes(_ a: Integers) -> SIMD16<Int8> {
    unsafeBitCast(v256_bytes(a.low, a.high), to: SIMD16<Int8>.self)
  }

  @inline(__always) static func zeroFloats() -> Floats {
    Halved(v256_zero_floats(), v256_zero_floats())
  }
  @inline(__always) static func broadcast(_ x: Float) -> Floats {
    Halved(v256_broadcast(x), v256_broadcast(x))
  }
  @inline(__always) static func loadFloats(_ p: UnsafeRawPointer) -> Floats {
    Halved(v256_load_floats(p), v256_load_floats(p + 32))
  }
  @inline(__always) static func loadHalves(_ p: UnsafeRawPointer) -> Floats {
    Halved(v256_load_halves(p), v256_load_halves(p + 16))
  }
  @inline(__always) static func loadFloats(_ p: UnsafeRawPointer, count: Int) -> Floats {
    let count = Int32(truncatingIfNeeded: count)
    return Halved(v256_load_some_floats(p, count), v256_load_some_floats(p + 32, count &- 8))
  }
  @inline(__always) static func loadBytes(_ p: UnsafeRawPointer) -> Floats {
    Halved(v256_load_bytes(p), v256_load_bytes(p + 8))
  }
  @inline(__always) static func halves(_ a: Floats) -> SIMD16<UInt16> {
    SIMD16(
      lowHalf: unsafeBitCast(v256_halves(a.low), to: SIMD8<UInt16>.self),
      highHalf: unsafeBitCast(v256_halves(a.high), to: SIMD8<UInt16>.self))
  }
  @inline(__always) static func storeFloats(_ p: UnsafeMutableRawPointer, _ a: Floats) {
    v256_store_floats(p, a.low)
    v256_store_floats(p + 32, a.high)
  }
  @inline(__always) static func add(_ a: Floats, _ b: Floats) -> Floats {
    Halved(v256_add_floats(a.low, b.low), v256_add_floats(a.high, b.high))
  }
  @inline(__always) static func subtract(_ a: Floats, _ b: Floats) -> Floats {
    Halved(v256_subtract_floats(a.low, b.low), v256_subtract_floats(a.high, b.high))
  }
  @inline(__always) static func multiply(_ a: Floats, _ b: Floats) -> Floats {
    Halved(v256_multiply_floats(a.low, b.low), v256_multiply_floats(a.high, b.high))
  }
  @inline(__always) static func divide(_ a: Floats, _ b: Floats) -> Floats {
    Halved(v256_divide_floats(a.low, b.low), v256_divide_floats(a.high, b.high))
  }
  @inline(__always) static func maximum(_ a: Floats, _ b: Floats) -> Floats {
    Halved(v256_maximum_floats(a.low, b.low), v256_maximum_floats(a.high, b.high))
  }
  @inline(__always) static func minimum(_ a: Floats, _ b: Floats) -> Floats {
    Halved(v256_minimum_floats(a.low, b.low), v256_minimum_floats(a.high, b.high))
  }
  @inline(__always) static func fma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    Halved(v256_fma(sum.low, a.low, b.low), v256_fma(sum.high, a.high, b.high))
  }
  @inline(__always) static func fnma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    Halved(v256_fnma(sum.low, a.low, b.low), v256_fnma(sum.high, a.high, b.high))
  }
  @inline(__always) static func float(_ a: Integers) -> Floats {
    Halved(v256_float(a.low), v256_float(a.high))
  }
  @inline(__always) static func round(_ a: Floats) -> Integers {
    Halved(v256_round(a.low), v256_round(a.high))
  }
  @inline(__always) static func magnitudeBits(_ a: Floats) -> Integers {
    Halved(v256_magnitude_bits(a.low), v256_magnitude_bits(a.high))
  }
  @inline(__always) static func powerOfTwo(_ n: Integers) -> Floats {
    Halved(v256_power_of_two(n.low), v256_power_of_two(n.high))
  }
  @inline(__always) static func zeroBelow(
    _ value: Floats, _ x: Floats, _ bound: Floats
  ) -> Floats {
    Halved(
      v256_zero_below(value.low, x.low, bound.low), v256_zero_below(value.high, x.high, bound.high))
  }
  @inline(__always) static func sum(_ a: Floats) -> Float {
    v256_sum_floats(v256_add_floats(a.low, a.high))
  }
  @inline(__always) static func largest(_ a: Floats) -> Float {
    v256_largest_float(v256_maximum_floats(a.low, a.high))
  }
}

extension AVX2: TileSizes {
  @inline(__always) static var rows8: Bool { false }
  @inline(__always) static var rows4: Bool { true }
  @inline(__always) static var rows2: Bool { true }
}
