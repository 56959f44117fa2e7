// Products on eight lanes in two registers of 128 bits: all but the products of codes, which each
// instruction set does in its way.
import Intrinsics
import Kernels

/// The operations that the products of all tables of arm64 share.
protocol Lanes128: ProductISA
where
  Integers == Halved<int32x4_t>, Floats == Halved<float32x4_t>, Scale == Halved<int32x4_t>,
  Outputs == Quartered<float32x4_t>
{}

extension Lanes128 {
  @inline(__always) static var lanes: Int { 8 }
  /// Sums of six rows take 24 registers of 32.
  @inline(__always) static var bundledRows: Int { 6 }
  @inline(__always) static var spreadRows: Int { 32 }
  @inline(__always) static var rows8: Bool { false }
  @inline(__always) static var rows2: Bool { true }

  @inline(__always) static func zero() -> Integers { Halved(v128_zero(), v128_zero()) }
  @inline(__always) static func add(_ a: Integers, _ b: Integers) -> Integers {
    a.with(b) { v128_add($0, $1) }
  }
  @inline(__always) static func load(_ p: UnsafeRawPointer) -> Integers {
    Halved(v128_load(p), v128_load(p + 16))
  }
  @inline(__always) static func store(_ p: UnsafeMutableRawPointer, _ a: Integers) {
    v128_store(p, a.low)
    v128_store(p + 16, a.high)
  }
  @inline(__always) static func prefetch(_ p: UnsafeRawPointer) { v_prefetch(p) }
  @inline(__always) static func broadcast(from p: UnsafeRawPointer) -> Integers {
    Halved(v128_broadcast_from(p), v128_broadcast_from(p))
  }
  @inline(__always) static func lowBits(_ a: Integers, _ mask: UInt8) -> Integers {
    a.map { v128_low_bits($0, mask) }
  }
  @inline(__always) static func byte(_ a: Integers, _ i: Int) -> Integers {
    a.map { v128_byte($0, Int32(truncatingIfNeeded: i)) }
  }
  @inline(__always) static func lookup16(
    _ table: (low: UInt64, high: UInt64), _ codes: Integers
  ) -> Integers { codes.map { v128_lookup_16(table.low, table.high, $0) } }
  @inline(__always) static func or(_ a: Integers, _ b: Integers) -> Integers {
    a.with(b) { v128_or($0, $1) }
  }
  @inline(__always) static func shiftRight16(_ a: Integers, _ count: Int32) -> Integers {
    a.map { v128_shift_right_16($0, count) }
  }
  @inline(__always) static func shiftLeft16(_ a: Integers, _ count: Int32) -> Integers {
    a.map { v128_shift_left_16($0, count) }
  }
  @inline(__always) static func shiftRight(_ a: Integers, _ count: Int32) -> Integers {
    a.map { v128_shift_right($0, count) }
  }
  @inline(__always) static func shiftLeft(_ a: Integers, _ count: Int32) -> Integers {
    a.map { v128_shift_left($0, count) }
  }
  @inline(__always) static func subtract(_ a: Integers, _ b: Integers) -> Integers {
    a.with(b) { v128_subtract($0, $1) }
  }
  @inline(__always) static func pairs(unsigned p: UnsafeRawPointer) -> Integers {
    Halved(v128_widen_unsigned(p), v128_widen_unsigned(p + 8))
  }
  @inline(__always) static func pairs(signed p: UnsafeRawPointer) -> Integers {
    Halved(v128_widen_signed(p), v128_widen_signed(p + 8))
  }
  @inline(__always) static func pairDot(
    _ sum: Integers, _ pairs: Integers, _ activations: UnsafeRawPointer
  ) -> Integers {
    let x = v128_broadcast_from(activations)
    return sum.with(pairs) { v128_add($0, v128_pair_dot($1, x)) }
  }
  @inline(__always) static func firstScale(_ pairs: Integers) -> Integers {
    pairs.map { v128_shift_right(v128_shift_left($0, 16), 16) }
  }
  @inline(__always) static func secondScale(_ pairs: Integers) -> Integers {
    pairs.map { v128_shift_right($0, 16) }
  }

  @inline(__always) static func zeroFloats() -> Floats {
    Halved(v128_zero_floats(), v128_zero_floats())
  }
  @inline(__always) static func broadcast(_ x: Float) -> Floats {
    Halved(v128_broadcast(x), v128_broadcast(x))
  }
  @inline(__always) static func loadFloats(_ p: UnsafeRawPointer) -> Floats {
    Halved(v128_load_floats(p), v128_load_floats(p + 16))
  }
  @inline(__always) static func loadHalves(_ p: UnsafeRawPointer) -> Floats {
    Halved(v128_load_halves(p), v128_load_halves(p + 8))
  }
  @inline(__always) static func loadBrains(_ p: UnsafeRawPointer) -> Floats {
    Halved(v128_load_brains(p), v128_load_brains(p + 8))
  }
  @inline(__always) static func storeFloats(_ p: UnsafeMutableRawPointer, _ a: Floats) {
    v128_store_floats(p, a.low)
    v128_store_floats(p + 16, a.high)
  }
  @inline(__always) static func add(_ a: Floats, _ b: Floats) -> Floats {
    a.with(b) { v128_add_floats($0, $1) }
  }
  @inline(__always) static func multiply(_ a: Floats, _ b: Floats) -> Floats {
    a.with(b) { v128_multiply_floats($0, $1) }
  }
  @inline(__always) static func fma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    sum.with(a, b) { v128_fma($0, $1, $2) }
  }
  @inline(__always) static func fnma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    sum.with(a, b) { v128_fnma($0, $1, $2) }
  }
  @inline(__always) static func float(_ a: Integers) -> Floats { a.map { v128_float($0) } }

  /// Lanes 0...7 and 8...15.
  @inline(__always) static func noOutputs() -> Outputs { Outputs(all: v128_zero_floats()) }
  @inline(__always) static func output(_ outputs: Outputs, _ part: Int) -> Floats {
    part == 0 ? outputs.first : outputs.second
  }
  @inline(__always) static func setOutput(_ outputs: inout Outputs, _ part: Int, _ value: Floats) {
    if part == 0 { outputs.first = value } else { outputs.second = value }
  }
}
