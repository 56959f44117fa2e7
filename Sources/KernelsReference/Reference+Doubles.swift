// Eight doubles in plain Swift.
import Kernels

extension Reference: DoubleLanes {
  package typealias Doubles = SIMD8<Double>

  package static func doubles(_ x: Double) -> Doubles { Doubles(repeating: x) }
  package static func loadDoubles(_ p: UnsafeRawPointer) -> Doubles {
    p.loadUnaligned(as: Doubles.self)
  }
  package static func loadWidened(_ p: UnsafeRawPointer) -> Doubles {
    Doubles(p.loadUnaligned(as: SIMD8<Float>.self))
  }
  package static func widenLow(_ a: Floats) -> Doubles { Doubles(a.lowHalf) }
  package static func widenHigh(_ a: Floats) -> Doubles { Doubles(a.highHalf) }
  package static func storeDoubles(_ p: UnsafeMutableRawPointer, _ a: Doubles) {
    p.storeBytes(of: a, as: Doubles.self)
  }
  package static func add(_ a: Doubles, _ b: Doubles) -> Doubles { a + b }
  package static func subtract(_ a: Doubles, _ b: Doubles) -> Doubles { a - b }
  package static func multiply(_ a: Doubles, _ b: Doubles) -> Doubles { a * b }
  package static func divide(_ a: Doubles, _ b: Doubles) -> Doubles { a / b }
  package static func maximum(_ a: Doubles, _ b: Doubles) -> Doubles {
    b.replacing(with: a, where: a .> b)
  }
  package static func minimum(_ a: Doubles, _ b: Doubles) -> Doubles {
    b.replacing(with: a, where: a .< b)
  }
  package static func choose(
    _ a: Doubles, _ b: Doubles, notBelow x: Doubles, _ bound: Doubles
  ) -> Doubles { b.replacing(with: a, where: x .>= bound) }
  package static func powerOfTwo256(_ n: Doubles) -> Doubles {
    let bits = unsafeBitCast(n, to: SIMD8<Int64>.self)
    return unsafeBitCast(
      (bits &+ SIMD8(repeating: 1023 + 256)) &<< SIMD8(repeating: 52), to: Doubles.self)
  }
}
