// Norms, SwiGLU, quantisers, the cache and attention.
import Kernels

/// Random values of one size, some of which are not finite when `spoiled`.
private func values(
  _ count: Int, _ size: Float, spoiled: Bool = false, _ random: inout Random
) -> Guarded {
  let memory = Guarded.bytes(count * 4)
  for i in 0..<count {
    memory.floats[i] = random.float(size)
    if spoiled && random.next() % 16 == 0 {
      let bad: [Float] = [.nan, .infinity, -.infinity, 3e38, -3e38, -0.0, 0x1p-140, 89, -88]
      memory.floats[i] = bad[Int(random.next() % 9)]
    }
  }
  return memory
}

func checkRows(_ tables: [KernelTable], _ check: inout Check) {
  var random = Random(state: 3)
  let reference = referenceTable()
  for vectors in [1, 2, 3, 6, 16, 63] {
    for size: Float in [1e-25, 1e-4, 1, 5, 90, 1e18] {
      for spoiled in [false, true] {
        let x = values(vectors * 16, size, spoiled: spoiled, &random)
        let y = values(vectors * 16, 1, spoiled: spoiled, &random)
        func norm(_ table: KernelTable) -> Guarded {
          let out = Guarded.bytes(vectors * 64)
          table.rmsNorm(x.floats, y.floats, vectors, vectors * 16, 1e-6, out.floats)
          return out
        }
        func swiGLU(_ table: KernelTable) -> Guarded {
          let gate = Guarded.bytes(vectors * 64)
          gate.base.copyMemory(from: x.base, byteCount: vectors * 64)
          table.swiGLU(gate.floats, y.floats, vectors)
          return gate
        }
        for table in tables {
          check.expect(norm(table).hasFloats(of: norm(reference)), table, "norm")
          check.expect(swiGLU(table).hasFloats(of: swiGLU(reference)), table, "SwiGLU")
        }
      }
    }
  }
  for blocks in [1, 2, 5] {
    for size: Float in [0, 1e-38, 1e-31, 1e-4, 1, 1e18, 3e38] {
      for spoiled in [false, true] {
        let x = values(blocks * 256, size, spoiled: spoiled, &random)
        for table in tables {
          check.expect(
            quantized256(table, x, blocks, compared: quantized256(reference, x, blocks)), table,
            "blocks of 256 of \(size)")
          check.expect(
            quantized32(table, x, blocks * 8, compared: quantized32(reference, x, blocks * 8)),
            table, "blocks of 32 of \(size)")
        }
      }
    }
  }
}

private func quantized256(_ table: KernelTable, _ x: Guarded, _ blocks: Int) -> Guarded {
  let out = Guarded.bytes(blocks * Activation256.byteCount)
  table.quantize256(x.floats, blocks, out.base)
  return out
}
private func quantized32(_ table: KernelTable, _ x: Guarded, _ blocks: Int) -> Guarded {
  let out = Guarded.bytes(blocks * Activation32.byteCount)
  table.quantize32(x.floats, blocks, out.base)
  return out
}
/// Scales may be no numbers; all else is bytes.
private func quantized256(
  _ table: KernelTable, _ x: Guarded, _ blocks: Int, compared other: Guarded
) -> Bool {
  let out = quantized256(table, x, blocks)
  return (0..<blocks * Activation256.byteCount / 4).allSatisfy { word in
    word % 77 == Activation256.scale / 4
      ? same(out.floats[word], other.floats[word])
      : out.floats[word].bitPattern == other.floats[word].bitPattern
  }
}
private func quantized32(
  _ table: KernelTable, _ x: Guarded, _ blocks: Int, compared other: Guarded
) -> Bool {
  let out = quantized32(table, x, blocks)
  return (0..<blocks * Activation32.byteCount / 4).allSatisfy { word in
    [Activation32.scale / 4, Activation32.scaledSum / 4].contains(word % 11)
      ? same(out.floats[word], other.floats[word])
      : out.floats[word].bitPattern == other.floats[word].bitPattern
  }
}

