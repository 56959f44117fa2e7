// Products of blocks of 32 columns. One block adds to an output with one multiplication and one
// FMA, and for those with a minimum one more.
//
// One panel times `M` rows of activations (`ProductShape`).

/// d (code - offset): Q4_0 (offset 8), Q5_0 (16), Q8_0 (128: its signed bytes plus 128).
///
/// Block: one group of codes, d. Sums start at -offset times the sum of the activations.
public enum OffsetBlock<
  ISA: VectorISA, Codes: CodeStorage, Shift: OffsetShift, let M: Int
>: ProductShape {
  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always)
  public static var blockByteCount: Int { Codes.groupByteCount &+ 32 }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int,
    _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    var outputs = InlineArray<M, ISA.Floats>(repeating: ISA.zeroFloats())
    var w = weights
    var a = activations
    for _ in 0..<blocks {
      let group = w
      var sums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
      for m in 0..<M {
        let bias = ISA.broadcast(from: a + (m &* rowStride &+ Activation32.bias))
        sums[m] = Shift.bits == 7 ? bias : ISA.shiftRight(bias, 7 &- Shift.bits)
      }
      blockDot(ISA.self, Codes.self, &sums, group, a, rowStride)
      if streams { prefetchGroup(ISA.self, group, blockByteCount) }
      let d = ISA.loadHalves(group + Codes.groupByteCount)
      for m in 0..<M {
        let scale = ISA.broadcast(
          (a + (m &* rowStride &+ Activation32.scale)).loadUnaligned(as: Float.self))
        outputs[m] = ISA.fma(outputs[m], ISA.multiply(d, scale), ISA.float(sums[m]))
      }
      w += blockByteCount
      a += Activation32.byteCount
    }
    store(ISA.self, outputs, out, outStride)
  }
}

/// d code + m: Q4_1, Q5_1.
///
/// Block: one group of codes, d, m.
public enum AffineBlock<ISA: VectorISA, Codes: CodeStorage, let M: Int>: ProductShape {
  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always)
  public static var blockByteCount: Int { Codes.groupByteCount &+ 64 }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int,
    _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    var outputs = InlineArray<M, ISA.Floats>(repeating: ISA.zeroFloats())
    var w = weights
    var a = activations
    for _ in 0..<blocks {
      let group = w
      var sums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
      blockDot(ISA.self, Codes.self, &sums, group, a, rowStride)
      if streams { prefetchGroup(ISA.self, group, blockByteCount) }
      let d = ISA.loadHalves(group + Codes.groupByteCount)
      let minimum = ISA.loadHalves(group + (Codes.groupByteCount &+ 32))
      for m in 0..<M {
        let row = a + m &* rowStride
        let scale = ISA.broadcast(
          (row + Activation32.scale).loadUnaligned(as: Float.self))
        let sum = ISA.broadcast(
          (row + Activation32.scaledSum).loadUnaligned(as: Float.self))
        outputs[m] = ISA.fma(outputs[m], ISA.multiply(d, scale), ISA.float(sums[m]))
        outputs[m] = ISA.fma(outputs[m], minimum, sum)
      }
      w += blockByteCount
      a += Activation32.byteCount
    }
    store(ISA.self, outputs, out, outStride)
  }
}

/// Adds to each of `M` sums the dot product of a group's 32 columns with its row of activations.
@inlinable @inline(__always)
public func blockDot<ISA: VectorISA, Codes: CodeStorage, let M: Int>(
  _ isa: ISA.Type, _ codes: Codes.Type, _ sums: inout InlineArray<M, ISA.Integers>,
  _ group: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int
) {
  let first = Codes.quad(ISA.self, group, second: false)
  let second = Codes.quad(ISA.self, group, second: true)
  if Codes.bits == 8 {
    wideQuadDot(ISA.self, &sums, first, a, rowStride)
    wideQuadDot(ISA.self, &sums, second, a + 16, rowStride)
  } else {
    quadDot(ISA.self, &sums, first, a, rowStride)
    quadDot(ISA.self, &sums, second, a + 16, rowStride)
  }
}

/// `quadDot` for codes up to 255.
@inlinable @inline(__always)
public func wideQuadDot<ISA: VectorISA, let M: Int>(
  _ isa: ISA.Type, _ sums: inout InlineArray<M, ISA.Integers>, _ quad: Quad<ISA.Integers>,
  _ a: UnsafeRawPointer, _ rowStride: Int
) {
  for m in 0..<M {
    let row = a + m &* rowStride
    sums[m] = ISA.dot4Wide(sums[m], quad.c0, row)
    sums[m] = ISA.dot4Wide(sums[m], quad.c1, row + 4)
    sums[m] = ISA.dot4Wide(sums[m], quad.c2, row + 8)
    sums[m] = ISA.dot4Wide(sums[m], quad.c3, row + 12)
  }
}
