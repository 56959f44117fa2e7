// Attention: pages joined one by one against one long softmax in Double, and the same bits from
// every table.
import Glibc
import Kernels
import Support
import Testing

/// Keys and values of one head over some pages, queries, and what each query sees.
private struct AttentionSample {
  var type = CacheType.f16
  let headWidth: Int
  let queries: Int
  let pages: Int
  var stride: Int { (headWidth + 15) / 16 * 16 }
  /// [positions][headWidth], as rounded to half precision.
  var keys: [[Float16]]
  var values: [[Float16]]
  var query: [[Float]]
  /// Positions that each query sees.
  var windows: [Range<Int>]

  init(
    _ type: CacheType = .f16, headWidth: Int, queries: Int, pages: Int, seed: UInt64
  ) {
    var random = SeededGenerator(seed: seed)
    self.type = type
    (self.headWidth, self.queries, self.pages) = (headWidth, queries, pages)
    func head() -> [Float16] {
      (0..<headWidth).map { _ in Float16(Float.random(in: -1...1, using: &random)) }
    }
    keys = (0..<pages * 64).map { _ in head() }
    values = (0..<pages * 64).map { _ in head() }
    query = (0..<queries).map { _ in
      (0..<headWidth).map { _ in Float.random(in: -2...2, using: &random) }
    }
    windows = (0..<queries).map { _ in
      let first = Int.random(in: 0..<pages * 64, using: &random)
      return first..<Int.random(in: first + 1...pages * 64, using: &random)
    }
  }

  /// A key or a value as the cache keeps it.
  func kept(_ x: [Float16]) -> [Double] {
    guard type == .q8_0 else { return x.map(Double.init) }
    return Swift.stride(from: 0, to: headWidth, by: 32).flatMap { start in
      let block = x[start..<min(headWidth, start + 32)].map(Float.init)
      let largest = block.map(abs).max() ?? 0
      guard largest > 0 else { return block.map { _ in 0.0 } }
      let scale = Double(Float16(largest / 127))
      return block.map { Double(($0 * (127 / largest)).rounded(.toNearestOrEven)) * scale }
    }
  }

  /// sqrt of the head's width, as the engine has it.
  var scale: Float { 1 / Float(headWidth).squareRoot() }

  /// A page as the cache holds it, written by the table, at guards.
  func page(
    _ table: KernelTable, _ index: Int, _ side: GuardedBuffer.Side
  ) throws -> (GuardedBuffer, GuardedBuffer) {
    let byteCount =
      switch type {
      case .f16: HalfCache.byteCount(headWidth: headWidth)
      case .q8_0: ByteCache.byteCount(headWidth: headWidth)
      }
    let keyPage = try GuardedBuffer(byteCount: byteCount, guarding: side)
    let valuePage = try GuardedBuffer(byteCount: byteCount, guarding: side)
    for position in 0..<64 {
      let key = try GuardedBuffer(
        floats: keys[index * 64 + position].map(Float.init), guarding: side)
      let value = try GuardedBuffer(
        floats: values[index * 64 + position].map(Float.init), guarding: side)
      var entry = CacheEntry(
        key: key.floats, value: value.floats, keys: keyPage.base, values: valuePage.base,
        position: position, headWidth: headWidth, headStride: stride)
      withUnsafePointer(to: &entry) { table.store(type)($0) }
    }
    return (keyPage, valuePage)
  }
}

/// The sums that the queries have gathered, in guarded memory.
private struct AttentionState {
  let sample: AttentionSample
  let queries: GuardedBuffer
  let firsts: GuardedBuffer
  let lasts: GuardedBuffer
  let maxima: GuardedBuffer
  let sums: GuardedBuffer
  let outputs: GuardedBuffer
  let weights: GuardedBuffer

  init(_ sample: AttentionSample, _ side: GuardedBuffer.Side) throws {
    self.sample = sample
    let n = sample.queries
    queries = try GuardedBuffer(byteCount: n * sample.stride * 4, guarding: side)
    for (q, query) in sample.query.enumerated() {
      for (i, value) in query.enumerated() { queries.floats[q * sample.stride + i] = value }
    }
    firsts = try GuardedBuffer(byteCount: n * 4, guarding: side)
    lasts = try GuardedBuffer(byteCount: n * 4, guarding: side)
    maxima = try GuardedBuffer(
      floats: Array(repeating: -.infinity, count: n), guarding: side)
    sums = try GuardedBuffer(byteCount: n * 64, guarding: side)
    outputs = try GuardedBuffer(byteCount: n * sample.stride * 4, guarding: side)
    weights = try GuardedBuffer(byteCount: 6 * 64 * 4, guarding: side)
  }

