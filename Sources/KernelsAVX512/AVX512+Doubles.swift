// Eight doubles in one register of 512 bits.
import Intrinsics
import Kernels

extension AVX512: DoubleLanes {
  typealias Doubles = __m512d

  @inline(__always) static func doubles(_ x: Double) -> __m512d { v512_broadcast_double(x) }
  @inline(__always) static func loadDoubles(_ p: UnsafeRawPointer) -> __m512d {
    v512_load_doubles(p)
  }
  @inline(__always) static func loadWidened(_ p: UnsafeRawPointer) -> __m512d {
    v512_load_widened(p)
  }
  @inline(__always) static func widenLow(_ a: __m512) -> __m512d { v512_widen_low(a) }
  @inline(__always) static func widenHigh(_ a: __m512) -> __m512d { v512_widen_high(a) }
  @inline(__always) static func storeDoubles(_ p: UnsafeMutableRawPointer, _ a: __m512d) {
    v512_store_doubles(p, a)
  }
  @inline(__always) static func add(_ a: __m512d, _ b: __m512d) -> __m512d {
    v512_add_doubles(a, b)
  }
  @inline(__always) static func subtract(_ a: __m512d, _ b: __m512d) -> __m512d {
    v512_subtract_doubles(a, b)
  }
  @inline(__always) static func multiply(_ a: __m512d, _ b: __m512d) -> __m512d {
    v512_multiply_doubles(a, b)
  }
  @inline(__always) static func divide(_ a: __m512d, _ b: __m512d) -> __m512d {
    v512_divide_doubles(a, b)
  }
  @inline(__always) static func maximum(_ a: __m512d, _ b: __m512d) -> __m512d {
    v512_maximum_doubles(a, b)
  }
  @inline(__always) static func minimum(_ a: __m512d, _ b: __m512d) -> __m512d {
    v512_minimum_doubles(a, b)
  }
  @inline(__always) static func choose(
    _ a: __m512d, _ b: __m512d, notBelow x: __m512d, _ bound: __m512d
  ) -> __m512d { v512_choose_doubles(a, b, x, bound) }
  @inline(__always) static func powerOfTwo256(_ n: __m512d) -> __m512d {
    v512_power_of_two_256(n)
  }
}
