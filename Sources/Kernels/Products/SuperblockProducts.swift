// Products of the k-quants: blocks of 256 columns. Within a block all sums are exact integers; one
// block adds to an output with one multiplication and one FMA, and one more for the minimums.
//
// One panel times `M` rows of activations (`ProductShape`).

/// d scale code - dmin minimum with sub-blocks of 32: Q4_K, Q5_K.
///
/// Block: 8 groups of codes, 4 pairs of scales, 4 pairs of minimums, d, dmin.
public enum Affine32<ISA: VectorISA, Codes: CodeStorage, let M: Int>: ProductShape {
  @inlinable @inline(__always) public static var scales: Int { 8 &* Codes.groupByteCount }
  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always)
  public static var blockByteCount: Int { 8 &* Codes.groupByteCount &+ 320 }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int,
    _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    let none = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    var outputs = InlineArray<M, ISA.Floats>(repeating: ISA.zeroFloats())
    var w = weights
    var a = activations
    for _ in 0..<blocks {
      var block = none
      for pair in 0..<4 {
        var first = none
        var second = none
        let group = w + (pair &* 2 &* Codes.groupByteCount)
        groupDot(&first, group, a + pair &* 64, rowStride, streams)
        groupDot(
          &second, group + Codes.groupByteCount, a + (pair &* 64 &+ 32), rowStride, streams)
        let pairs = ISA.pairs(unsigned: w + (scales &+ pair &* 32))
        let firsts = ISA.firsts(pairs)
        let seconds = ISA.seconds(pairs)
        for m in 0..<M {
          block[m] = ISA.add(block[m], ISA.multiply(first[m], firsts))
          block[m] = ISA.add(block[m], ISA.multiply(second[m], seconds))
        }
      }
      if streams { prefetchGroup(ISA.self, w + scales, 320) }
      let tail = w + (scales &+ 128)
      let d = ISA.loadHalves(tail + 128)
      let dmin = ISA.loadHalves(tail + 160)
      var minimums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
      for pair in 0..<4 {
        let pairs = ISA.pairs(unsigned: tail + pair &* 32)
        for m in 0..<M {
          minimums[m] = ISA.pairDot(
            minimums[m], pairs, a + (m &* rowStride &+ Activation256.sums32 &+ pair &* 4))
        }
      }
      addAffine(ISA.self, &outputs, block, d, minimums, dmin, a, rowStride)
      w += blockByteCount
      a += Activation256.byteCount
    }
    store(ISA.self, outputs, out, outStride)
  }

  /// Adds the dot products of 32 columns to `sums`.
  @inlinable @inline(__always)
  public static func groupDot(
    _ sums: inout InlineArray<M, ISA.Integers>, _ group: UnsafeRawPointer,
    _ a: UnsafeRawPointer, _ rowStride: Int, _ streams: Bool
  ) {
    quadDot(ISA.self, &sums, Codes.quad(ISA.self, group, second: false), a, rowStride)
    quadDot(ISA.self, &sums, Codes.quad(ISA.self, group, second: true), a + 16, rowStride)
    if streams { prefetchGroup(ISA.self, group, Codes.groupByteCount) }
  }
}