func checkAttention(_ tables: [KernelTable], _ check: inout Check) {
  var random = Random(state: 4)
  for type in CacheType.allCases {
    for width in [2, 6, 40, 64, 96, 128] {
      for queries in 1...5 {
        let sample = AttentionSample(type, width, queries, &random)
        let pages = (0..<2).map { sample.page(referenceTable(), $0) }
        let expected = sample.attend(referenceTable(), pages)
        for table in tables {
          for page in 0..<2 {
            let (keys, values) = sample.page(table, page)
            check.expect(
              keys.equals(pages[page].keys) && values.equals(pages[page].values), table,
              "cache of width \(width)")
          }
          check.expect(
            sample.attend(table, pages).hasFloats(of: expected), table,
            "attention of \(queries) queries of width \(width)")
        }
      }
    }
  }
}

/// Two pages of one head, some queries, and what each sees.
private struct AttentionSample {
  let type: CacheType
  let width: Int
  let queries: Int
  let stride: Int
  let query: Guarded
  /// [128][width].
  let keys: Guarded
  let values: Guarded
  /// [2][queries].
  let firsts: [Int32]
  let lasts: [Int32]

  init(_ type: CacheType, _ width: Int, _ queries: Int, _ random: inout Random) {
    (self.type, self.width, self.queries) = (type, width, queries)
    stride = headStride(width)
    query = KernelCheck.values(queries * stride, 2, &random)
    keys = KernelCheck.values(128 * width, 1, &random)
    values = KernelCheck.values(128 * width, 1, &random)
    var (firsts, lasts): ([Int32], [Int32]) = ([], [])
    for _ in 0..<2 * queries {
      let first = Int32.random(in: 0..<64, using: &random)
      firsts.append(first)
      lasts.append(Int32.random(in: first + 1...64, using: &random))
    }
    (self.firsts, self.lasts) = (firsts, lasts)
  }

  func page(_ table: KernelTable, _ page: Int) -> (keys: Guarded, values: Guarded) {
    let byteCount =
      type == .f16
      ? HalfCache.byteCount(headWidth: width) : ByteCache.byteCount(headWidth: width)
    let (keyPage, valuePage) = (Guarded.bytes(byteCount), Guarded.bytes(byteCount))
    for position in 0..<64 {
      let from = (page * 64 + position) * width
      var entry = CacheEntry(
        key: keys.floats + from, value: values.floats + from, keys: keyPage.base,
        values: valuePage.base, position: position, headWidth: width, headStride: stride)
      withUnsafePointer(to: &entry) { table.store(type)($0) }
    }
    return (keyPage, valuePage)
  }

  /// Maxima, sums and outputs after both pages.
  func attend(_ table: KernelTable, _ pages: [(keys: Guarded, values: Guarded)]) -> Guarded {
    let state = Guarded.bytes(queries * (1 + 16 + stride) * 4)
    for i in 0..<queries { state.floats[i] = -.infinity }
    let weights = Guarded.bytes(6 * 64 * 4)
    for page in 0..<2 {
      let (first, last) = (Guarded.bytes(queries * 4), Guarded.bytes(queries * 4))
      let starts = first.base.assumingMemoryBound(to: Int32.self)
      let ends = last.base.assumingMemoryBound(to: Int32.self)
      for i in 0..<queries {
        starts[i] = firsts[page * queries + i]
        ends[i] = lasts[page * queries + i]
      }
      var job = AttentionPage(
        keys: pages[page].keys.base, values: pages[page].values.base, next: pages[page].keys.base,
        queries: query.floats, count: queries, headWidth: width, headStride: stride,
        scale: 1 / Float(width).squareRoot(), firsts: starts, lasts: ends, maxima: state.floats,
        sums: state.floats + queries, outputs: state.floats + queries * 17,
        weights: weights.floats)
      withUnsafePointer(to: &job) { table.attend(type)($0) }
    }
    return state
  }
}
