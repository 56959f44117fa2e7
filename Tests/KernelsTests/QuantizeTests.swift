// Activations in 8 bits: codes, sums and scales against a plain computation in Double, and the same
// bytes from every table.
import Kernels
import Support
import Testing

/// A block of activations, taken apart.
private struct Block {
  let codes: [Int]
  let scale: Float
  /// Sums of 16 and of 32 codes; of blocks of 32: none, and the scaled sum and the bias instead.
  let sums16: [Int]
  let sums32: [Int]
  let scaledSum: Float
  let bias: Int

  init(_ p: UnsafeRawPointer, columns: Int) {
    codes = (0..<columns).map { Int(p.load(fromByteOffset: $0, as: Int8.self)) }
    if columns == 256 {
      func sum(_ at: Int) -> Int { Int(p.loadUnaligned(fromByteOffset: at, as: Int16.self)) }
      sums16 = (0..<16).map { sum(256 + $0 * 2) }
      sums32 = (0..<8).map { sum(288 + $0 * 2) }
      scale = p.loadUnaligned(fromByteOffset: 304, as: Float.self)
      (scaledSum, bias) = (0, 0)
    } else {
      (sums16, sums32) = ([], [])
      scale = p.loadUnaligned(fromByteOffset: 32, as: Float.self)
      scaledSum = p.loadUnaligned(fromByteOffset: 36, as: Float.self)
      bias = Int(p.loadUnaligned(fromByteOffset: 40, as: Int32.self))
    }
  }
}

/// The two forms.
enum QuantizedForm: CaseIterable, Sendable {
  case blocks32, blocks256
  var columns: Int { self == .blocks32 ? 32 : 256 }
  var byteCount: Int { self == .blocks32 ? 44 : 308 }
  func kernel(_ table: KernelTable) -> KernelTable.Quantize {
    self == .blocks32 ? table.quantize32 : table.quantize256
  }
}

@Suite("quantising activations")
struct QuantizeTests {
  /// The bytes that `table` makes of `values`; both sides at guards.
  private func run(
    _ table: KernelTable, _ form: QuantizedForm, _ values: [Float],
    _ side: GuardedBuffer.Side = .end
  ) throws -> GuardedBuffer {
    let x = try GuardedBuffer(floats: values, guarding: side)
    let count = values.count / form.columns
    let out = try GuardedBuffer(byteCount: count * form.byteCount, guarding: side)
    form.kernel(table)(x.floats, count, out.base)
    return out
  }

  private func bytes(_ buffer: GuardedBuffer) -> [UInt8] {
    (0..<buffer.byteCount).map { buffer.base.load(fromByteOffset: $0, as: UInt8.self) }
  }

  /// Blocks of all magnitudes, with ties between codes, zeros of both signs and repeated maxima.
  private func samples(_ form: QuantizedForm) -> [Float] {
    var random = SeededGenerator(seed: 0x0ac7)
    var values: [Float] = []
    for exponent in stride(from: Float(-90), through: 120, by: 7) {
      let size = Float(sign: .plus, exponent: Int(exponent), significand: 1)
      values += (0..<form.columns).map { _ in Float.random(in: -1...1, using: &random) * size }
    }
    // Multiples of a half of the scale: every code between two others.
    values += (0..<form.columns).map { $0 == 0 ? 127 : Float($0 % 255 - 127) / 2 }
    values += (0..<form.columns).map { $0 % 2 == 0 ? 1 : -1 }
    values += (0..<form.columns).map { $0 % 3 == 0 ? -0 : 0 }
    values += (0..<form.columns).map { $0 == form.columns - 1 ? .greatestFiniteMagnitude : 0 }
    return values
  }

  /// The scale is max / 127, rounded once.
  ///
  /// Dividing in Double and rounding to Float is the same, as 53 >= 2 x 24 + 2. A code is x times
  /// the inverse 127 / max, two roundings of values up to 127, so it lies within 1/2 + 127 x 2.01 x
  /// 2^-24 of the exact quotient.
  @Test("codes, sums and scales against Double", arguments: QuantizedForm.allCases)
  func plain(form: QuantizedForm) throws {
    let values = samples(form)
    let out = try run(.reference, form, values)
    for index in 0..<values.count / form.columns {
      let x = values[index * form.columns..<(index + 1) * form.columns].map(Double.init)
      let block = Block(out.base + index * form.byteCount, columns: form.columns)
      let largest = x.map { abs($0) }.max() ?? 0
      #expect(block.scale == Float(largest / 127), "block \(index)")
      for (code, value) in zip(block.codes, x) {
        #expect((-127...127).contains(code))
        let exact = largest == 0 ? 0 : value * 127 / largest
        #expect(abs(Double(code) - exact) <= 0.5 + 127 * 2.01 * 0x1p-24, "block \(index)")
      }
      checkSums(block, index)
    }
  }