/// d scale code - dmin minimum with sub-blocks of 16, scale and minimum of 4 bits in a byte: Q2_K.
///
/// Block: 8 groups of codes, 8 pairs of scales and minimums, d, dmin.
public enum Affine16<ISA: VectorISA, Codes: CodeStorage, let M: Int>: ProductShape {
  @inlinable @inline(__always) public static var scales: Int { 8 &* Codes.groupByteCount }
  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always)
  public static var blockByteCount: Int { 8 &* Codes.groupByteCount &+ 320 }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int,
    _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    let none = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    var outputs = InlineArray<M, ISA.Floats>(repeating: ISA.zeroFloats())
    var w = weights
    var a = activations
    for _ in 0..<blocks {
      var block = none
      for group in 0..<8 {
        let codes = w + group &* Codes.groupByteCount
        let bytes = ISA.pairs(unsigned: w + (scales &+ group &* 32))
        let pairs = ISA.lowBits(bytes, 15)
        subBlocks(
          ISA.self, Codes.self, &block, codes, a + group &* 32, rowStride, ISA.firsts(pairs),
          ISA.seconds(pairs), streams)
      }
      var minimums = none
      for group in 0..<8 {
        let bytes = ISA.pairs(unsigned: w + (scales &+ group &* 32))
        let pairs = ISA.lowBits(ISA.shiftRight16(bytes, 4), 15)
        for m in 0..<M {
          minimums[m] = ISA.pairDot(
            minimums[m], pairs, a + (m &* rowStride &+ Activation256.sums16 &+ group &* 4))
        }
      }
      if streams { prefetchGroup(ISA.self, w + scales, 320) }
      let tail = w + (scales &+ 256)
      let d = ISA.loadHalves(tail)
      let dmin = ISA.loadHalves(tail + 32)
      addAffine(ISA.self, &outputs, block, d, minimums, dmin, a, rowStride)
      w += blockByteCount
      a += Activation256.byteCount
    }
    store(ISA.self, outputs, out, outStride)
  }
}

/// d scale (code - offset) with sub-blocks of 16 and signed scales: Q3_K (offset 4), Q6_K (32).
///
/// Block: 8 groups of codes, 8 pairs of scales, d. The offset comes off once a block, through the
/// sums of the activations: scale code - 2^shift scale.
public enum Offset16<
  ISA: VectorISA, Codes: CodeStorage, Shift: OffsetShift, let M: Int
>: ProductShape {
  @inlinable @inline(__always) public static var scales: Int { 8 &* Codes.groupByteCount }
  @inlinable @inline(__always) public static var rows: Int { M }
  @inlinable @inline(__always)
  public static var blockByteCount: Int { 8 &* Codes.groupByteCount &+ 288 }

  @inlinable @inline(__always)
  public static func run(
    _ weights: UnsafeRawPointer, blocks: Int,
    _ activations: UnsafeRawPointer, rowStride: Int,
    _ out: UnsafeMutablePointer<Float>, outStride: Int, streams: Bool
  ) {
    let none = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    var outputs = InlineArray<M, ISA.Floats>(repeating: ISA.zeroFloats())
    var w = weights
    var a = activations
    for _ in 0..<blocks {
      var block = none
      for group in 0..<8 {
        let codes = w + group &* Codes.groupByteCount
        let pairs = ISA.pairs(signed: w + (scales &+ group &* 32))
        subBlocks(
          ISA.self, Codes.self, &block, codes, a + group &* 32, rowStride, ISA.firsts(pairs),
          ISA.seconds(pairs), streams)
      }
      var offsets = none
      for group in 0..<8 {
        let pairs = ISA.pairs(signed: w + (scales &+ group &* 32))
        for m in 0..<M {
          offsets[m] = ISA.pairDot(
            offsets[m], pairs, a + (m &* rowStride &+ Activation256.sums16 &+ group &* 4))
        }
      }
      if streams { prefetchGroup(ISA.self, w + scales, 288) }
      let d = ISA.loadHalves(w + (scales &+ 256))
      for m in 0..<M {
        let scale = ISA.broadcast(
          (a + (m &* rowStride &+ Activation256.scale)).loadUnaligned(as: Float.self))
        let sum = ISA.subtract(block[m], ISA.shiftLeft(offsets[m], Shift.bits))
        outputs[m] = ISA.fma(outputs[m], ISA.multiply(d, scale), ISA.float(sum))
      }
      w += blockByteCount
      a += Activation256.byteCount
    }
    store(ISA.self, outputs, out, outStride)
  }
}

