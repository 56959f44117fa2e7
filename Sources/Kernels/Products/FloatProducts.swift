// Products of plain values: F32, F16, BF16 matrices with Float activations. An output is four
// chains of FMA by column modulo 4, added as (0 + 1) + (2 + 3). A "block" is one column of sixteen
// values.
//
// One panel times `M` rows of activations (`ProductShape`); many rows: FloatTiles.swift.

/// A panel of plain values: how a column of sixteen is stored.
public protocol ValueStorage: SendableMetatype {
  static var byteCount: Int { get }
  static func column<ISA: ProductISA>(_ isa: ISA.Type, _ p: UnsafeRawPointer) -> ISA.Floats
}
public enum F32: ValueStorage {
  @inlinable @inline(__always) public static var byteCount: Int { 64 }
  @inlinable @inline(__always)
  public static func column<ISA: ProductISA>(_ isa: ISA.Type, _ p: UnsafeRawPointer) -> ISA.Floats {
    ISA.loadFloats(p)
  }
}
public enum F16: ValueStorage {
  @inlinable @inline(__always) public static var byteCount: Int { 32 }
  @inlinable @inline(__always)
  public static func column<ISA: ProductISA>(_ isa: ISA.Type, _ p: UnsafeRawPointer) -> ISA.Floats {
    ISA.loadHalves(p)
  }
}
public enum BF16: ValueStorage {
  @inlinable @inline(__always) public static var byteCount: Int { 32 }
  @inlinable @inline(__always)
  public static func column<ISA: ProductISA>(_ isa: ISA.Type, _ p: UnsafeRawPointer) -> ISA.Floats {
    ISA.loadBrains(p)
  }
}

extension ValueStorage {
  /// Up to six rows at once: with four chains each in single registers, else one chain after the
  /// other.
  ///
  /// With four rows a column's five loads take longer than its four FMA (Zen 5, F16: 73 and 79 % of
  /// the FMA peak); more than six have no room for four chains each.
  @inlinable @inline(__always)
  public static func product<ISA: ProductISA>(
    _ isa: ISA.Type, _ w: UnsafeRawPointer, _ panels: Int, _ columns: Int, _ a: UnsafeRawPointer,
    _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>, _ outStride: Int
  ) {
    if ISA.parts == 1 {
      forEachTile(
        ISA.self, FloatColumns<ISA, Self, 1, 4>.self, FloatColumns<ISA, Self, 6, 4>.self,
        FloatColumns<ISA, Self, 4, 4>.self, FloatColumns<ISA, Self, 2, 4>.self,
        w, panels, columns, a, rows, rowStride, out, outStride)
    } else {
      forEachTile(
        ISA.self, FloatColumns<ISA, Self, 1, 4>.self, FloatColumns<ISA, Self, 4, 1>.self,
        FloatColumns<ISA, Self, 4, 1>.self, FloatColumns<ISA, Self, 2, 2>.self,
        w, panels, columns, a, rows, rowStride, out, outStride)
    }
  }

  /// Row bundles (`FloatRows`).
  @inlinable @inline(__always)
  public static func bundled<ISA: ProductISA>(
    _ isa: ISA.Type, _ w: UnsafeRawPointer, _ panels: Int, _ columns: Int, _ a: UnsafeRawPointer,
    _ rows: Int, _ out: UnsafeMutablePointer<Float>, _ outStride: Int,
    _ workspace: UnsafeMutableRawPointer
  ) {
    for panel in 0..<panels {
      let w = w + panel * columns * byteCount
      let out = out + panel * panelRows
      if ISA.bundledRows == 16 {
        FloatTiles<ISA, Self, 16>.run(w, columns, a, rows, out, outStride, workspace)
      } else {
        FloatTiles<ISA, Self, 6>.run(w, columns, a, rows, out, outStride, workspace)
      }
    }
  }

  /// The values of `columns` columns of a panel, as a panel of F32 has them: out[column][row].
  @inlinable @inline(__always)
  public static func tile<ISA: ProductISA>(
    _ isa: ISA.Type, _ w: UnsafeRawPointer, _ columns: Int, _ out: UnsafeMutablePointer<Float>
  ) {
    for column in 0..<columns {
      for part in 0..<ISA.parts {
        ISA.storeFloats(
          out + (column * panelRows + part * ISA.lanes),
          self.column(isa, w + (column * byteCount + part * (byteCount / ISA.parts))))
      }
    }
  }
}

