// Attention of a few query heads over one page of the cache: 64 absolute positions. Pages are
// visited in order and joined by online softmax (Milakov and Gimelshein 2018), so the bits do not
// depend on how a prompt was cut or which rows share a pass.
//
// How a page lies in memory: CacheStorage.swift.

/// Positions of a page.
@inlinable @inline(__always) public var pagePositions: Int { 64 }

/// The argument of the attention kernel: `count` queries that share a key-value head, and one page.
public struct AttentionPage {
  public var keys: UnsafeRawPointer
  public var values: UnsafeRawPointer
  /// The keys of the page that comes next, or these once more: asked for ahead.
  public var next: UnsafeRawPointer
  /// [count][headStride].
  public var queries: UnsafePointer<Float>
  public var count: Int
  public var headWidth: Int
  /// `headWidth` rounded up to 16.
  public var headStride: Int
  /// 1 / sqrt(headWidth).
  public var scale: Float
  /// [count]: the positions firsts[i]..<lasts[i] of the page are visible to query i; never empty.
  public var firsts: UnsafePointer<Int32>
  public var lasts: UnsafePointer<Int32>
  /// [count]: the largest score so far; -infinity before the first page.
  public var maxima: UnsafeMutablePointer<Float>
  /// [count][16]: sums of the weights so far, by position modulo 16.
  public var sums: UnsafeMutablePointer<Float>
  /// [count][headStride]: weighted values so far.
  public var outputs: UnsafeMutablePointer<Float>
  /// [4][64], then [2][64]: workspace for the weights of four queries and the scales of values.
  public var weights: UnsafeMutablePointer<Float>

  public init(
    keys: UnsafeRawPointer, values: UnsafeRawPointer, next: UnsafeRawPointer,
    queries: UnsafePointer<Float>, count: Int,
    headWidth: Int, headStride: Int, scale: Float, firsts: UnsafePointer<Int32>,
    lasts: UnsafePointer<Int32>, maxima: UnsafeMutablePointer<Float>,
    sums: UnsafeMutablePointer<Float>, outputs: UnsafeMutablePointer<Float>,
    weights: UnsafeMutablePointer<Float>
  ) {
    self.keys = keys
    self.values = values
    self.next = next
    self.queries = queries
    self.count = count
    self.headWidth = headWidth
    self.headStride = headStride
    self.scale = scale
    self.firsts = firsts
    self.lasts = lasts
    self.maxima = maxima
    self.sums = sums
    self.outputs = outputs
    self.weights = weights
  }
}

/// The attention kernel of one instruction set.
public enum Attention<ISA: VectorISA & TileSizes, Storage: CacheStorage> {
  /// Joins a page to the state of every query.
  ///
  /// `page` points to an `AttentionPage`.
  @inlinable @inline(__always)
  public static func attend(_ page: UnsafeRawPointer) {
    let job = page.assumingMemoryBound(to: AttentionPage.self)
    var query = 0
    if ISA.rows4 {
      while query &+ 4 <= job.pointee.count {
        if ISA.wideTiles {
          AttentionTile<ISA, Storage, 4, 4>.attend(job, query)
        } else {
          AttentionTile<ISA, Storage, 4, 1>.attend(job, query)
        }
        query &+= 4
      }
    }
    if ISA.rows2 {
      while query &+ 2 <= job.pointee.count {
        if ISA.wideTiles {
          AttentionTile<ISA, Storage, 2, 4>.attend(job, query)
        } else {
          AttentionTile<ISA, Storage, 2, 2>.attend(job, query)
        }
        query &+= 2
      }
    }
    while query < job.pointee.count {
      AttentionTile<ISA, Storage, 1, 4>.attend(job, query)
      query &+= 1
    }
  }
}

/// `N` queries at once, by `V` vectors of positions or of values of the head: each key and value is
/// converted once for all of them, and `N` x `V` sums are in registers.
public enum AttentionTile<ISA: VectorISA, Storage: CacheStorage, let N: Int, let V: Int> {
  @inlinable @inline(__always)
  public static func attend(_ job: UnsafePointer<AttentionPage>, _ query: Int) {
    let stride = job.pointee.headStride
    var low: Int32 = 64
    var high: Int32 = 0
    for n in 0..<N {
      low = min(low, job.pointee.firsts[query + n])
      high = max(high, job.pointee.lasts[query + n])
    }
    for vector in Swift.stride(from: 0, to: 4, by: V)
    where vector * 16 < Int(high) && (vector + V) * 16 > Int(low) {
      score(job, query, vector)
    }
    let corrections = weigh(job, query)
    let outputs = job.pointee.outputs + query * stride
    var column = 0
    while column + 16 * V <= stride {
      ValueTile<ISA, Storage, N, V>.join(job, query, outputs, corrections, column)
      column += 16 * V
    }
    if V == 4, column + 32 <= stride {
      ValueTile<ISA, Storage, N, 2>.join(job, query, outputs, corrections, column)
      column += 32
    }
    while column < stride {
      ValueTile<ISA, Storage, N, 1>.join(job, query, outputs, corrections, column)
      column += 16
    }
  }