  /// Joins a page to the queries `from`..<`to`, all of which see some of it.
  func join(
    _ table: KernelTable, page index: Int, _ side: GuardedBuffer.Side, _ from: Int, _ to: Int
  ) throws {
    let (keys, values) = try sample.page(table, index, side)
    let starts = firsts.base.assumingMemoryBound(to: Int32.self)
    let ends = lasts.base.assumingMemoryBound(to: Int32.self)
    for q in from..<to {
      starts[q] = Int32(max(0, sample.windows[q].lowerBound - index * 64))
      ends[q] = Int32(min(64, sample.windows[q].upperBound - index * 64))
    }
    let stride = sample.stride
    var job = AttentionPage(
      keys: keys.base, values: values.base, next: keys.base,
      queries: queries.floats + from * stride,
      count: to - from, headWidth: sample.headWidth, headStride: stride, scale: sample.scale,
      firsts: starts + from, lasts: ends + from, maxima: maxima.floats + from,
      sums: sums.floats + from * 16, outputs: outputs.floats + from * stride,
      weights: weights.floats)
    withUnsafePointer(to: &job) { table.attend(sample.type)($0) }
  }

  /// Joins every page to the runs of neighbouring queries that see some of it.
  func joinAll(_ table: KernelTable, _ side: GuardedBuffer.Side) throws {
    for index in 0..<sample.pages {
      let page = index * 64..<(index + 1) * 64
      var first: Int?
      for q in 0...sample.queries {
        let sees = q < sample.queries && sample.windows[q].overlaps(page)
        if sees, first == nil { first = q }
        if !sees, let start = first {
          try join(table, page: index, side, start, q)
          first = nil
        }
      }
    }
  }

  /// The bits of all that the kernel keeps from page to page.
  var bits: [UInt32] {
    maxima.bits(count: sample.queries) + sums.bits(count: sample.queries * 16)
      + outputs.bits(count: sample.queries * sample.stride)
  }
}

@Suite("attention")
struct AttentionTests {
  static let widths = [2, 6, 64, 96, 128]

  @Test(
    "every table gives the reference's bits", arguments: widths, Array(1...9))
  func bits(headWidth: Int, queries: Int) throws {
    for pages in [1, 3] {
      for round in 0..<4 {
        let sample = AttentionSample(
          CacheType.allCases[round / 2], headWidth: headWidth, queries: queries, pages: pages,
          seed: UInt64(headWidth << 16 | queries << 8 | pages << 4 | round))
        let side = GuardedBuffer.Side.allCases[round % 2]
        let expected = try AttentionState(sample, side)
        try expected.joinAll(.reference, side)
        for table in Tables.fast {
          let found = try AttentionState(sample, side)
          try found.joinAll(table, side)
          #expect(found.bits == expected.bits, "\(table.name), \(pages) pages, round \(round)")
        }
      }
    }
  }

  /// The derived bound of one output relative to sum p |v|, p the exact weights.
  ///
  /// A score is a chain of w FMA and one product, so it errs by (w + 2) u S with S = scale sum |q
  /// k|; so does the maximum. Their difference is at most 87 where it counts and rounds by 87 u,
  /// and the exponential errs by 2.5e-7: each weight errs by d = 2 (w + 2) u S + 87 u + 2.5e-7, its
  /// page's later corrections (one exponential, one subtraction, one product each) by 2.5e-7 + 88 u
  /// a page. Both the weighted sum and the sum of weights have that error and at most 64 roundings
  /// a page.
  private func bound(_ sample: AttentionSample, score: Double) -> Double {
    let u = 0x1p-24
    let pages = Double(sample.pages)
    let weight = 2 * Double(sample.headWidth + 2) * u * score + 87 * u + 2.5e-7
    return 2.05 * (weight + pages * (2.5e-7 + 88 * u) + 66 * pages * u)
  }

