// Every table against the reference on any weights, activations and shapes: the same bits, or not a
// number in both. Memory ends at pages that nobody may touch.
import Kernels
import KernelsAVX2
import KernelsAVX512
import KernelsAVXVNNI
import KernelsReference
import Platform
import Quantization
import Support

private let fast: [KernelTable] =
  (platform_has_avx2() != 0 ? [.avx2] : []) + (platform_has_avxvnni() != 0 ? [.avxvnni] : [])
  + (platform_has_avx512() != 0 ? [.avx512] : [])

@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  var choices = Choices(data, size)
  do {
    switch choices.below(8) {
    case 0: try quantise(&choices)
    case 1: try norm(&choices)
    case 2: try swiGLU(&choices)
    case 3, 4: try attention(&choices)
    default: try product(&choices)
    }
  } catch { finding("no memory for a test") }
  return 0
}

/// Values of the fuzzer's bits while there are any; after that, random ones of a size.
private struct Values {
  var choices: Choices
  var random: SeededGenerator
  let scale: Float
  let isFinite: Bool

  init(_ choices: inout Choices) {
    random = SeededGenerator(seed: choices.bits())
    scale = choices.pick([1, 1e-3, 1e-20, 1e-38, 1e4, 1e18, 1e30, 0])
    isFinite = choices.byte() < 192
    self.choices = choices
  }

  mutating func float() -> Float {
    guard !choices.isEmpty else { return Float.random(in: -1...1, using: &random) * scale }
    let value = Float(bitPattern: choices.bits())
    return isFinite && !value.isFinite ? 0 : value
  }

  mutating func byte() -> UInt8 {
    choices.isEmpty ? UInt8(truncatingIfNeeded: random.next()) : choices.byte()
  }

  mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }
}

/// Equal bits, or no number in both: which NaN comes out is not defined.
private func same(_ a: Float, _ b: Float) -> Bool {
  a.bitPattern == b.bitPattern || a.isNaN && b.isNaN
}

private func compare(
  _ found: GuardedBuffer, _ expected: GuardedBuffer, _ what: @autoclosure () -> String
) {
  let (a, b) = (found.bits(count: found.byteCount / 4), expected.bits(count: found.byteCount / 4))
  for i in a.indices {
    let (x, y) = (Float(bitPattern: a[i]), Float(bitPattern: b[i]))
    require(same(x, y), "\(what()): value \(i) is \(x), the reference has \(y)")
  }
}

private func product(_ choices: inout Choices) throws {
  let format = choices.pick(PanelFormat.formats)
  let isFloat = format.columns == 1
  let blocks = isFloat ? choices.below(70) : choices.below(format.columns == 32 ? 12 : 4)
  let panels = 1 + choices.below(5)
  let rows = 1 + choices.below(9)
  let padding = choices.below(3) * 4
  var values = Values(&choices)
  let columns = blocks * format.columns
  let stride = format.activationForm.rowByteCount(columns: columns) + padding
  let weights = try GuardedBuffer(byteCount: panels * blocks * format.panelBlockByteCount)
  let fileRow = blocks * format.fileBlockByteCount
  for panel in 0..<panels {
    let bytes = (0..<fileRow * panelRows).map { _ in values.byte() }
    let rows = try GuardedBuffer(bytes)
    try format.pack(
      rows: rows.base, rowStride: fileRow, rowCount: panelRows, blocks: blocks,
      into: weights.base + panel * blocks * format.panelBlockByteCount)
  }
  let activations = try GuardedBuffer(byteCount: rows * stride)
  for row in 0..<rows {
    let x = try GuardedBuffer(floats: values.floats(columns))
    let out = activations.base + row * stride
    switch format.activationForm {
    case .float: out.copyMemory(from: x.base, byteCount: columns * 4)
    case .blocks32: KernelTable.reference.quantize32(x.floats, columns / 32, out)
    case .blocks256: KernelTable.reference.quantize256(x.floats, columns / 256, out)
    }
  }
  func run(_ table: KernelTable) throws -> GuardedBuffer {
    let out = try GuardedBuffer(byteCount: rows * panels * 64)
    table.product(format.panelType)(
      weights.base, panels, blocks, activations.base, rows, stride, out.floats, panels * 16)
    return out
  }
  let expected = try run(.reference)
  for table in fast {
    compare(
      try run(table), expected,
      "\(table.name) \(format.panelType), \(blocks) blocks, \(panels) panels, \(rows) rows")
  }
}

private func quantise(_ choices: inout Choices) throws {
  let isWide = choices.chance()
  let columns = isWide ? 256 : 32
  let count = choices.below(4)
  var values = Values(&choices)
  let x = try GuardedBuffer(floats: values.floats(count * columns))
  func run(_ table: KernelTable) throws -> GuardedBuffer {
    let out = try GuardedBuffer(byteCount: count * (isWide ? 308 : 44))
    (isWide ? table.quantize256 : table.quantize32)(x.floats, count, out.base)
    return out
  }
  let expected = try run(.reference)
  for table in fast {
    let found = try run(table)
    for block in 0..<count {
      let isNumber = (0..<columns).allSatisfy { x.floats[block * columns + $0].isFinite }
      // Only the scale is defined for a block that is not finite.
      let scale = block * (isWide ? 308 : 44) + (isWide ? 304 : 32)
      let range = isNumber ? block * (isWide ? 308 : 44)..<(block + 1) * (isWide ? 308 : 44) : 0..<0
      require(
        same(
          found.base.loadUnaligned(fromByteOffset: scale, as: Float.self),
          expected.base.loadUnaligned(fromByteOffset: scale, as: Float.self)),
        "\(table.name): another scale of a block of \(columns)")
      for i in range {
        require(
          found.base.load(fromByteOffset: i, as: UInt8.self)
            == expected.base.load(fromByteOffset: i, as: UInt8.self),
          "\(table.name): byte \(i) of a block of \(columns)")
      }
    }
  }
}

