// Eight doubles in two registers of 256 bits.
import Intrinsics
import Kernels

extension AVX2: DoubleLanes {
  typealias Doubles = Halved<__m256d>

  @inline(__always) static func doubles(_ x: Double) -> Doubles {
    Halved(v256_broadcast_double(x), v256_broadcast_double(x))
  }
  @inline(__always) static func loadDoubles(_ p: UnsafeRawPointer) -> Doubles {
    Halved(v256_load_doubles(p), v256_load_doubles(p + 32))
  }
  @inline(__always) static func loadWidened(_ p: UnsafeRawPointer) -> Doubles {
    Halved(v256_load_widened(p), v256_load_widened(p + 16))
  }
  @inline(__always) static func widenLow(_ a: Floats) -> Doubles {
    Halved(v256_widen_low(a.low), v256_widen_high(a.low))
  }
  @inline(__always) static func widenHigh(_ a: Floats) -> Doubles {
    Halved(v256_widen_low(a.high), v256_widen_high(a.high))
  }
  @inline(__always) static func storeDoubles(_ p: UnsafeMutableRawPointer, _ a: Doubles) {
    v256_store_doubles(p, a.low)
    v256_store_doubles(p + 32, a.high)
  }
  @inline(__always) static func add(_ a: Doubles, _ b: Doubles) -> Doubles {
    Halved(v256_add_doubles(a.low, b.low), v256_add_doubles(a.high, b.high))
  }
  @inline(__always) static func subtract(_ a: Doubles, _ b: Doubles) -> Doubles {
    Halved(v256_subtract_doubles(a.low, b.low), v256_subtract_doubles(a.high, b.high))
  }
  @inline(__always) static func multiply(_ a: Doubles, _ b: Doubles) -> Doubles {
    Halved(v256_multiply_doubles(a.low, b.low), v256_multiply_doubles(a.high, b.high))
  }
  @inline(__always) static func divide(_ a: Doubles, _ b: Doubles) -> Doubles {
    Halved(v256_divide_doubles(a.low, b.low), v256_divide_doubles(a.high, b.high))
  }
  @inline(__always) static func maximum(_ a: Doubles, _ b: Doubles) -> Doubles {
    Halved(v256_maximum_doubles(a.low, b.low), v256_maximum_doubles(a.high, b.high))
  }
  @inline(__always) static func minimum(_ a: Doubles, _ b: Doubles) -> Doubles {
    Halved(v256_minimum_doubles(a.low, b.low), v256_minimum_doubles(a.high, b.high))
  }
  @inline(__always) static func choose(
    _ a: Doubles, _ b: Doubles, notBelow x: Doubles, _ bound: Doubles
  ) -> Doubles {
    Halved(
      v256_choose_doubles(a.low, b.low, x.low, bound.low),
      v256_choose_doubles(a.high, b.high, x.high, bound.high))
  }
  @inline(__always) static func powerOfTwo256(_ n: Doubles) -> Doubles {
    Halved(v256_power_of_two_256(n.low), v256_power_of_two_256(n.high))
  }
}