/// The product of float panels, `C` of the four chains of every row at a time.
///
/// Each column takes M broadcasts of activations and a load of each register of values for M FMA a
/// register, and a processor loads two vectors a cycle at most: the more rows, the less the loads
/// hold back. So rows of two registers take the chains in turn, and the columns of a stretch are
/// read once for each turn, from the first cache.
public enum FloatColumns<ISA: ProductISA, Values: ValueStorage, let M: Int, let C: Int>:
  ProductShape
{
  /// The sums of one chain of every row.
  public typealias Chain = InlineArray<M, ISA.Outputs>

  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always) public static var blockByteCount: Int { Values.byteCount }
  /// Columns of a stretch, a multiple of four: 8 KB of halves, and as many of M rows.
  @inlinable @inline(__always) public static var stretch: Int { 256 }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int,
    _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    var chains = InlineArray<4, Chain>(repeating: Chain(repeating: ISA.noOutputs()))
    var first = 0
    while first < blocks {
      let count = C == 4 ? blocks : min(stretch, blocks - first)
      let (w, a) = (weights + first * Values.byteCount, activations + first * 4)
      var c = 0
      while c < 4 {
        add(
          &chains, c, w + c * Values.byteCount, a + c * 4, count - c, rowStride,
          streams && c == 0)
        c += C
      }
      first += count
    }
    let sums = total(ISA.self, chains[0], chains[1], chains[2], chains[3])
    store(ISA.self, sums, out, outStride)
  }

  /// The columns of `C` chains from chain `first` on: `w` and `a` are where its first column is,
  /// `count` columns are left from there.
  @inlinable @inline(__always)
  public static func add(
    _ chains: inout InlineArray<4, Chain>, _ first: Int, _ w: UnsafeRawPointer,
    _ a: UnsafeRawPointer, _ count: Int, _ rowStride: Int, _ streams: Bool
  ) {
    var sums = InlineArray<C, Chain> { chains[first + $0] }
    var (w, a) = (w, a)
    for _ in 0..<(count + 4 - C) >> 2 {
      for c in 0..<C { step(&sums[c], w + c * Values.byteCount, a + c * 4, rowStride) }
      if streams { prefetchGroup(ISA.self, w, 4 * Values.byteCount) }
      w += 4 * Values.byteCount
      a += 16
    }
    let rest = count - ((count + 4 - C) >> 2) * 4
    for c in 0..<C where c < rest {
      step(&sums[c], w + c * Values.byteCount, a + c * 4, rowStride)
    }
    for c in 0..<C { chains[first + c] = sums[c] }
  }

  /// One column into one chain of each row.
  @inlinable @inline(__always)
  public static func step(
    _ chain: inout Chain, _ column: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int
  ) {
    let low = Values.column(ISA.self, column)
    let high = ISA.parts == 2 ? Values.column(ISA.self, column + Values.byteCount / 2) : low
    for m in 0..<M {
      let x = ISA.broadcast((a + m * rowStride).loadUnaligned(as: Float.self))
      ISA.setOutput(&chain[m], 0, ISA.fma(ISA.output(chain[m], 0), low, x))
      if ISA.parts == 2 { ISA.setOutput(&chain[m], 1, ISA.fma(ISA.output(chain[m], 1), high, x)) }
    }
  }
}

/// The outputs of some rows from their four chains.
@inlinable @inline(__always)
public func total<ISA: ProductISA, let M: Int>(
  _ isa: ISA.Type, _ a: InlineArray<M, ISA.Outputs>, _ b: InlineArray<M, ISA.Outputs>,
  _ c: InlineArray<M, ISA.Outputs>, _ d: InlineArray<M, ISA.Outputs>
) -> InlineArray<M, ISA.Outputs> {
  var sum = a
  for m in 0..<M {
    for part in 0..<ISA.parts {
      let first = ISA.add(ISA.output(a[m], part), ISA.output(b[m], part))
      let second = ISA.add(ISA.output(c[m], part), ISA.output(d[m], part))
      ISA.setOutput(&sum[m], part, ISA.add(first, second))
    }
  }
  return sum
}