  /// Writes the scores of the positions of `V` vectors from `vector` on into the workspace: query
  /// times key, one FMA chain in the order of the head's values, times the scale.
  @inlinable @inline(__always)
  static func score(_ job: UnsafePointer<AttentionPage>, _ query: Int, _ vector: Int) {
    let stride = job.pointee.headStride
    let queries = job.pointee.queries + query * stride
    var scores = InlineArray<N, InlineArray<V, ISA.Floats>>(
      repeating: InlineArray<V, ISA.Floats>(repeating: ISA.zeroFloats()))
    let keys = job.pointee.keys
    let values = job.pointee.values
    let width = job.pointee.headWidth
    let streams = query == 0 && vector == 0
    var i = 0
    while i < width {
      var scales = InlineArray<V, ISA.Floats>(repeating: ISA.zeroFloats())
      for v in 0..<V { scales[v] = Storage.scales(ISA.self, keys, width, i >> 5, vector + v) }
      let end = min(width, i + 32)
      while i < end {
        if streams { prefetchColumn(ISA.self, Storage.self, values, i) }
        var k = InlineArray<V, ISA.Floats>(repeating: ISA.zeroFloats())
        for v in 0..<V { k[v] = Storage.keys(ISA.self, keys, i, vector + v, scales[v]) }
        for n in 0..<N {
          let q = ISA.broadcast(queries[n * stride + i])
          for v in 0..<V { scores[n][v] = ISA.fma(scores[n][v], k[v], q) }
        }
        i += 1
      }
    }
    let scale = ISA.broadcast(job.pointee.scale)
    for n in 0..<N {
      let weights = job.pointee.weights + (n * 64 + vector * 16)
      for v in 0..<V { ISA.storeFloats(weights + v * 16, ISA.multiply(scores[n][v], scale)) }
    }
  }

  /// Turns the scores in the workspace into weights e^(score - maximum), updates maxima and sums,
  /// and returns the factor of what was joined before.
  @inlinable @inline(__always)
  static func weigh(
    _ job: UnsafePointer<AttentionPage>, _ query: Int
  ) -> InlineArray<N, ISA.Floats> {
    var corrections = InlineArray<N, ISA.Floats>(repeating: ISA.zeroFloats())
    for n in 0..<N {
      let weights = job.pointee.weights + n &* 64
      let first = Int(job.pointee.firsts[query &+ n])
      let last = Int(job.pointee.lasts[query &+ n])
      for i in 0..<first { weights[i] = -Float.infinity }
      for i in last..<64 { weights[i] = -Float.infinity }
      let s0 = ISA.loadFloats(weights)
      let s1 = ISA.loadFloats(weights + 16)
      let s2 = ISA.loadFloats(weights + 32)
      let s3 = ISA.loadFloats(weights + 48)
      let largest = ISA.largest(ISA.maximum(ISA.maximum(s0, s1), ISA.maximum(s2, s3)))
      let before = job.pointee.maxima[query &+ n]
      let maximum = largest > before ? largest : before
      job.pointee.maxima[query &+ n] = maximum
      let m = ISA.broadcast(maximum)
      let e0 = ISA.exponential(ISA.subtract(s0, m))
      let e1 = ISA.exponential(ISA.subtract(s1, m))
      let e2 = ISA.exponential(ISA.subtract(s2, m))
      let e3 = ISA.exponential(ISA.subtract(s3, m))
      ISA.storeFloats(weights, e0)
      ISA.storeFloats(weights + 16, e1)
      ISA.storeFloats(weights + 32, e2)
      ISA.storeFloats(weights + 48, e3)
      let correction = ISA.exponential(ISA.subtract(ISA.broadcast(before), m))
      corrections[n] = correction
      let sums = job.pointee.sums + (query &+ n) &* 16
      let added = ISA.add(ISA.add(e0, e1), ISA.add(e2, e3))
      ISA.storeFloats(sums, ISA.fma(added, ISA.loadFloats(sums), correction))
    }
    return corrections
  }
}

