// Eight doubles in four registers of 128 bits.
import Intrinsics
import Kernels

extension NEON: DoubleLanes {
  typealias Doubles = Quartered<float64x2_t>

  @inline(__always) static func doubles(_ x: Double) -> Doubles {
    Doubles(all: v128_broadcast_double(x))
  }
  @inline(__always) static func loadDoubles(_ p: UnsafeRawPointer) -> Doubles {
    Doubles(
      v128_load_doubles(p), v128_load_doubles(p + 16), v128_load_doubles(p + 32),
      v128_load_doubles(p + 48))
  }
  @inline(__always) static func loadWidened(_ p: UnsafeRawPointer) -> Doubles {
    widen(Halved(v128_load_floats(p), v128_load_floats(p + 16)))
  }
  @inline(__always) static func widenLow(_ a: Floats) -> Doubles { widen(a.first) }
  @inline(__always) static func widenHigh(_ a: Floats) -> Doubles { widen(a.second) }
  @inline(__always) private static func widen(_ a: Halved<float32x4_t>) -> Doubles {
    Doubles(
      v128_widen_low(a.low), v128_widen_high(a.low), v128_widen_low(a.high),
      v128_widen_high(a.high))
  }
  @inline(__always) static func storeDoubles(_ p: UnsafeMutableRawPointer, _ a: Doubles) {
    v128_store_doubles(p, a.first.low)
    v128_store_doubles(p + 16, a.first.high)
    v128_store_doubles(p + 32, a.second.low)
    v128_store_doubles(p + 48, a.second.high)
  }
  @inline(__always) static func add(_ a: Doubles, _ b: Doubles) -> Doubles {
    a.with(b) { v128_add_doubles($0, $1) }
  }
  @inline(__always) static func subtract(_ a: Doubles, _ b: Doubles) -> Doubles {
    a.with(b) { v128_subtract_doubles($0, $1) }
  }
  @inline(__always) static func multiply(_ a: Doubles, _ b: Doubles) -> Doubles {
    a.with(b) { v128_multiply_doubles($0, $1) }
  }
  @inline(__always) static func divide(_ a: Doubles, _ b: Doubles) -> Doubles {
    a.with(b) { v128_divide_doubles($0, $1) }
  }
  @inline(__always) static func maximum(_ a: Doubles, _ b: Doubles) -> Doubles {
    a.with(b) { v128_maximum_doubles($0, $1) }
  }
  @inline(__always) static func minimum(_ a: Doubles, _ b: Doubles) -> Doubles {
    a.with(b) { v128_minimum_doubles($0, $1) }
  }
  @inline(__always) static func choose(
    _ a: Doubles, _ b: Doubles, notBelow x: Doubles, _ bound: Doubles
  ) -> Doubles {
    Doubles(
      choose(a.first, b.first, notBelow: x.first, bound.first),
      choose(a.second, b.second, notBelow: x.second, bound.second))
  }
  @inline(__always) private static func choose(
    _ a: Halved<float64x2_t>, _ b: Halved<float64x2_t>, notBelow x: Halved<float64x2_t>,
    _ bound: Halved<float64x2_t>
  ) -> Halved<float64x2_t> {
    Halved(
      v128_choose_doubles(a.low, b.low, x.low, bound.low),
      v128_choose_doubles(a.high, b.high, x.high, bound.high))
  }
  @inline(__always) static func powerOfTwo256(_ n: Doubles) -> Doubles {
    n.map { v128_power_of_two_256($0) }
  }
}
