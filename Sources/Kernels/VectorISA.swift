// The vocabulary of the kernels: 32-bit lanes side by side. A lane is an output row of a matrix (or
// a position, or a value of a head), so that no kernel adds across lanes except in the fixed order
// of `sum`. How many registers the lanes take is the affair of the instruction set; every
// conformance gives the same bits, and `Reference` defines them.

/// The operations of the kernels on the lanes of one instruction set; pointers need no alignment.
public protocol Lanes {
  /// Int32 lanes, or the same bytes as pairs of Int16 or four codes of eight bits a lane.
  associatedtype Integers
  /// As many lanes of Float.
  associatedtype Floats

  static func prefetch(_ p: UnsafeRawPointer)
  static func zero() -> Integers
  static func add(_ a: Integers, _ b: Integers) -> Integers
  static func zeroFloats() -> Floats
  static func broadcast(_ x: Float) -> Floats
  static func loadFloats(_ p: UnsafeRawPointer) -> Floats
  /// IEEE half-precision values.
  static func loadHalves(_ p: UnsafeRawPointer) -> Floats
  static func storeFloats(_ p: UnsafeMutableRawPointer, _ a: Floats)
  static func add(_ a: Floats, _ b: Floats) -> Floats
  static func multiply(_ a: Floats, _ b: Floats) -> Floats
  /// sum + a b, rounded once.
  static func fma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats
  /// sum - a b, rounded once.
  static func fnma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats
  /// Int32 to Float, nearest, ties to even.
  static func float(_ a: Integers) -> Floats
}

/// Sixteen lanes, for the kernels along one vector: norms, quantising, attention.
public protocol VectorISA: Lanes {
  /// Whether there are registers for sixteen vectors of sums and more beside them, not for eight.
  static var wideTiles: Bool { get }
  static func maximum(_ a: Integers, _ b: Integers) -> Integers
  static func sum(_ a: Integers) -> Int32
  static func largest(_ a: Integers) -> Int32
  /// Sixteen lanes in -128...127 as sixteen Int8.
  static func bytes(_ a: Integers) -> SIMD16<Int8>

  /// The first `count` (at most 16) values at `p`, which is not read beyond; 0 in the other lanes.
  static func loadFloats(_ p: UnsafeRawPointer, count: Int) -> Floats
  /// Sixteen Int8 as Float.
  static func loadBytes(_ p: UnsafeRawPointer) -> Floats
  /// Half precision, nearest, ties to even.
  static func halves(_ a: Floats) -> SIMD16<UInt16>
  static func subtract(_ a: Floats, _ b: Floats) -> Floats
  static func divide(_ a: Floats, _ b: Floats) -> Floats
  /// `a > b ? a : b` in each lane: `b` where either is NaN.
  static func maximum(_ a: Floats, _ b: Floats) -> Floats
  /// `a < b ? a : b` in each lane: `b` where either is NaN.
  static func minimum(_ a: Floats, _ b: Floats) -> Floats
  /// Float to Int32, nearest, ties to even; Int32.min for what does not fit.
  static func round(_ a: Floats) -> Integers
  /// The bits of the magnitude: as integers they order like it, NaN above infinity.
  static func magnitudeBits(_ a: Floats) -> Integers
  /// 2^n for n in -126...127.
  static func powerOfTwo(_ n: Integers) -> Floats
  /// `value` where x is not below `bound` (NaN is not), 0 elsewhere.
  static func zeroBelow(_ value: Floats, _ x: Floats, _ bound: Floats) -> Floats
  /// The sum of the lanes: i with i + 8, then i + 4, i + 2, i + 1.
  static func sum(_ a: Floats) -> Float
  /// The largest lane, in the order of `sum`.
  static func largest(_ a: Floats) -> Float
}

extension VectorISA {
  /// e^x for x <= 0: relative error below 2.5e-7; 0 below -87; NaN for NaN.
  ///
  /// Cody-Waite reduction by ln 2 in two parts, then a polynomial of degree 6 (Taylor's, the
  /// argument is within 0.347).
  @inlinable @inline(__always)
  public static func exponential(_ x: Floats) -> Floats {
    let bound = broadcast(-87)
    let clamped = minimum(broadcast(88), maximum(bound, x))
    let n = round(multiply(clamped, broadcast(1.442_695)))
    let count = float(n)
    var r = fnma(clamped, count, broadcast(0x1.62e4p-1))
    r = fnma(r, count, broadcast(0x1.7f7d1cp-20))
    var e = broadcast(1.388_888_9e-3)
    e = fma(broadcast(8.333_334e-3), e, r)
    e = fma(broadcast(4.166_666_8e-2), e, r)
    e = fma(broadcast(1.666_666_7e-1), e, r)
    e = fma(broadcast(0.5), e, r)
    e = fma(broadcast(1), e, r)
    e = fma(broadcast(1), e, r)
    return zeroBelow(multiply(e, powerOfTwo(n)), x, bound)
  }
}
