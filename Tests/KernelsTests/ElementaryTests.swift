// The elementary functions against the system's libm, an oracle that shares no code with them.
// glibc states at most 1 ulp for exp, log, sin and cos (2 for pow), so two results that are each
// within 1 ulp of the truth differ by at most 2.

import Glibc
import Kernels
import Testing

/// SplitMix64, so that every run sees the same inputs.
private struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// How many Doubles lie between two results; 0 for equal values and for two NaNs.
private func ulpDistance(_ a: Double, _ b: Double) -> UInt64 {
  if a.isNaN || b.isNaN { return a.isNaN && b.isNaN ? 0 : .max }
  func order(_ x: Double) -> Int64 {
    let bits = Int64(bitPattern: x.bitPattern)
    return bits < 0 ? Int64.min &- bits : bits
  }
  return (order(a) &- order(b)).magnitude
}

private let sampleCount = 200_000

@Suite struct ElementaryTests {
  @Test("exp is within 1 ulp: at most 2 from libm, subnormal results included")
  func exponential() {
    var random = SeededGenerator(state: 1)
    var worst: UInt64 = 0
    for range in [-746.0...710, -1...1, -40...0, -745.2 ... -700, -1e-8...1e-8, 709...709.79] {
      for _ in 0..<sampleCount {
        let x = Double.random(in: range, using: &random)
        worst = max(worst, ulpDistance(Elementary.exp(x), Glibc.exp(x)))
      }
    }
    #expect(worst <= 2)
  }

  @Test("exp at its edges")
  func exponentialEdges() {
    #expect(Elementary.exp(.nan).isNaN)
    #expect(Elementary.exp(.infinity) == .infinity)
    #expect(Elementary.exp(-.infinity) == 0)
    #expect(Elementary.exp(0) == 1)
    #expect(Elementary.exp(-0.0) == 1)
    #expect(Elementary.exp(709.782712893384) < .infinity)
    #expect(Elementary.exp((709.782712893384).nextUp) == .infinity)
    #expect(Elementary.exp(-745.133219101941) == .leastNonzeroMagnitude)
    #expect(Elementary.exp(-745.1332191019413) == 0)
    #expect(Elementary.exp(.greatestFiniteMagnitude) == .infinity)
    #expect(Elementary.exp(-.greatestFiniteMagnitude) == 0)
    #expect(Elementary.exp(.leastNonzeroMagnitude) == 1)
  }

  @Test("log is within 1 ulp: at most 2 from libm, over all positive exponents")
  func logarithm() {
    var random = SeededGenerator(state: 2)
    var worst: UInt64 = 0
    for _ in 0..<sampleCount {
      let anyPositive = Double(bitPattern: random.next() >> 1)
      let nearOne = Double.random(in: 0.4...2.2, using: &random)
      let closeToOne = 1 + Double.random(in: -1e-6...1e-6, using: &random)
      let subnormal = Double(bitPattern: random.next() >> (12 + random.next() % 50))
      for x in [anyPositive, nearOne, closeToOne, subnormal] {
        worst = max(worst, ulpDistance(Elementary.log(x), Glibc.log(x)))
      }
    }
    #expect(worst <= 2)
  }

  @Test("log at its edges")
  func logarithmEdges() {
    #expect(Elementary.log(.nan).isNaN)
    #expect(Elementary.log(-1).isNaN)
    #expect(Elementary.log(-.infinity).isNaN)
    #expect(Elementary.log(-.leastNonzeroMagnitude).isNaN)
    #expect(Elementary.log(0) == -.infinity)
    #expect(Elementary.log(-0.0) == -.infinity)
    #expect(Elementary.log(.infinity) == .infinity)
    #expect(Elementary.log(1) == 0)
    let ends = [Double.leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude]
    for x in ends + [(0.5).squareRoot(), (2.0).squareRoot(), 1] {
      for y in [x, x.nextUp, x.nextDown] where y > 0 && y < .infinity {
        #expect(ulpDistance(Elementary.log(y), Glibc.log(y)) <= 2, "\(y)")
      }
    }
  }

