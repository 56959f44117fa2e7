// RMS norm, SwiGLU and the exponential against Double, and the same bits from every table.
import Glibc
import Kernels
import KernelsReference
import Support
import Testing

private let u = 0x1p-24

/// The error of e^x, derived.
///
/// What Taylor's polynomial of degree 6 leaves out is at most 0.3466^7 / 5040 beside e^-0.3466:
/// 1.69e-7. The last FMA of the polynomial rounds by 2^-25 beside 0.707, the one before it by 0.35
/// of that, the argument by 2^-26, the earlier ones by next to nothing: 0.75e-7 in all.
private let exponentialBound = 2.5e-7

@Suite("elementwise kernels")
struct ElementwiseTests {
  // MARK: exponential

  /// e^x by the reference, sixteen at a time.
  private func exponential(_ x: [Float]) -> [Float] {
    stride(from: 0, to: x.count, by: 16).flatMap { start -> [Float] in
      var lanes = SIMD16<Float>(repeating: 0)
      let count = min(16, x.count - start)
      for i in 0..<count { lanes[i] = x[start + i] }
      let e = Reference.exponential(lanes)
      return (0..<count).map { e[$0] }
    }
  }

  @Test("e^x is within the derived bound for -87 <= x <= 0, and at most 1")
  func exponentialError() {
    var random = SeededGenerator(seed: 0xe)
    var x = (0...200_000).map { -Float($0) * (87 / 200_000) }.map { max($0, -87) }
    x += (0..<50_000).map { _ in -Float.random(in: 0...1, using: &random) }
    x += (0..<120).map { -Float(sign: .plus, exponent: -$0, significand: 1.3) }
    // Where the reduction changes its multiple of ln 2.
    x += (0..<125).flatMap { n -> [Float] in
      let edge = -(Float(n) + 0.5) * 0.693_147_2
      return [edge.nextDown, edge, edge.nextUp]
    }.filter { $0 >= -87 }
    var worst = 0.0
    for (value, e) in zip(x, exponential(x)) {
      let exact = exp(Double(value))
      worst = max(worst, abs(Double(e) - exact) / exact)
      #expect(e <= 1)
    }
    #expect(worst < exponentialBound, "\(worst)")
  }

  @Test("e^x: 1 at 0, 0 below -87 and at -infinity, NaN for NaN, finite above 88")
  func exponentialEdges() {
    let x: [Float] = [
      0, -0, (-87 as Float).nextDown, -88, -1e30, -.infinity, .nan, 88, 1e30, .infinity,
    ]
    let e = exponential(x)
    #expect(e[0] == 1 && e[1] == 1)
    #expect(e[2...5].allSatisfy { $0 == 0 && $0.sign == .plus })
    #expect(e[6].isNaN)
    #expect(e[7...9].allSatisfy { $0 == e[7] && $0.isFinite && $0 > 1.6e38 })
  }

  @Test("e^x never falls when x rises by more than the error")
  func exponentialOrder() {
    let x = (0...20_000).map { -Float($0) / 256 }
    let e = exponential(x)
    #expect(zip(e, e.dropFirst()).allSatisfy { $0 > $1 || $0 == 0 })
  }

  // MARK: RMS norm

  private func norm(
    _ table: KernelTable, _ x: [Float], _ weight: [Float], width: Int, epsilon: Float,
    _ side: GuardedBuffer.Side = .end
  ) throws -> [Float] {
    let input = try GuardedBuffer(floats: x, guarding: side)
    let weights = try GuardedBuffer(floats: weight, guarding: side)
    let out = try GuardedBuffer(byteCount: x.count * 4, guarding: side)
    table.rmsNorm(input.floats, weights.floats, x.count / 16, width, epsilon, out.floats)
    return (0..<x.count).map { out.floats[$0] }
  }

  private func row(
    _ width: Int, _ size: Float, _ random: inout SeededGenerator
  ) -> [Float] {
    (0..<(width + 15) / 16 * 16).map {
      $0 < width ? Float.random(in: -1...1, using: &random) * size : 0
    }
  }

  /// The sum of V vectors is V roundings a lane, then four additions, all of positive numbers;
  /// division and epsilon round once each, halved by the root; root, inverse and two products once
  /// each.
  @Test(
    "RMS norm against Double, in units of 2^-24",
    arguments: [1, 2, 15, 16, 17, 64, 100, 256, 4096])
  func normError(width: Int) throws {
    var random = SeededGenerator(seed: UInt64(width))
    for size: Float in [1e-12, 1e-3, 1, 1e6, 1e15] {
      let x = row(width, size, &random)
      let weight = row(width, 2, &random)
      let squares = x.reduce(0.0) { $0 + Double($1) * Double($1) }
      let epsilon: Float = 1e-5
      let scale = 1 / (squares / Double(width) + Double(epsilon)).squareRoot()
      let bound = (Double(x.count / 16 + 6) / 2 + 4) * 1.01 * u
      let out = try norm(.reference, x, weight, width: width, epsilon: epsilon)
      for i in 0..<x.count {
        let exact = Double(x[i]) * scale * Double(weight[i])
        // Results may be subnormal: half the smallest number more.
        #expect(abs(Double(out[i]) - exact) <= bound * abs(exact) + 0x1p-149, "\(size), \(i)")
      }
      #expect(out[width...].allSatisfy { $0 == 0 }, "padding")
    }
  }