/// `N` queries by `C` vectors of sixteen values of the head.
public enum ValueTile<ISA: VectorISA, Storage: CacheStorage, let N: Int, let C: Int> {
  /// outputs = outputs x correction + the weighted values of the positions that each query sees,
  /// one FMA chain in the order of the positions.
  ///
  /// Positions that all queries see are read once for all; those before and after for each alone: a
  /// position that a query does not see is not part of its sum even with weight 0, as 0 x infinity
  /// is no number.
  @inlinable @inline(__always)
  static func join(
    _ job: UnsafePointer<AttentionPage>, _ query: Int, _ outputs: UnsafeMutablePointer<Float>,
    _ corrections: InlineArray<N, ISA.Floats>, _ column: Int
  ) {
    let stride = job.pointee.headStride
    let firsts = job.pointee.firsts + query
    let lasts = job.pointee.lasts + query
    var sums = InlineArray<N, InlineArray<C, ISA.Floats>>(
      repeating: InlineArray<C, ISA.Floats>(repeating: ISA.zeroFloats()))
    if Storage.hasScales { readScales(job, column) }
    var low: Int32 = 0
    var high: Int32 = 64
    for n in 0..<N {
      low = max(low, firsts[n])
      high = min(high, lasts[n])
      for c in 0..<C {
        let before = ISA.loadFloats(outputs + (n &* stride &+ column &+ c &* 16))
        sums[n][c] = ISA.multiply(before, corrections[n])
      }
    }
    for n in 0..<N { add(job, n, column, from: firsts[n], to: min(low, lasts[n]), &sums[n]) }
    let streams = query == 0 && column % 64 == 0 && column &+ 64 <= stride
    let next = job.pointee.next
    var position = Int(low)
    while position < Int(high) {
      if streams { prefetchColumn(ISA.self, Storage.self, next, column &+ position) }
      var v = InlineArray<C, ISA.Floats>(repeating: ISA.zeroFloats())
      for c in 0..<C { v[c] = values(job, position, column, c) }
      for n in 0..<N {
        let weight = ISA.broadcast(job.pointee.weights[n &* 64 &+ position])
        for c in 0..<C { sums[n][c] = ISA.fma(sums[n][c], v[c], weight) }
      }
      position &+= 1
    }
    for n in 0..<N {
      add(job, n, column, from: max(low, high), to: lasts[n], &sums[n])
      for c in 0..<C {
        ISA.storeFloats(outputs + (n &* stride &+ column &+ c &* 16), sums[n][c])
      }
    }
  }

  /// The positions from..<to of one query.
  @inlinable @inline(__always)
  static func add(
    _ job: UnsafePointer<AttentionPage>, _ n: Int, _ column: Int, from first: Int32, to last: Int32,
    _ sums: inout InlineArray<C, ISA.Floats>
  ) {
    var position = Int(first)
    while position < Int(last) {
      let weight = ISA.broadcast(job.pointee.weights[n &* 64 &+ position])
      for c in 0..<C { sums[c] = ISA.fma(sums[c], values(job, position, column, c), weight) }
      position &+= 1
    }
  }

  /// The `c`th vector of values from `column` on.
  @inlinable @inline(__always)
  static func values(
    _ job: UnsafePointer<AttentionPage>, _ position: Int, _ column: Int, _ c: Int
  ) -> ISA.Floats {
    Storage.values(
      ISA.self, job.pointee.values, job.pointee.headWidth, position, column &+ c &* 16,
      job.pointee.weights + (256 &+ (c &>> 1) &* 64 &+ position))
  }

  /// Converts the scales of the tile's values, for all positions, into the workspace.
  @inlinable @inline(__always)
  static func readScales(_ job: UnsafePointer<AttentionPage>, _ column: Int) {
    for block in 0..<(C &+ 1) / 2 {
      for v in 0..<4 {
        ISA.storeFloats(
          job.pointee.weights + (256 &+ block &* 64 &+ v &* 16),
          Storage.scales(
            ISA.self, job.pointee.values, job.pointee.headWidth, column &>> 5 &+ block, v))
      }
    }
  }
}

/// Asks for the bytes of one value of the keys, or as many of the values, of a head: while the keys
/// of a page are read its values come, and while these are read the next page's keys.
///
/// After 16,384 positions a 7B shape decodes at 84 % of the reading floor with it, at 75 % without.
@inlinable @inline(__always)
public func prefetchColumn<ISA: VectorISA, Storage: CacheStorage>(
  _ isa: ISA.Type, _ storage: Storage.Type, _ base: UnsafeRawPointer, _ i: Int
) {
  for line in 0..<(Storage.columnByteCount &>> 6) {
    ISA.prefetch(base + (i &* Storage.columnByteCount &+ line &* 64))
  }
}