  @Test("sine and cosine are within 2^-52, so at most 1.5 x 2^-52 from libm")
  func sineCosine() {
    var random = SeededGenerator(state: 3)
    var worst = 0.0
    for bound in [0x1p-20, 1, 10, 0x1p24, 0x1p31] {
      for _ in 0..<sampleCount {
        let x = Double.random(in: -bound...bound, using: &random)
        // Whole angles are what positions give; multiples of pi/2 are where reduction cancels.
        let multiple = (x / (Double.pi / 2)).rounded() * (Double.pi / 2)
        for angle in [x, x.rounded(), min(max(multiple, -bound), bound)] {
          let (sine, cosine) = Elementary.sineCosine(angle)
          worst = max(worst, abs(sine - Glibc.sin(angle)), abs(cosine - Glibc.cos(angle)))
        }
      }
    }
    #expect(worst <= 1.5 * 0x1p-52)
  }

  @Test("sine and cosine at their edges")
  func sineCosineEdges() {
    for x in [Double.nan, .infinity, -.infinity, (0x1p31).nextUp, -(0x1p31).nextUp, 1e300] {
      #expect(Elementary.sineCosine(x).sine.isNaN)
      #expect(Elementary.sineCosine(x).cosine.isNaN)
    }
    let zero = Elementary.sineCosine(0)
    #expect(zero.sine == 0 && zero.sine.sign == .plus && zero.cosine == 1)
    let negativeZero = Elementary.sineCosine(-0.0)
    #expect(negativeZero.sine.sign == .minus && negativeZero.cosine == 1)
    for x in [0x1p31, -0x1p31, 0x1p24, .leastNonzeroMagnitude, Double.pi / 4, Double.pi] {
      let (sine, cosine) = Elementary.sineCosine(x)
      #expect(abs(sine - Glibc.sin(x)) <= 1.5 * 0x1p-52, "\(x)")
      #expect(abs(cosine - Glibc.cos(x)) <= 1.5 * 0x1p-52, "\(x)")
    }
  }

  @Test("power keeps its stated relative error against libm's pow")
  func power() {
    var random = SeededGenerator(state: 4)
    var worstShare = 0.0
    for _ in 0..<sampleCount {
      let base = Elementary.exp(Double.random(in: -30...30, using: &random))
      let exponent = Double.random(in: -20...20, using: &random)
      let expected = Glibc.pow(base, exponent)
      let bound = (3 * abs(exponent * Glibc.log(base)) + 3 + 2) * 0x1p-53
      let error = abs(Elementary.power(base, exponent) - expected) / expected
      worstShare = max(worstShare, error / bound)
    }
    #expect(worstShare <= 1)
  }

  @Test("rotary frequencies are right to a relative 1e-13", arguments: [1e4, 1e6, 5e5, 1e9])
  func rotaryFrequencies(base: Double) {
    for width in [64, 128, 256] {
      for i in 0..<(width / 2) {
        let exponent = -2 * Double(i) / Double(width)
        let expected = Glibc.pow(base, exponent)
        #expect(abs(Elementary.power(base, exponent) - expected) <= 1e-13 * expected)
      }
    }
  }

  @Test("power at its edges")
  func powerEdges() {
    #expect(Elementary.power(.nan, 0) == 1)
    #expect(Elementary.power(1, .nan) == 1)
    #expect(Elementary.power(1, .infinity) == 1)
    #expect(Elementary.power(0, 0) == 1)
    #expect(Elementary.power(.nan, 1).isNaN)
    #expect(Elementary.power(2, .nan).isNaN)
    #expect(Elementary.power(-2, 2).isNaN)
    #expect(Elementary.power(0, 2) == 0)
    #expect(Elementary.power(-0.0, 3) == 0)
    #expect(Elementary.power(0, -2) == .infinity)
    #expect(Elementary.power(.infinity, 2) == .infinity)
    #expect(Elementary.power(.infinity, -2) == 0)
    #expect(Elementary.power(0.5, .infinity) == 0)
    #expect(Elementary.power(2, .infinity) == .infinity)
  }
}
