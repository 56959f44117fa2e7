// Products of plain values: F32, F16, BF16 matrices with Float activations. An output is four
// chains of FMA by column modulo 4, added as (0 + 1) + (2 + 3). A "block" is one column of sixteen
// values.
//
// One panel times `M` rows of activations (`ProductShape`).

/// How a column of sixteen values is stored.
public protocol ValueStorage {
  static var byteCount: Int { get }
  static func column<ISA: ProductISA>(_ isa: ISA.Type, _ p: UnsafeRawPointer) -> ISA.Floats
}
public enum Singles: ValueStorage {
  @inlinable @inline(__always) public static var byteCount: Int { 64 }
  @inlinable @inline(__always)
  public static func column<ISA: ProductISA>(_ isa: ISA.Type, _ p: UnsafeRawPointer) -> ISA.Floats {
    ISA.loadFloats(p)
  }
}
public enum Halves: ValueStorage {
  @inlinable @inline(__always) public static var byteCount: Int { 32 }
  @inlinable @inline(__always)
  public static func column<ISA: ProductISA>(_ isa: ISA.Type, _ p: UnsafeRawPointer) -> ISA.Floats {
    ISA.loadHalves(p)
  }
}
public enum Brains: ValueStorage {
  @inlinable @inline(__always) public static var byteCount: Int { 32 }
  @inlinable @inline(__always)
  public static func column<ISA: ProductISA>(_ isa: ISA.Type, _ p: UnsafeRawPointer) -> ISA.Floats {
    ISA.loadBrains(p)
  }
}

/// The product of float panels.
public enum FloatColumns<ISA: ProductISA, Values: ValueStorage, let M: Int>:
  ProductShape
{
  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always) public static var blockByteCount: Int { Values.byteCount }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int,
    _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    if M > 1, ISA.parts == 2 {
      // One part after the other: four chains of several rows have to fit into the registers.
      part(weights, blocks, activations, rowStride, out, outStride, streams)
      let half = Values.byteCount / 2
      return part(
        weights + half, blocks, activations, rowStride, out + ISA.lanes, outStride, false)
    }
    let none = InlineArray<M, ISA.Outputs>(repeating: ISA.noOutputs())
    var chain0 = none
    var chain1 = none
    var chain2 = none
    var chain3 = none
    var w = weights
    var a = activations
    let whole = blocks &>> 2
    for _ in 0..<whole {
      let columns = w
      step(&chain0, columns, a, rowStride)
      step(&chain1, columns + Values.byteCount, a + 4, rowStride)
      step(&chain2, columns + 2 &* Values.byteCount, a + 8, rowStride)
      step(&chain3, columns + 3 &* Values.byteCount, a + 12, rowStride)
      if streams { prefetchGroup(ISA.self, columns, 4 &* Values.byteCount) }
      w += 4 &* Values.byteCount
      a += 16
    }
    let rest = blocks &- whole &* 4
    let columns = w
    if rest > 0 { step(&chain0, columns, a, rowStride) }
    if rest > 1 { step(&chain1, columns + Values.byteCount, a + 4, rowStride) }
    if rest > 2 { step(&chain2, columns + 2 &* Values.byteCount, a + 8, rowStride) }
    var outputs = none
    for part in 0..<ISA.parts {
      for m in 0..<M {
        let first = ISA.add(ISA.output(chain0[m], part), ISA.output(chain1[m], part))
        let second = ISA.add(ISA.output(chain2[m], part), ISA.output(chain3[m], part))
        ISA.setOutput(&outputs[m], part, ISA.add(first, second))
      }
    }
    store(ISA.self, outputs, out, outStride)
  }

  /// One column into one chain of each row.
  @inlinable @inline(__always)
  public static func step(
    _ chain: inout InlineArray<M, ISA.Outputs>, _ column: UnsafeRawPointer,
    _ a: UnsafeRawPointer, _ rowStride: Int
  ) {
    let low = Values.column(ISA.self, column)
    for m in 0..<M {
      let x = ISA.broadcast((a + m &* rowStride).loadUnaligned(as: Float.self))
      ISA.setOutput(&chain[m], 0, ISA.fma(ISA.output(chain[m], 0), low, x))
    }
    guard ISA.parts == 2 else { return }
    let high = Values.column(ISA.self, column + Values.byteCount / 2)
    for m in 0..<M {
      let x = ISA.broadcast((a + m &* rowStride).loadUnaligned(as: Float.self))
      ISA.setOutput(&chain[m], 1, ISA.fma(ISA.output(chain[m], 1), high, x))
    }
  }

  /// One of two parts of the sixteen rows: `weights` and `out` are where its lanes begin.
  @inlinable @inline(__always)
  public static func part(
    _ weights: UnsafeRawPointer, _ blocks: Int, _ activations: UnsafeRawPointer, _ rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, _ outStride: Int, _ streams: Bool
  ) {
    let none = InlineArray<M, ISA.Floats>(repeating: ISA.zeroFloats())
    var chain0 = none
    var chain1 = none
    var chain2 = none
    var chain3 = none
    var w = weights
    var a = activations
    let whole = blocks &>> 2
    for _ in 0..<whole {
      partStep(&chain0, w, a, rowStride)
      partStep(&chain1, w + Values.byteCount, a + 4, rowStride)
      partStep(&chain2, w + 2 &* Values.byteCount, a + 8, rowStride)
      partStep(&chain3, w + 3 &* Values.byteCount, a + 12, rowStride)
      if streams { prefetchGroup(ISA.self, w, 4 &* Values.byteCount) }
      w += 4 &* Values.byteCount
      a += 16
    }
    let rest = blocks &- whole &* 4
    if rest > 0 { partStep(&chain0, w, a, rowStride) }
    if rest > 1 { partStep(&chain1, w + Values.byteCount, a + 4, rowStride) }
    if rest > 2 { partStep(&chain2, w + 2 &* Values.byteCount, a + 8, rowStride) }
    for m in 0..<M {
      let sum = ISA.add(ISA.add(chain0[m], chain1[m]), ISA.add(chain2[m], chain3[m]))
      ISA.storeFloats(out + m &* outStride, sum)
    }
  }

  /// One column of a part into one chain of each row.
  @inlinable @inline(__always)
  public static func partStep(
    _ chain: inout InlineArray<M, ISA.Floats>, _ column: UnsafeRawPointer,
    _ a: UnsafeRawPointer, _ rowStride: Int
  ) {
    let values = Values.column(ISA.self, column)
    for m in 0..<M {
      let x = ISA.broadcast((a + m &* rowStride).loadUnaligned(as: Float.self))
      chain[m] = ISA.fma(chain[m], values, x)
    }
  }
}