/// Adds d block - dmin minimums, times the scale of each row of activations.
@inlinable @inline(__always)
public func addAffine<ISA: VectorISA, let M: Int>(
  _ isa: ISA.Type, _ outputs: inout InlineArray<M, ISA.Floats>,
  _ block: InlineArray<M, ISA.Integers>, _ d: ISA.Floats,
  _ minimums: InlineArray<M, ISA.Integers>, _ dmin: ISA.Floats, _ a: UnsafeRawPointer,
  _ rowStride: Int
) {
  for m in 0..<M {
    let scale = ISA.broadcast(
      (a + (m &* rowStride &+ Activation256.scale)).loadUnaligned(as: Float.self))
    outputs[m] = ISA.fma(outputs[m], ISA.multiply(d, scale), ISA.float(block[m]))
    outputs[m] = ISA.fnma(outputs[m], ISA.multiply(dmin, scale), ISA.float(minimums[m]))
  }
}

/// The offset of a code as a power of two.
public protocol OffsetShift {
  static var bits: Int32 { get }
}
public enum Offset4: OffsetShift {
  @inlinable @inline(__always) public static var bits: Int32 { 2 }
}
public enum Offset8: OffsetShift {
  @inlinable @inline(__always) public static var bits: Int32 { 3 }
}
public enum Offset16Codes: OffsetShift {
  @inlinable @inline(__always) public static var bits: Int32 { 4 }
}
public enum Offset32: OffsetShift {
  @inlinable @inline(__always) public static var bits: Int32 { 5 }
}
public enum Offset128: OffsetShift {
  @inlinable @inline(__always) public static var bits: Int32 { 7 }
}

/// Adds to each of `M` sums the two sub-blocks of sixteen columns of a group, each times its scale.
///
/// The corrections by sums of activations are left for after the groups: beside these sums 8 rows
/// of them do not fit into 32 registers. Best of three runs with neighbours, Q3_K: 63 % of the
/// product floor, 58 % with all in one loop; Q6_K and Q2_K: no difference that could be told from
/// noise.
@inlinable @inline(__always)
public func subBlocks<ISA: VectorISA, Codes: CodeStorage, let M: Int>(
  _ isa: ISA.Type, _ codes: Codes.Type, _ sums: inout InlineArray<M, ISA.Integers>,
  _ group: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int, _ firstScale: ISA.Integers,
  _ secondScale: ISA.Integers, _ streams: Bool
) {
  var first = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
  quadDot(ISA.self, &first, Codes.quad(ISA.self, group, second: false), a, rowStride)
  for m in 0..<M { sums[m] = ISA.add(sums[m], ISA.multiply(first[m], firstScale)) }
  var second = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
  quadDot(ISA.self, &second, Codes.quad(ISA.self, group, second: true), a + 16, rowStride)
  for m in 0..<M { sums[m] = ISA.add(sums[m], ISA.multiply(second[m], secondScale)) }
  if streams { prefetchGroup(ISA.self, group, Codes.groupByteCount) }
}

/// Adds to each of `M` sums the dot product of sixteen columns with its row of activations.
@inlinable @inline(__always)
public func quadDot<ISA: VectorISA, let M: Int>(
  _ isa: ISA.Type, _ sums: inout InlineArray<M, ISA.Integers>, _ quad: Quad<ISA.Integers>,
  _ a: UnsafeRawPointer, _ rowStride: Int
) {
  for m in 0..<M {
    let row = a + m &* rowStride
    sums[m] = ISA.dot4(sums[m], quad.c0, row)
    sums[m] = ISA.dot4(sums[m], quad.c1, row + 4)
    sums[m] = ISA.dot4(sums[m], quad.c2, row + 8)
    sums[m] = ISA.dot4(sums[m], quad.c3, row + 12)
  }
}

/// Bytes that a row product reads ahead of itself.
@inlinable @inline(__always) public var prefetchDistance: Int { 12288 }

/// Asks for what a panel stream will need; a group is a few lines of 64 bytes.
@inlinable @inline(__always)
public func prefetchGroup<ISA: VectorISA>(
  _ isa: ISA.Type, _ group: UnsafeRawPointer, _ byteCount: Int
) {
  for line in 0..<(byteCount &>> 6) { ISA.prefetch(group + (prefetchDistance &+ line &* 64)) }
}
