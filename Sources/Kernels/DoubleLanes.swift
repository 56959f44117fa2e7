// Eight lanes of Double, for what is done with the scores of a vocabulary. As with `Lanes`, every
// conformance gives the same bits, and `Reference` defines them.

/// What the kernels of sampling do with eight doubles; pointers need no alignment.
public protocol DoubleLanes: VectorISA {
  associatedtype Doubles

  static func doubles(_ x: Double) -> Doubles
  static func loadDoubles(_ p: UnsafeRawPointer) -> Doubles
  /// Eight floats as doubles.
  static func loadWidened(_ p: UnsafeRawPointer) -> Doubles
  /// Lanes 0...7 of floats as doubles.
  static func widenLow(_ a: Floats) -> Doubles
  /// Lanes 8...15.
  static func widenHigh(_ a: Floats) -> Doubles
  static func storeDoubles(_ p: UnsafeMutableRawPointer, _ a: Doubles)
  static func add(_ a: Doubles, _ b: Doubles) -> Doubles
  static func subtract(_ a: Doubles, _ b: Doubles) -> Doubles
  static func multiply(_ a: Doubles, _ b: Doubles) -> Doubles
  static func divide(_ a: Doubles, _ b: Doubles) -> Doubles
  /// `a > b ? a : b` in each lane: `b` where either is NaN.
  static func maximum(_ a: Doubles, _ b: Doubles) -> Doubles
  /// `a < b ? a : b` in each lane: `b` where either is NaN.
  static func minimum(_ a: Doubles, _ b: Doubles) -> Doubles
  /// `a` where `x` is not below `bound`, `b` elsewhere; no NaN.
  static func choose(_ a: Doubles, _ b: Doubles, notBelow x: Doubles, _ bound: Doubles) -> Doubles
  /// 2^(n + 256) for the integer n that the low bits of a double hold, -1278 < n < 768.
  static func powerOfTwo256(_ n: Doubles) -> Doubles
}

extension DoubleLanes {
  /// e^x for x <= 0, with the bits of `Elementary.exp`, whose steps these are.
  @inlinable @inline(__always)
  public static func exponential(_ x: Doubles) -> Doubles {
    let shift = doubles(6_755_399_441_055_744)
    // The nearest integer, which the low bits of the sum hold as well.
    let shifted = add(multiply(x, doubles(0x1.71547652b82fep+0)), shift)
    let k = subtract(shifted, shift)
    let high = subtract(x, multiply(k, doubles(0x1.62e42feep-1)))
    let low = multiply(k, doubles(0x1.a39ef35793c76p-33))
    let r = subtract(high, low)
    let lost = subtract(subtract(high, r), low)
    var sum = doubles(1.0 / 6_227_020_800)
    sum = add(multiply(sum, r), doubles(1.0 / 479_001_600))
    sum = add(multiply(sum, r), doubles(1.0 / 39_916_800))
    sum = add(multiply(sum, r), doubles(1.0 / 3_628_800))
    sum = add(multiply(sum, r), doubles(1.0 / 362_880))
    sum = add(multiply(sum, r), doubles(1.0 / 40_320))
    sum = add(multiply(sum, r), doubles(1.0 / 5_040))
    sum = add(multiply(sum, r), doubles(1.0 / 720))
    sum = add(multiply(sum, r), doubles(1.0 / 120))
    sum = add(multiply(sum, r), doubles(1.0 / 24))
    sum = add(multiply(sum, r), doubles(1.0 / 6))
    sum = add(multiply(sum, r), doubles(0.5))
    let value = add(doubles(1), add(r, add(multiply(multiply(r, r), sum), lost)))
    // In two factors, as 2^-1075 is no double. The first product is exact: one rounding, whatever
    // the factors.
    let scaled = multiply(multiply(value, powerOfTwo256(shifted)), doubles(0x1p-256))
    return choose(scaled, doubles(0), notBelow: x, doubles(-0x1.74910d52d3051p+9))
  }
}
