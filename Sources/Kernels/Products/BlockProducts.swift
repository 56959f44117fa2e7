// Products of blocks of 32 columns. One block adds to an output with one multiplication and one
// FMA, and for those with a minimum one more.
//
// One panel times `M` rows of activations (`ProductShape`).

/// A block of 32 columns.
public protocol SmallBlock: PanelBlock {
  /// Adds the block at `w`, of the lanes of `part`, times `M` rows of activations to the outputs.
  static func add<ISA: ProductISA, let M: Int>(
    _ isa: ISA.Type, _ outputs: inout InlineArray<M, ISA.Outputs>, _ part: Int,
    _ w: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int)
}

extension SmallBlock {
  @inlinable @inline(__always) public static var columns: Int { 32 }

  @inlinable @inline(__always)
  public static func product<ISA: ProductISA>(
    _ isa: ISA.Type, _ w: UnsafeRawPointer, _ panels: Int, _ blocks: Int, _ a: UnsafeRawPointer,
    _ rows: Int, _ rowStride: Int, _ out: UnsafeMutablePointer<Float>, _ outStride: Int
  ) {
    forEachTile(
      ISA.self, BlockPanel<ISA, Self, 1>.self, BlockPanel<ISA, Self, 8>.self,
      BlockPanel<ISA, Self, 4>.self, BlockPanel<ISA, Self, 2>.self, w, panels, blocks, a, rows,
      rowStride, out, outStride)
  }
}

/// A panel of blocks of 32 columns.
public enum BlockPanel<ISA: ProductISA, Block: SmallBlock, let M: Int>: ProductShape {
  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always) public static var blockByteCount: Int { Block.byteCount }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int, _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    var outputs = InlineArray<M, ISA.Outputs>(repeating: ISA.noOutputs())
    var w = weights
    var a = activations
    for _ in 0..<blocks {
      Block.add(ISA.self, &outputs, 0, w, a, rowStride)
      if streams { prefetchGroup(ISA.self, w, Block.byteCount) }
      if ISA.parts == 2 { Block.add(ISA.self, &outputs, 1, w, a, rowStride) }
      w += Block.byteCount
      a += Activation32.byteCount
    }
    store(ISA.self, outputs, out, outStride)
  }
}

/// d (code - offset): Q4_0 (offset 8), Q5_0 (16).
///
/// Block: one group of codes, d. Sums start at -offset times the sum of the activations.
public enum OffsetBlock<Codes: CodeStorage, Shift: OffsetShift>: SmallBlock {
  @inlinable @inline(__always) public static var byteCount: Int { Codes.groupByteCount + 32 }
  @inlinable @inline(__always) public static var hasMinimums: Bool { false }

  @inlinable @inline(__always)
  public static func add<ISA: ProductISA, let M: Int>(
    _ isa: ISA.Type, _ outputs: inout InlineArray<M, ISA.Outputs>, _ part: Int,
    _ w: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int
  ) {
    var sums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for m in 0..<M {
      let bias = ISA.broadcast(from: a + (m * rowStride + Activation32.bias))
      sums[m] = ISA.shiftRight(bias, 7 - Shift.bits)
    }
    groupDot(ISA.self, Codes.self, &sums, w + part * ISA.lanes * 4, a, rowStride, nil)
    let d = ISA.loadHalves(w + (tail + part * ISA.lanes * 2))
    addScaled32(ISA.self, &outputs, part, sums, d, a, rowStride)
  }

  @inlinable @inline(__always)
  public static func values<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer,
    _ out: UnsafeMutablePointer<Float>
  ) {
    let d = ISA.loadHalves(tail)
    let less = ISA.broadcast(-Shift.offset)
    writeColumns(isa, Codes.self, codes, 0..<8, out) { ISA.multiply(d, ISA.add($0, less)) }
  }
}