  @Test("RMS norm: every table gives the reference's bits")
  func normBits() throws {
    var random = SeededGenerator(seed: 0x4045)
    for width in [1, 16, 17, 100, 256, 1000, 4096] {
      for size: Float in [1e-25, 1e-4, 1, 1e10, 1e18] {
        let x = row(width, size, &random)
        let weight = row(width, 1, &random)
        for side in GuardedBuffer.Side.allCases {
          let expected = try norm(.reference, x, weight, width: width, epsilon: 1e-6, side)
          for table in Tables.fast {
            let found = try norm(table, x, weight, width: width, epsilon: 1e-6, side)
            #expect(found.map(\.bitPattern) == expected.map(\.bitPattern), "\(table.name)")
          }
        }
      }
    }
  }

  @Test("RMS norm: a NaN makes the row NaN, an infinity makes NaN in its place; zeros stay zero")
  func normNotFinite() throws {
    var random = SeededGenerator(seed: 0xf)
    let weight = row(64, 1, &random)
    for table in Tables.all {
      var x = row(64, 1, &random)
      x[37] = .nan
      #expect(
        try norm(table, x, weight, width: 64, epsilon: 1e-5).allSatisfy(\.isNaN), "\(table.name)")
      x[37] = -.infinity
      #expect(try norm(table, x, weight, width: 64, epsilon: 1e-5)[37].isNaN, "\(table.name)")
      let zeros = [Float](repeating: 0, count: 64)
      let out = try norm(table, zeros, weight, width: 64, epsilon: 1e-5)
      #expect(out.allSatisfy { $0 == 0 }, "\(table.name)")
    }
  }

  @Test("RMS norm: a row whose squares overflow does not pass for a row of zeros")
  func normOverflow() throws {
    let weight = [Float](repeating: 1, count: 64)
    for table in Tables.all {
      for size: Float in [1e19, 1e20, 1e30, 3e38] {
        let x = (0..<64).map { $0 % 2 == 0 ? size : -size }
        let out = try norm(table, x, weight, width: 64, epsilon: 1e-5)
        #expect(out.allSatisfy { !$0.isFinite || abs(abs($0) - 1) < 1e-5 }, "\(table.name)")
      }
    }
  }

  // MARK: SwiGLU

  private func swiGLU(
    _ table: KernelTable, _ gate: [Float], _ up: [Float], _ side: GuardedBuffer.Side = .end
  ) throws -> [Float] {
    let g = try GuardedBuffer(floats: gate, guarding: side)
    let other = try GuardedBuffer(floats: up, guarding: side)
    table.swiGLU(g.floats, other.floats, gate.count / 16)
    return (0..<gate.count).map { g.floats[$0] }
  }

  /// The exponential has its bound, the sum, the quotient and the product round once each.
  @Test("SwiGLU against Double for gates of -87 to 87, in units of 2^-24")
  func swiGLUError() throws {
    var random = SeededGenerator(seed: 0x51)
    var gate = (0..<32_000).map { Float($0) * (174 / 32_000) - 87 }
    gate += (0..<32_000).map { _ in Float.random(in: -4...4, using: &random) }
    let up = gate.map { _ in Float.random(in: -3...3, using: &random) }
    let out = try swiGLU(.reference, gate, up)
    for i in gate.indices {
      let exact = Double(gate[i]) / (1 + exp(-Double(gate[i]))) * Double(up[i])
      let bound = (exponentialBound + 3 * u) * 1.01 * abs(exact) + 0x1p-149
      #expect(abs(Double(out[i]) - exact) <= bound, "gate \(gate[i])")
    }
  }

  @Test("SwiGLU outside: the gate itself above, next to nothing below, not finite for what is not")
  func swiGLUEdges() throws {
    let gate: [Float] = [
      88, 1e30, .greatestFiniteMagnitude, -88, -100, -1000, 0, -0, .infinity, -.infinity, .nan, 1,
      1,
      1, -1, 0,
    ]
    let up: [Float] = [
      1, 1, 1, 1, 1, 1, 5, 5, 1, 1, 1, .infinity, -.infinity, .nan, .nan, .infinity,
    ]
    for table in Tables.all {
      let out = try swiGLU(table, gate, up)
      #expect(Array(out[0...2]) == Array(gate[0...2]), "\(table.name)")
      // e^88 bounds the divisor: what is left is |gate| / 1.6e38.
      for i in 3...5 { #expect(out[i] <= 0 && out[i] >= gate[i] * 6.2e-39, "\(table.name)") }
      #expect(out[6] == 0 && out[7] == 0, "\(table.name)")
      #expect(out[8...15].allSatisfy { !$0.isFinite }, "\(table.name)")
    }
  }

  @Test("SwiGLU: every table gives the reference's bits")
  func swiGLUBits() throws {
    var random = SeededGenerator(seed: 0x516)
    for vectors in [0, 1, 2, 3, 9, 100] {
      for size: Float in [1e-20, 0.1, 5, 90, 1e20] {
        let gate = (0..<vectors * 16).map { _ in Float.random(in: -1...1, using: &random) * size }
        let up = gate.map { _ in Float.random(in: -1...1, using: &random) }
        for side in GuardedBuffer.Side.allCases {
          let expected = try swiGLU(.reference, gate, up, side)
          for table in Tables.fast {
            let found = try swiGLU(table, gate, up, side)
            #expect(found.map(\.bitPattern) == expected.map(\.bitPattern), "\(table.name)")
          }
        }
      }
    }
  }
}
