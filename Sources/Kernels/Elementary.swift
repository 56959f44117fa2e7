// Elementary functions of Double out of + - * / alone: the same bits on every machine and with
// every C library, which no libm promises. Each is an argument reduction that is exact (or keeps
// what it rounds away), a Taylor sum on a small interval, and a correction term. Swift never
// contracts a product and a sum into a fused one, so the written order is the executed order.

/// Exponential, logarithm, sine, cosine and power with stated bounds and fixed bits.
///
/// An ulp is the distance of neighbouring Doubles at the true result. Domain errors give NaN.
package enum Elementary {
  /// 1.5 x 2^52: added to |x| < 2^51 it leaves x, rounded to nearest even, in the low bits.
  private static var roundingShift: Double { 6_755_399_441_055_744 }

  /// Rounds to the nearest integer, ties to even; `x` must be finite and below 2^51 in magnitude.
  @inline(__always)
  private static func nearest(_ x: Double) -> (value: Double, integer: Int64) {
    let shifted = x + roundingShift
    let bits = Int64(bitPattern: shifted.bitPattern &- roundingShift.bitPattern)
    return (shifted - roundingShift, bits)
  }

  /// 2^k for -1022 <= k <= 1023.
  @inline(__always)
  private static func powerOfTwo(_ k: Int64) -> Double {
    Double(bitPattern: UInt64(bitPattern: (k &+ 1023) << 52))
  }

  /// ln 2 in two parts: 32 bits, whose product with any binary exponent is exact, and the rest.
  private static var ln2High: Double { 0x1.62e42feep-1 }
  private static var ln2Low: Double { 0x1.a39ef35793c76p-33 }

  /// e to the power `x`, within 1 ulp.
  ///
  /// x = k ln 2 + r with |r| <= 0.3466; e^r by its Taylor sum to r^13 (truncation below 2^-57).
  /// Edge cases: NaN gives NaN; infinity gives infinity; -infinity gives 0; x > 709.782712893384
  /// gives infinity; x < -745.133219101941 gives 0; 0 and -0 give 1.
  package static func exp(_ x: Double) -> Double {
    guard x <= 0x1.62e42fefa39efp+9 else { return x.isNaN ? x : .infinity }
    guard x >= -0x1.74910d52d3051p+9 else { return 0 }
    let (k, scale) = nearest(x * 0x1.71547652b82fep+0)
    let high = x - k * ln2High
    let low = k * ln2Low
    let r = high - low
    let lost = (high - r) - low
    var sum = 1.0 / 6_227_020_800
    sum = sum * r + 1.0 / 479_001_600
    sum = sum * r + 1.0 / 39_916_800
    sum = sum * r + 1.0 / 3_628_800
    sum = sum * r + 1.0 / 362_880
    sum = sum * r + 1.0 / 40_320
    sum = sum * r + 1.0 / 5_040
    sum = sum * r + 1.0 / 720
    sum = sum * r + 1.0 / 120
    sum = sum * r + 1.0 / 24
    sum = sum * r + 1.0 / 6
    sum = sum * r + 0.5
    let value = 1 + (r + (r * r * sum + lost))
    // In two factors, because 2^-1075 and 2^1024 are not Doubles though the result may be one.
    let half = scale >> 1
    return value * powerOfTwo(half) * powerOfTwo(scale &- half)
  }

  /// The natural logarithm of `x`, within 1 ulp.
  ///
  /// x = 2^k (1 + f) with 1 + f in [0.707, 1.415); with s = f / (2 + f), ln(1 + f) is
  /// 2 artanh s = f - s (f - R), R = 2 s^2/3 + 2 s^4/5 + ... to s^20 (truncated below 2^-58).
  /// Edge cases: NaN and x < 0 give NaN; 0 and -0 give -infinity; infinity gives infinity; 1
  /// gives 0.
  package static func log(_ x: Double) -> Double {
    guard x > 0 else { return x == 0 ? -.infinity : .nan }
    guard x < .infinity else { return x }
    var bits = Int64(bitPattern: x.bitPattern)
    var exponent: Int64 = 0
    if x < 0x1p-1022 {
      bits = Int64(bitPattern: (x * 0x1p54).bitPattern)
      exponent = -54
    }
    // Moves the cut between exponents from 1 to sqrt(1/2): 0x3fe6a09e are its upper 32 bits.
    let offset = bits &- 0x3fe6_a09e_0000_0000
    exponent &+= offset >> 52
    let fraction = (offset & 0x000f_ffff_ffff_ffff) &+ 0x3fe6_a09e_0000_0000
    let f = Double(bitPattern: UInt64(bitPattern: fraction)) - 1
    let s = f / (2 + f)
    let z = s * s
    var sum = 2.0 / 21
    sum = sum * z + 2.0 / 19
    sum = sum * z + 2.0 / 17
    sum = sum * z + 2.0 / 15
    sum = sum * z + 2.0 / 13
    sum = sum * z + 2.0 / 11
    sum = sum * z + 2.0 / 9
    sum = sum * z + 2.0 / 7
    sum = sum * z + 2.0 / 5
    sum = sum * z + 2.0 / 3
    let halfSquare = 0.5 * f * f
    let k = Double(exponent)
    return k * ln2High - ((halfSquare - (s * (halfSquare + z * sum) + k * ln2Low)) - f)
  }

  /// Sine and cosine of `x` radians, each within 2^-52 (2.3e-16) absolutely for |x| <= 2^31.
  ///
  /// x = n pi/2 + r with |r| <= pi/4. pi/2 is cut in three parts (22, 22 and 53 bits), so that the
  /// products of n < 2^31 with the first two are exact, and so are their differences; the third's
  /// rounding is below 2^-66 and its low word is kept. Then the Taylor sums to r^17 and r^16.
  /// Edge cases: NaN, infinities and |x| > 2^31 give (NaN, NaN); 0 gives (0, 1), -0 gives (-0, 1).
  package static func sineCosine(_ x: Double) -> (sine: Double, cosine: Double) {
    guard x >= -0x1p31 && x <= 0x1p31 else { return (.nan, .nan) }
    guard x != 0 else { return (x, 1) }
    let (n, quadrant) = nearest(x * 0x1.45f306dc9c883p-1)
    let remainder = (x - n * 0x1.921fbp+0) - n * 0x1.5110bp-22
    let tail = n * 0x1.18469898cc517p-44
    let r = remainder - tail
    let low = (remainder - r) - tail
    let z = r * r

    var sum = 1.0 / 355_687_428_096_000
    sum = sum * z - 1.0 / 1_307_674_368_000
    sum = sum * z + 1.0 / 6_227_020_800
    sum = sum * z - 1.0 / 39_916_800
    sum = sum * z + 1.0 / 362_880
    sum = sum * z - 1.0 / 5_040
    sum = sum * z + 1.0 / 120
    sum = sum * z - 1.0 / 6
    let sine = r + (r * z * sum + low * (1 - 0.5 * z))

    sum = 1.0 / 20_922_789_888_000
    sum = sum * z - 1.0 / 87_178_291_200
    sum = sum * z + 1.0 / 479_001_600
    sum = sum * z - 1.0 / 3_628_800
    sum = sum * z + 1.0 / 40_320
    sum = sum * z - 1.0 / 720
    sum = sum * z + 1.0 / 24
    let halfSquare = 0.5 * z
    let lead = 1 - halfSquare
    let cosine = lead + (((1 - lead) - halfSquare) + (z * z * sum - r * low))

    switch quadrant & 3 {
    case 0: return (sine, cosine)
    case 1: return (cosine, -sine)
    case 2: return (-sine, -cosine)
    default: return (-cosine, sine)
    }
  }

  /// `base` to the power `exponent`, as exp(exponent log base).
  ///
  /// With t = exponent log base, the relative error of a normal result is below (3 |t| + 3) 2^-53:
  /// under 1e-14 for rotary frequencies (|t| <= 25), under 1e-13 for |t| <= 290, under 2.5e-13
  /// everywhere.
  /// Edge cases: exponent 0 and base 1 give 1, even with NaN; other NaNs and base < 0 give NaN, for
  /// whole exponents too; 0 and -0 give 0 for a positive and infinity for a negative exponent.
  package static func power(_ base: Double, _ exponent: Double) -> Double {
    guard exponent != 0 && base != 1 else { return 1 }
    return exp(exponent * log(base))
  }
}
