// Products of plain values for the many rows of a prompt: `FloatColumns` for row bundles
// (`FloatRows`). As in the matrix products of the BLIS library a stretch of a panel is unpacked
// once and met by every bundle of rows from the first cache, while their values pass by in one
// stream; the sums of a bundle are in registers for the columns of one chain.
//
// Tried with the same loops in C: share of the FMA peak, F16, 252 rows of 4096 and of 14336
// columns, one thread (Zen 3, AVX2). FloatColumns with six rows, a chain at a time 82 and 73 %;
// stretches unpacked, rows as they are 82 and 81; rows interleaved, whole stretches unpacked 90 and
// 89; a chain at a time (this one) 92 and 92, with stretches of 256 columns 87 and 85, of 512 91
// and 90. Groups that lie each on its own, as their rows did: 88 and 78.
//
// Sixteen rows of one register with AVX-512 (its bits were tested on an emulator, its time was not
// taken): a column's 17 loads take 8.5 cycles for eight of FMA, where six rows of four chains take
// 14 for twelve.

/// The product of float panels and row bundles, `M` rows at a time.
public enum FloatTiles<ISA: ProductISA, Values: ValueStorage, let M: Int> {
  /// The sums of one chain of a bundle.
  public typealias Chain = InlineArray<M, ISA.Outputs>

  /// One panel times `rows` rows, a multiple of M; see `FloatRows.workspaceByteCount`.
  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, _ columns: Int, _ activations: UnsafeRawPointer, _ rows: Int,
    _ out: UnsafeMutablePointer<Float>, _ outStride: Int, _ workspace: UnsafeMutableRawPointer
  ) {
    let all = rows / M
    let most = FloatRows.rowsTogether / M
    let parts = (all + most - 1) / most
    for part in 0..<parts {
      let first = all * part / parts
      let end = all * (part + 1) / parts
      run(
        weights, columns, activations, all, first, end - first, out + first * M * outStride,
        outStride, workspace)
    }
  }

  /// One panel times `count` bundles of rows from bundle `first` of `all` on.
  @inlinable @inline(__always)
  static func run(
    _ weights: UnsafeRawPointer, _ columns: Int, _ activations: UnsafeRawPointer, _ all: Int,
    _ first: Int, _ count: Int, _ out: UnsafeMutablePointer<Float>, _ outStride: Int,
    _ workspace: UnsafeMutableRawPointer
  ) {
    let values = workspace.assumingMemoryBound(to: ISA.Outputs.self)
    // [bundles][4].
    let sums = (workspace + FloatRows.valuesByteCount).assumingMemoryBound(to: Chain.self)
    let none = Chain(repeating: ISA.noOutputs())
    for i in 0..<count * 4 { sums[i] = none }
    var w = weights
    var a = activations
    var rest = columns
    while rest > 0 {
      let stretch = min(FloatRows.stretch, rest)
      for chain in 0..<4 {
        let length = FloatRows.count(of: chain, in: stretch)
        unpack(w + chain * Values.byteCount, length, values)
        let byteCount = length * M * 4
        for bundle in 0..<count {
          add(&sums[bundle * 4 + chain], values, length, a + (first + bundle) * byteCount)
        }
        a += all * byteCount
      }
      w += stretch * Values.byteCount
      rest -= stretch
    }
    for bundle in 0..<count {
      let s = sums + bundle * 4
      store(
        ISA.self, total(ISA.self, s[0], s[1], s[2], s[3]), out + bundle * M * outStride,
        outStride)
    }
  }

  /// Every fourth column from `w` on.
  @inlinable @inline(__always)
  static func unpack(
    _ w: UnsafeRawPointer, _ count: Int, _ values: UnsafeMutablePointer<ISA.Outputs>
  ) {
    for k in 0..<count {
      let column = w + k * 4 * Values.byteCount
      for part in 0..<ISA.parts {
        ISA.setOutput(
          &values[k], part,
          Values.column(ISA.self, column + part * (Values.byteCount / ISA.parts)))
      }
    }
  }

  /// Adds `count` columns of one chain to the sums of a bundle.
  @inlinable @inline(__always)
  static func add(
    _ chain: inout Chain, _ values: UnsafePointer<ISA.Outputs>, _ count: Int,
    _ activations: UnsafeRawPointer
  ) {
    // Element by element, or the compiler keeps the sums in memory.
    var sums = Chain { chain[$0] }
    var a = activations
    for k in 0..<count {
      for m in 0..<M {
        let x = ISA.broadcast((a + m * 4).loadUnaligned(as: Float.self))
        for part in 0..<ISA.parts {
          ISA.setOutput(
            &sums[m], part, ISA.fma(ISA.output(sums[m], part), ISA.output(values[k], part), x))
        }
      }
      a += M * 4
    }
    for m in 0..<M { chain[m] = sums[m] }
  }
}