  @Test(
    "pages joined in order make one long softmax in Double", arguments: CacheType.allCases, widths)
  func oracle(type: CacheType, headWidth: Int) throws {
    for pages in [1, 2, 5] {
      let sample = AttentionSample(
        type, headWidth: headWidth, queries: 7, pages: pages, seed: UInt64(headWidth * 100 + pages))
      let state = try AttentionState(sample, .end)
      try state.joinAll(.reference, .end)
      let keys = sample.keys.map(sample.kept)
      let values = sample.values.map(sample.kept)
      for q in 0..<sample.queries {
        let window = sample.windows[q]
        let products = window.map { position in
          zip(sample.query[q], keys[position]).map { Double($0) * $1 }
        }
        let scale = 1 / Double(headWidth).squareRoot()
        let scores = products.map { $0.reduce(0, +) * scale }
        let size = products.map { $0.reduce(0) { $0 + abs($1) } * scale }.max() ?? 0
        let largest = scores.max() ?? 0
        let weights = scores.map { exp($0 - largest) }
        let total = weights.reduce(0, +)
        var sum = 0.0
        for lane in 0..<16 { sum += Double(state.sums.floats[q * 16 + lane]) }
        for i in 0..<headWidth {
          var exact = 0.0
          var magnitude = 0.0
          for (weight, position) in zip(weights, window) {
            exact += weight / total * values[position][i]
            magnitude += weight / total * abs(values[position][i])
          }
          let found = Double(state.outputs.floats[q * sample.stride + i]) / sum
          #expect(
            abs(found - exact) <= bound(sample, score: size) * magnitude,
            "\(pages) pages, query \(q), value \(i)")
        }
      }
    }
  }

  @Test("a query's state does not depend on its neighbours", arguments: widths)
  func apart(headWidth: Int) throws {
    let sample = AttentionSample(headWidth: headWidth, queries: 9, pages: 2, seed: 0xa9a47)
    for table in Tables.all {
      let together = try AttentionState(sample, .end)
      try together.joinAll(table, .end)
      for q in 0..<9 {
        var one = AttentionSample(headWidth: headWidth, queries: 1, pages: 2, seed: 0)
        (one.keys, one.values) = (sample.keys, sample.values)
        (one.query, one.windows) = ([sample.query[q]], [sample.windows[q]])
        let alone = try AttentionState(one, .end)
        try alone.joinAll(table, .end)
        #expect(
          alone.outputs.bits(count: sample.stride)
            == together.outputs.bits(q * sample.stride, count: sample.stride), "\(table.name)")
        #expect(alone.sums.bits(count: 16) == together.sums.bits(q * 16, count: 16))
      }
    }
  }

  @Test("one visible position gives its value exactly", arguments: widths)
  func onePosition(headWidth: Int) throws {
    for position in [0, 1, 31, 63, 64, 127] {
      var sample = AttentionSample(headWidth: headWidth, queries: 5, pages: 2, seed: 0x1)
      sample.windows = Array(repeating: position..<position + 1, count: 5)
      for table in Tables.all {
        let state = try AttentionState(sample, .end)
        try state.joinAll(table, .end)
        for q in 0..<5 {
          #expect(state.sums.floats[q * 16 + position % 16] == 1, "\(table.name)")
          for i in 0..<headWidth {
            let value = Float(sample.values[position][i])
            #expect(state.outputs.floats[q * sample.stride + i] == value, "\(table.name)")
          }
        }
      }
    }
  }

  @Test("what lies in a page outside every window is never looked at", arguments: widths)
  func outside(headWidth: Int) throws {
    var sample = AttentionSample(headWidth: headWidth, queries: 6, pages: 2, seed: 0x0075)
    sample.windows = (0..<6).map { 20 + $0..<100 + $0 }
    var spoiled = sample
    for position in Array(0..<20) + Array(105..<128) {
      spoiled.keys[position] = Array(repeating: .nan, count: headWidth)
      spoiled.values[position] = Array(repeating: .infinity, count: headWidth)
    }
    for table in Tables.all {
      let clean = try AttentionState(sample, .end)
      try clean.joinAll(table, .end)
      let other = try AttentionState(spoiled, .end)
      try other.joinAll(table, .end)
      #expect(clean.bits == other.bits, "\(table.name)")
    }
  }

  @Test("a NaN or an infinity that a query sees does not pass for a number", arguments: [6, 64])
  func notFinite(headWidth: Int) throws {
    for bad in [Float16.nan, .infinity, -.infinity] {
      var sample = AttentionSample(headWidth: headWidth, queries: 4, pages: 2, seed: 0xbad)
      sample.windows = (0..<4).map { $0..<90 + $0 }
      sample.values[70][1] = bad
      for table in Tables.all {
        let state = try AttentionState(sample, .end)
        try state.joinAll(table, .end)
        for q in 0..<4 {
          #expect(!state.outputs.floats[q * sample.stride + 1].isFinite, "\(table.name), \(bad)")
          #expect(state.outputs.floats[q * sample.stride].isFinite, "\(table.name), \(bad)")
        }
      }
    }
  }

  @Test("scores far apart: only the largest counts, nothing overflows")
  func farApart() throws {
    for (size, expected) in [(Float16(60_000), 3), (-60_000, 90)] {
      var sample = AttentionSample(headWidth: 2, queries: 1, pages: 2, seed: 0xfa5)
      sample.windows = [0..<128]
      sample.query = [[1000, 0]]
      for position in 0..<128 { sample.keys[position] = [0, 0] }
      sample.keys[3] = [size, 0]
      if size < 0 {
        for position in 0..<128 where position != expected { sample.keys[position] = [size, 0] }
      }
      for table in Tables.all {
        let state = try AttentionState(sample, .end)
        try state.joinAll(table, .end)
        for i in 0..<2 {
          #expect(state.outputs.floats[i] == Float(sample.values[expected][i]), "\(table.name)")
        }
      }
    }
  }
}