  private func checkSums(_ block: Block, _ index: Int) {
    let total = block.codes.reduce(0, +)
    if block.codes.count == 256 {
      for (i, sum) in block.sums16.enumerated() {
        #expect(sum == block.codes[i * 16..<i * 16 + 16].reduce(0, +), "block \(index)")
      }
      for (i, sum) in block.sums32.enumerated() {
        #expect(sum == block.codes[i * 32..<i * 32 + 32].reduce(0, +), "block \(index)")
      }
    } else {
      #expect(block.bias == -128 * total, "block \(index)")
      #expect(block.scaledSum == Float(Double(block.scale) * Double(total)), "block \(index)")
    }
  }

  @Test("halves go to the even code", arguments: QuantizedForm.allCases)
  func ties(form: QuantizedForm) throws {
    // The scale is exactly 1: codes are the values rounded.
    let values = (0..<form.columns).map { $0 == 0 ? 127 : Float($0 % 64) / 2 - 16 }
    for table in Tables.all {
      let out = try run(table, form, values)
      let codes = Block(out.base, columns: form.columns).codes
      #expect(codes == values.map { Int($0.rounded(.toNearestOrEven)) }, "\(table.name)")
    }
  }

  @Test(
    "too small to have a scale: a block of zeros, scale 0", arguments: QuantizedForm.allCases)
  func tiny(form: QuantizedForm) throws {
    for size: Float in [0, -0, .leastNonzeroMagnitude, .leastNormalMagnitude, 9.9e-31] {
      let values = (0..<form.columns).map { $0 % 2 == 0 ? size : -size }
      for table in Tables.all {
        let out = try run(table, form, values)
        #expect(bytes(out).allSatisfy { $0 == 0 }, "\(table.name), \(size)")
      }
    }
  }

  @Test(
    "a NaN gives the scale NaN, else an infinity the scale infinity; codes stay in range",
    arguments: QuantizedForm.allCases)
  func notFinite(form: QuantizedForm) throws {
    let infinity = Float.infinity
    let cases: [([Float], Bool)] = [
      ([.nan], true), ([-.nan], true), ([infinity], false), ([-infinity], false),
      ([infinity, .nan], true), ([-infinity, infinity], false),
      ([Float(bitPattern: 0x7f80_0001)], true),
    ]
    var random = SeededGenerator(seed: 0xbad)
    for (bad, isNaN) in cases {
      for _ in 0..<20 {
        var values = (0..<form.columns).map { _ in Float.random(in: -1...1, using: &random) }
        for value in bad { values[Int.random(in: 0..<form.columns, using: &random)] = value }
        guard bad.count == 1 || values.count(where: { !$0.isFinite }) == bad.count else { continue }
        for table in Tables.all {
          let out = try run(table, form, values)
          let block = Block(out.base, columns: form.columns)
          #expect(isNaN ? block.scale.isNaN : block.scale == infinity, "\(table.name), \(bad)")
          #expect(block.codes.allSatisfy { (-127...127).contains($0) }, "\(table.name), \(bad)")
        }
      }
    }
  }

  @Test("every table makes the same bytes", arguments: QuantizedForm.allCases)
  func sameBytes(form: QuantizedForm) throws {
    var random = SeededGenerator(seed: 0x5a3e)
    var values = samples(form)
    // Any bits that are finite numbers.
    while values.count < 200 * form.columns {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
      values.append(value.isFinite ? value : 0)
    }
    for count in [0, 1, 2, 3, 50, 200] {
      let some = Array(values[..<(count * form.columns)])
      for side in GuardedBuffer.Side.allCases {
        let expected = bytes(try run(.reference, form, some, side))
        for table in Tables.fast {
          #expect(try bytes(run(table, form, some, side)) == expected, "\(table.name), \(count)")
        }
      }
    }
  }

  @Test("blocks do not depend on their neighbours", arguments: QuantizedForm.allCases)
  func apart(form: QuantizedForm) throws {
    let values = samples(form)
    let all = bytes(try run(.reference, form, values))
    for index in 0..<values.count / form.columns {
      let one = Array(values[index * form.columns..<(index + 1) * form.columns])
      let expected = all[index * form.byteCount..<(index + 1) * form.byteCount]
      #expect(try bytes(run(.reference, form, one)) == Array(expected))
    }
  }
}