/// d (code - 128): Q8_0, its signed bytes plus 128; IQ4_NL, whose codes are of a table.
///
/// Block: one group of codes, d.
public enum ByteBlock<Codes: CodeStorage>: SmallBlock {
  @inlinable @inline(__always) public static var byteCount: Int { Codes.groupByteCount + 32 }
  @inlinable @inline(__always) public static var hasMinimums: Bool { false }

  @inlinable @inline(__always)
  public static func add<ISA: ProductISA, let M: Int>(
    _ isa: ISA.Type, _ outputs: inout InlineArray<M, ISA.Outputs>, _ part: Int,
    _ w: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int
  ) {
    var sums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for m in 0..<M {
      sums[m] = ISA.start128(ISA.broadcast(from: a + (m * rowStride + Activation32.bias)))
    }
    byteGroupDot(ISA.self, Codes.self, &sums, w + part * ISA.lanes * 4, a, rowStride)
    let d = ISA.loadHalves(w + (tail + part * ISA.lanes * 2))
    addScaled32(ISA.self, &outputs, part, sums, d, a, rowStride)
  }

  @inlinable @inline(__always)
  public static func values<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer,
    _ out: UnsafeMutablePointer<Float>
  ) {
    let d = ISA.loadHalves(tail)
    let less = ISA.broadcast(-128)
    writeColumns(isa, Codes.self, codes, 0..<8, out) { ISA.multiply(d, ISA.add($0, less)) }
  }
}

/// d code + m: Q4_1, Q5_1.
///
/// Block: one group of codes, d, m.
public enum AffineBlock<Codes: CodeStorage>: SmallBlock {
  @inlinable @inline(__always) public static var byteCount: Int { Codes.groupByteCount + 64 }
  @inlinable @inline(__always) public static var hasMinimums: Bool { true }

  @inlinable @inline(__always)
  public static func add<ISA: ProductISA, let M: Int>(
    _ isa: ISA.Type, _ outputs: inout InlineArray<M, ISA.Outputs>, _ part: Int,
    _ w: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int
  ) {
    var sums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    groupDot(ISA.self, Codes.self, &sums, w + part * ISA.lanes * 4, a, rowStride, nil)
    let scales = w + (tail + part * ISA.lanes * 2)
    addScaled32(ISA.self, &outputs, part, sums, ISA.loadHalves(scales), a, rowStride)
    let minimum = ISA.loadHalves(scales + 32)
    for m in 0..<M {
      let sum = ISA.broadcast(
        (a + (m * rowStride + Activation32.scaledSum)).loadUnaligned(as: Float.self))
      ISA.setOutput(&outputs[m], part, ISA.fma(ISA.output(outputs[m], part), minimum, sum))
    }
  }

  /// d code has 16 bits at most: the sum alone is rounded.
  @inlinable @inline(__always)
  public static func values<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer,
    _ out: UnsafeMutablePointer<Float>
  ) {
    let d = ISA.loadHalves(tail)
    let minimum = ISA.loadHalves(tail + 32)
    writeColumns(isa, Codes.self, codes, 0..<8, out) { ISA.fma(minimum, d, $0) }
  }
}

/// Adds d times the sums, times the scale of each row of activations.
@inlinable @inline(__always)
public func addScaled32<ISA: ProductISA, let M: Int>(
  _ isa: ISA.Type, _ outputs: inout InlineArray<M, ISA.Outputs>, _ part: Int,
  _ sums: InlineArray<M, ISA.Integers>, _ d: ISA.Floats, _ a: UnsafeRawPointer, _ rowStride: Int
) {
  for m in 0..<M {
    let scale = ISA.broadcast(
      (a + (m * rowStride + Activation32.scale)).loadUnaligned(as: Float.self))
    let sum = ISA.fma(
      ISA.output(outputs[m], part), ISA.multiply(d, scale), ISA.float(sums[m]))
    ISA.setOutput(&outputs[m], part, sum)
  }
}
