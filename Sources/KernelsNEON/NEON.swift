// Sixteen lanes in four registers of 128 bits, which every arm64 processor has.
import Intrinsics
import Kernels

/// `VectorISA` in NEON.
enum NEON: VectorISA {
  typealias Integers = Quartered<int32x4_t>
  typealias Floats = Quartered<float32x4_t>

  @inline(__always) static var wideTiles: Bool { false }
  @inline(__always) static func prefetch(_ p: UnsafeRawPointer) { v_prefetch(p) }
  @inline(__always) static func zero() -> Integers { Integers(all: v128_zero()) }
  @inline(__always) static func add(_ a: Integers, _ b: Integers) -> Integers {
    a.with(b) { v128_add($0, $1) }
  }
  @inline(__always) static func maximum(_ a: Integers, _ b: Integers) -> Integers {
    a.with(b) { v128_maximum($0, $1) }
  }
  @inline(__always) static func sum(_ a: Integers) -> Int32 {
    let half = a.first.with(a.second) { v128_add($0, $1) }
    return v128_sum(v128_add(half.low, half.high))
  }
  @inline(__always) static func largest(_ a: Integers) -> Int32 {
    let half = a.first.with(a.second) { v128_maximum($0, $1) }
    return v128_largest(v128_maximum(half.low, half.high))
  }
  @inline(__always) static func bytes(_ a: Integers) -> SIMD16<Int8> {
    v128_bytes(a.first.low, a.first.high, a.second.low, a.second.high)
  }

  @inline(__always) static func zeroFloats() -> Floats { Floats(all: v128_zero_floats()) }
  @inline(__always) static func broadcast(_ x: Float) -> Floats { Floats(all: v128_broadcast(x)) }
  @inline(__always) static func loadFloats(_ p: UnsafeRawPointer) -> Floats {
    Floats(
      v128_load_floats(p), v128_load_floats(p + 16), v128_load_floats(p + 32),
      v128_load_floats(p + 48))
  }
  @inline(__always) static func loadHalves(_ p: UnsafeRawPointer) -> Floats {
    Floats(
      v128_load_halves(p), v128_load_halves(p + 8), v128_load_halves(p + 16),
      v128_load_halves(p + 24))
  }
  @inline(__always) static func loadFloats(_ p: UnsafeRawPointer, count: Int) -> Floats {
    if count >= 16 { return loadFloats(p) }
    var lanes = SIMD16<Float>.zero
    for lane in 0..<count {
      lanes[lane] = p.loadUnaligned(fromByteOffset: lane * 4, as: Float.self)
    }
    return unsafeBitCast(lanes, to: Floats.self)
  }
  @inline(__always) static func loadBytes(_ p: UnsafeRawPointer) -> Floats {
    let bytes = v128_load_bytes(p)
    return Floats(
      v128_float_bytes_0(bytes), v128_float_bytes_4(bytes), v128_float_bytes_8(bytes),
      v128_float_bytes_12(bytes))
  }
  @inline(__always) static func halves(_ a: Floats) -> SIMD16<UInt16> {
    SIMD16(
      lowHalf: v128_halves(a.first.low, a.first.high),
      highHalf: v128_halves(a.second.low, a.second.high))
  }
  @inline(__always) static func storeFloats(_ p: UnsafeMutableRawPointer, _ a: Floats) {
    v128_store_floats(p, a.first.low)
    v128_store_floats(p + 16, a.first.high)
    v128_store_floats(p + 32, a.second.low)
    v128_store_floats(p + 48, a.second.high)
  }
  @inline(__always) static func add(_ a: Floats, _ b: Floats) -> Floats {
    a.with(b) { v128_add_floats($0, $1) }
  }
  @inline(__always) static func subtract(_ a: Floats, _ b: Floats) -> Floats {
    a.with(b) { v128_subtract_floats($0, $1) }
  }
  @inline(__always) static func multiply(_ a: Floats, _ b: Floats) -> Floats {
    a.with(b) { v128_multiply_floats($0, $1) }
  }
  @inline(__always) static func divide(_ a: Floats, _ b: Floats) -> Floats {
    a.with(b) { v128_divide_floats($0, $1) }
  }
  @inline(__always) static func maximum(_ a: Floats, _ b: Floats) -> Floats {
    a.with(b) { v128_maximum_floats($0, $1) }
  }
  @inline(__always) static func minimum(_ a: Floats, _ b: Floats) -> Floats {
    a.with(b) { v128_minimum_floats($0, $1) }
  }
  @inline(__always) static func fma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    sum.with(a, b) { v128_fma($0, $1, $2) }
  }
  @inline(__always) static func fnma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    sum.with(a, b) { v128_fnma($0, $1, $2) }
  }
  @inline(__always) static func float(_ a: Integers) -> Floats { a.map { v128_float($0) } }
  @inline(__always) static func round(_ a: Floats) -> Integers { a.map { v128_round($0) } }
  @inline(__always) static func magnitudeBits(_ a: Floats) -> Integers {
    a.map { v128_magnitude_bits($0) }
  }
  @inline(__always) static func powerOfTwo(_ n: Integers) -> Floats {
    n.map { v128_power_of_two($0) }
  }
  @inline(__always) static func zeroBelow(
    _ value: Floats, _ x: Floats, _ bound: Floats
  ) -> Floats { value.with(x, bound) { v128_zero_below($0, $1, $2) } }
  @inline(__always) static func sum(_ a: Floats) -> Float {
    let half = a.first.with(a.second) { v128_add_floats($0, $1) }
    return v128_sum_floats(v128_add_floats(half.low, half.high))
  }
  @inline(__always) static func largest(_ a: Floats) -> Float {
    let half = a.first.with(a.second) { v128_maximum_floats($0, $1) }
    return v128_largest_float(v128_maximum_floats(half.low, half.high))
  }
}

// Four vectors of sums, of whatever queries, take half of 32 registers.
extension NEON: TileSizes {
  @inline(__always) static var rows8: Bool { false }
  @inline(__always) static var rows4: Bool { true }
  @inline(__always) static var rows2: Bool { true }
}