private func norm(_ choices: inout Choices) throws {
  let width = 1 + choices.below(300)
  let count = padded(width)
  let epsilon = choices.pick([1e-5, 1e-38, 0.9] as [Float])
  var values = Values(&choices)
  // The padding of a row is zero.
  let row = (0..<count).map { $0 < width ? values.float() : 0 }
  let x = try GuardedBuffer(floats: row)
  let weight = try GuardedBuffer(floats: values.floats(count))
  func run(_ table: KernelTable) throws -> GuardedBuffer {
    let out = try GuardedBuffer(byteCount: count * 4)
    table.rmsNorm(x.floats, weight.floats, count / 16, width, epsilon, out.floats)
    return out
  }
  let expected = try run(.reference)
  for table in fast {
    compare(try run(table), expected, "\(table.name) norm of \(width)")
  }
}

private func swiGLU(_ choices: inout Choices) throws {
  let vectors = choices.below(20)
  var values = Values(&choices)
  let gate = values.floats(vectors * 16)
  let up = try GuardedBuffer(floats: values.floats(vectors * 16))
  func run(_ table: KernelTable) throws -> GuardedBuffer {
    let out = try GuardedBuffer(floats: gate)
    table.swiGLU(out.floats, up.floats, vectors)
    return out
  }
  let expected = try run(.reference)
  for table in fast {
    compare(try run(table), expected, "\(table.name) SwiGLU")
  }
}

/// `value` rounded up to whole vectors.
private func padded(_ value: Int) -> Int { (value + 15) / 16 * 16 }

/// A page of the cache: written by each table, then attended to by a few queries.
private func attention(_ choices: inout Choices) throws {
  let type = choices.pick(CacheType.allCases)
  let width = 2 * (1 + choices.below(72))
  let queries = 1 + choices.below(9)
  let firsts = (0..<queries).map { _ in Int32(choices.below(64)) }
  let lasts = firsts.map { $0 + 1 + Int32(choices.below(64 - Int($0))) }
  var values = Values(&choices)
  let stride = padded(width)
  let entries = (0..<64).map { _ in (key: values.floats(width), value: values.floats(width)) }
  let query = (0..<queries).flatMap { _ in
    values.floats(width) + [Float](repeating: 0, count: stride - width)
  }
  let expected = try Page(type, width, entries, .reference)
  let wanted = try expected.attend(query, firsts, lasts, .reference)
  for table in fast {
    let found = try Page(type, width, entries, table)
    for (a, b) in [(found.keys, expected.keys), (found.values, expected.values)] {
      // Bits of what is no number differ by instruction set; those of numbers may not.
      for i in 0..<a.byteCount where values.isFinite {
        require(
          a.base.load(fromByteOffset: i, as: UInt8.self)
            == b.base.load(fromByteOffset: i, as: UInt8.self),
          "\(table.name): byte \(i) of a \(type) page, head width \(width)")
      }
    }
    let given = try found.attend(query, firsts, lasts, table)
    for (a, b) in zip(given, wanted) {
      compare(
        a, b,
        "\(table.name) attention, \(type), head width \(width), \(queries) queries")
    }
  }
}

/// A page of keys and values as a table writes it.
private struct Page {
  let type: CacheType
  let width: Int
  let keys: GuardedBuffer
  let values: GuardedBuffer

  init(
    _ type: CacheType, _ width: Int, _ entries: [(key: [Float], value: [Float])],
    _ table: KernelTable
  ) throws {
    (self.type, self.width) = (type, width)
    let byteCount =
      type == .f16
      ? HalfCache.byteCount(headWidth: width) : ByteCache.byteCount(headWidth: width)
    keys = try GuardedBuffer(byteCount: byteCount)
    values = try GuardedBuffer(byteCount: byteCount)
    let key = try GuardedBuffer(byteCount: width * 4)
    let value = try GuardedBuffer(byteCount: width * 4)
    for (position, entry) in entries.enumerated() {
      key.floats.update(from: entry.key, count: width)
      value.floats.update(from: entry.value, count: width)
      var job = CacheEntry(
        key: key.floats, value: value.floats, keys: keys.base, values: values.base,
        position: position, headWidth: width, headStride: padded(width))
      withUnsafePointer(to: &job) { table.store(type)($0) }
    }
  }

  /// Maxima, sums and outputs of the queries.
  func attend(
    _ query: [Float], _ firsts: [Int32], _ lasts: [Int32], _ table: KernelTable
  ) throws -> [GuardedBuffer] {
    let count = firsts.count
    let stride = padded(width)
    let queries = try GuardedBuffer(floats: query)
    let maxima = try GuardedBuffer(floats: Array(repeating: -.infinity, count: count))
    let sums = try GuardedBuffer(byteCount: count * 64)
    let outputs = try GuardedBuffer(byteCount: count * stride * 4)
    let weights = try GuardedBuffer(byteCount: 6 * 64 * 4)
    firsts.withUnsafeBufferPointer { firsts in
      lasts.withUnsafeBufferPointer { lasts in
        guard let first = firsts.baseAddress, let last = lasts.baseAddress else { return }
        var job = AttentionPage(
          keys: keys.base, values: values.base, next: keys.base, queries: queries.floats,
          count: count, headWidth: width, headStride: stride,
          scale: 1 / Float(width).squareRoot(), firsts: first, lasts: last,
          maxima: maxima.floats, sums: sums.floats, outputs: outputs.floats,
          weights: weights.floats)
        withUnsafePointer(to: &job) { table.attend(type)($0) }
      }
    }
    return [maxima, sums, outputs]
  }
}
