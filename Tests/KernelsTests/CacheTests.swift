// Keys and values as the cache keeps them: half precision as the processor's own conversion rounds
// it; eight bits within half a step of each block's largest value; the same bits from every table.
import Kernels
import Support
import Testing

@Suite("cache")
struct CacheTests {
  static let widths = [2, 6, 16, 40, 64, 80, 128]

  /// A page of keys and a page of values after one position was written.
  private func write(
    _ table: KernelTable, _ type: CacheType, _ key: [Float], _ value: [Float], at position: Int,
    _ side: GuardedBuffer.Side
  ) throws -> (keys: GuardedBuffer, values: GuardedBuffer, byteCount: Int) {
    let width = key.count
    let byteCount =
      type == .f16
      ? HalfCache.byteCount(headWidth: width) : ByteCache.byteCount(headWidth: width)
    let keys = try GuardedBuffer(byteCount: byteCount, guarding: side)
    let values = try GuardedBuffer(byteCount: byteCount, guarding: side)
    let from = try GuardedBuffer(floats: key, guarding: side)
    let also = try GuardedBuffer(floats: value, guarding: side)
    var entry = CacheEntry(
      key: from.floats, value: also.floats, keys: keys.base, values: values.base,
      position: position, headWidth: width, headStride: headStride(width))
    withUnsafePointer(to: &entry) { table.store(type)($0) }
    return (keys, values, byteCount)
  }

  private func sample(_ width: Int, _ seed: UInt64) -> [Float] {
    var random = SeededGenerator(seed: seed)
    return (0..<width).map { _ in
      Float.random(in: -1...1, using: &random) * Float(1 << Int.random(in: 0...12, using: &random))
    }
  }

  @Test("every table writes the reference's bytes, and only its position", arguments: widths)
  func bits(width: Int) throws {
    for type in CacheType.allCases {
      for (round, position) in [0, 1, 31, 63].enumerated() {
        let side = GuardedBuffer.Side.allCases[round % 2]
        let key = sample(width, UInt64(width << 8 | position))
        let value = sample(width, UInt64(width << 8 | position | 1 << 20))
        let expected = try write(.reference, type, key, value, at: position, side)
        for table in Tables.fast {
          let found = try write(table, type, key, value, at: position, side)
          for offset in 0..<expected.byteCount {
            #expect(
              found.keys.base.load(fromByteOffset: offset, as: UInt8.self)
                == expected.keys.base.load(fromByteOffset: offset, as: UInt8.self))
            #expect(
              found.values.base.load(fromByteOffset: offset, as: UInt8.self)
                == expected.values.base.load(fromByteOffset: offset, as: UInt8.self))
          }
        }
      }
    }
  }

  @Test("half precision is Swift's own rounding", arguments: widths)
  func halves(width: Int) throws {
    let key = sample(width, 7)
    let value = sample(width, 8)
    for table in Tables.all {
      let page = try write(table, .f16, key, value, at: 5, .end)
      for i in 0..<width {
        let k = page.keys.base.load(fromByteOffset: i * 128 + 10, as: Float16.self)
        let v = page.values.base.load(
          fromByteOffset: (5 * headStride(width) + i) * 2, as: Float16.self)
        #expect(k == Float16(key[i]) && v == Float16(value[i]), "\(table.name), value \(i)")
      }
    }
  }

  @Test("eight bits are within half a step, and a block of zeros is zero", arguments: widths)
  func bytes(width: Int) throws {
    var key = sample(width, 9)
    for i in 0..<min(32, width) { key[i] = 0 }
    let value = sample(width, 10)
    let stride = headStride(width)
    for table in Tables.all {
      let page = try write(table, .q8_0, key, value, at: 62, .start)
      for i in 0..<width {
        let block = i / 32 * 32..<min(width, i / 32 * 32 + 32)
        for (exact, code, scale) in [
          (
            key,
            page.keys.base.load(fromByteOffset: i * 64 + 62, as: Int8.self),
            page.keys.base.load(
              fromByteOffset: stride * 64 + i / 32 * 128 + 62 * 2, as: Float16.self)
          ),
          (
            value,
            page.values.base.load(fromByteOffset: 62 * stride + i, as: Int8.self),
            page.values.base.load(
              fromByteOffset: stride * 64 + i / 32 * 128 + 62 * 2, as: Float16.self)
          ),
        ] {
          let step = block.map { abs(exact[$0]) }.max().map { Double($0) / 127 } ?? 0
          let kept = Double(code) * Double(scale)
          // Half a step of rounding, and 127 codes of a scale that half precision rounds by 2^-11.
          #expect(
            abs(kept - Double(exact[i])) <= step * (0.5 + 127 * 0x1p-11) * 1.001,
            "\(table.name), value \(i)")
        }
      }
    }
  }
}
