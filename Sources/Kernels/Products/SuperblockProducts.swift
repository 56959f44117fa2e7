// Products of the k-quants: blocks of 256 columns. Within a block all sums are exact integers; one
// block adds to an output with one multiplication and one FMA, and one more for the minimums.

/// A block of 256 columns.
public protocol Superblock: PanelBlock {}

extension Superblock {
  @inlinable @inline(__always) public static var columns: Int { 256 }
  @inlinable @inline(__always) public static var scaleByteCount: Int { 16 }
  @inlinable @inline(__always)
  public static var activationByteCount: Int { Activation256.byteCount }
}

/// d scale code - dmin minimum with sub-blocks of 32: Q4_K, Q5_K.
///
/// Block: 8 groups of codes, 4 pairs of scales, 4 pairs of minimums, d, dmin.
public enum Affine32<Codes: CodeStorage>: Superblock {
  @inlinable @inline(__always) public static var byteCount: Int { tail + 320 }
  @inlinable @inline(__always) public static var hasMinimums: Bool { true }

  @inlinable @inline(__always)
  public static func add<ISA: ProductISA, Reading: CodeReading, let M: Int>(
    _ isa: ISA.Type, _ reading: Reading.Type, _ outputs: inout InlineArray<M, ISA.Outputs>,
    _ part: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer, _ a: UnsafeRawPointer,
    _ rowStride: Int, _ streams: Bool
  ) {
    var block = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for pair in 0..<4 {
      let pairs = ISA.pairs(unsigned: tail + pair * 32)
      let group = codes + (pair * 2 * Reading.groupByteCount)
      groupDot(
        ISA.self, Reading.self, &block, group, a + pair * 64, rowStride, ISA.firstScale(pairs))
      if streams { prefetchGroup(ISA.self, group, Reading.groupByteCount) }
      groupDot(
        ISA.self, Reading.self, &block, group + Reading.groupByteCount, a + (pair * 64 + 32),
        rowStride, ISA.secondScale(pairs))
      if streams {
        prefetchGroup(ISA.self, group + Reading.groupByteCount, Reading.groupByteCount)
      }
    }
    if streams { prefetchGroup(ISA.self, tail, 320) }
    var minimums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for pair in 0..<4 {
      let pairs = ISA.pairs(unsigned: tail + (128 + pair * 32))
      for m in 0..<M {
        minimums[m] = ISA.pairDot(
          minimums[m], pairs, a + (m * rowStride + Activation256.sums32 + pair * 4))
      }
    }
    addAffine(
      ISA.self, &outputs, part, block, ISA.loadHalves(tail + 256), minimums,
      ISA.loadHalves(tail + 288), a, rowStride)
  }

  @inlinable @inline(__always)
  public static func values<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer,
    _ out: UnsafeMutablePointer<Float>
  ) {
    let scale = ISA.multiply(ISA.loadHalves(tail + 256), scaleByte(isa, tail, group))
    let dmin = ISA.loadHalves(tail + 288)
    let minimum = scaleByte(isa, tail + 128, group)
    writeColumns(isa, Codes.self, codes, 0..<8, out) {
      ISA.fnma(ISA.multiply(scale, $0), dmin, minimum)
    }
  }
}

/// d scale code - dmin minimum with sub-blocks of 16, scale and minimum of 4 bits in a byte: Q2_K.
///
/// Block: 8 groups of codes, 8 pairs of scales and minimums, d, dmin.
public enum Affine16<Codes: CodeStorage>: Superblock {
  @inlinable @inline(__always) public static var byteCount: Int { tail + 320 }
  @inlinable @inline(__always) public static var hasMinimums: Bool { true }

  @inlinable @inline(__always)
  public static func add<ISA: ProductISA, Reading: CodeReading, let M: Int>(
    _ isa: ISA.Type, _ reading: Reading.Type, _ outputs: inout InlineArray<M, ISA.Outputs>,
    _ part: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer, _ a: UnsafeRawPointer,
    _ rowStride: Int, _ streams: Bool
  ) {
    var block = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for group in 0..<8 {
      let pairs = ISA.lowBits(ISA.pairs(unsigned: tail + group * 32), 15)
      halvesDot(
        ISA.self, Reading.self, &block, codes + group * Reading.groupByteCount, a + group * 32,
        rowStride, ISA.firstScale(pairs), ISA.secondScale(pairs))
      if streams {
        prefetchGroup(ISA.self, codes + group * Reading.groupByteCount, Reading.groupByteCount)
      }
    }
    var minimums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for group in 0..<8 {
      let bytes = ISA.pairs(unsigned: tail + group * 32)
      let pairs = ISA.lowBits(ISA.shiftRight16(bytes, 4), 15)
      for m in 0..<M {
        minimums[m] = ISA.pairDot(
          minimums[m], pairs, a + (m * rowStride + Activation256.sums16 + group * 4))
      }
    }
    if streams { prefetchGroup(ISA.self, tail, 320) }
    addAffine(
      ISA.self, &outputs, part, block, ISA.loadHalves(tail + 256), minimums,
      ISA.loadHalves(tail + 288), a, rowStride)
  }

  @inlinable @inline(__always)
  public static func values<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer,
    _ out: UnsafeMutablePointer<Float>
  ) {
    let dmin = ISA.loadHalves(tail + 288)
    let bytes = ISA.pairs(unsigned: tail + group * 32)
    let (scales, minimums) = (ISA.lowBits(bytes, 15), ISA.lowBits(ISA.shiftRight16(bytes, 4), 15))
    for half in 0..<2 {
      let scale = ISA.multiply(ISA.loadHalves(tail + 256), pairHalf(isa, scales, half))
      let minimum = pairHalf(isa, minimums, half)
      writeColumns(isa, Codes.self, codes, half * 4..<half * 4 + 4, out) {
        ISA.fnma(ISA.multiply(scale, $0), dmin, minimum)
      }
    }
  }
}

/// d scale (code - offset) with sub-blocks of 16 and signed scales: Q3_K (offset 4), Q6_K (32).
///
/// Block: 8 groups of codes, 8 pairs of scales, d. The offset comes off once a block, through the
/// sums of the activations: scale code - 2^shift scale. These corrections have a loop of their own:
/// beside the sums 8 rows of them do not fit into 32 registers. Best of three runs with neighbours,
/// Q3_K: 63 % of the product floor, 58 % with all in one loop; Q6_K and Q2_K: no difference that
/// could be told from noise.
public enum Offset16<Codes: CodeStorage, Shift: OffsetShift>: Superblock {
  @inlinable @inline(__always) public static var byteCount: Int { tail + 288 }
  @inlinable @inline(__always) public static var hasMinimums: Bool { false }

  @inlinable @inline(__always)
  public static func add<ISA: ProductISA, Reading: CodeReading, let M: Int>(
    _ isa: ISA.Type, _ reading: Reading.Type, _ outputs: inout InlineArray<M, ISA.Outputs>,
    _ part: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer, _ a: UnsafeRawPointer,
    _ rowStride: Int, _ streams: Bool
  ) {
    var block = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for group in 0..<8 {
      let pairs = ISA.pairs(signed: tail + group * 32)
      halvesDot(
        ISA.self, Reading.self, &block, codes + group * Reading.groupByteCount, a + group * 32,
        rowStride, ISA.firstScale(pairs), ISA.secondScale(pairs))
      if streams {
        prefetchGroup(ISA.self, codes + group * Reading.groupByteCount, Reading.groupByteCount)
      }
    }
    var offsets = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for group in 0..<8 {
      let pairs = ISA.pairs(signed: tail + group * 32)
      for m in 0..<M {
        offsets[m] = ISA.pairDot(
          offsets[m], pairs, a + (m * rowStride + Activation256.sums16 + group * 4))
      }
    }
    if streams { prefetchGroup(ISA.self, tail, 288) }
    for m in 0..<M { block[m] = ISA.subtract(block[m], ISA.shiftLeft(offsets[m], Shift.bits)) }
    addScaled256(ISA.self, &outputs, part, block, ISA.loadHalves(tail + 256), a, rowStride)
  }

  @inlinable @inline(__always)
  public static func values<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer,
    _ out: UnsafeMutablePointer<Float>
  ) {
    let scales = ISA.pairs(signed: tail + group * 32)
    let less = ISA.broadcast(-Shift.offset)
    for half in 0..<2 {
      let scale = ISA.multiply(ISA.loadHalves(tail + 256), pairHalf(isa, scales, half))
      writeColumns(isa, Codes.self, codes, half * 4..<half * 4 + 4, out) {
        ISA.multiply(scale, ISA.add($0, less))
      }
    }
  }
}

/// d scale (code - 128) with sub-blocks of 32 and signed scales: IQ4_XS, of codes in a table.
///
/// Block: 8 groups of codes, 4 pairs of scales, d. Where the instruction set leaves the 128 in,
/// they come off once a block, as the offset of `Offset16` does.
public enum Byte32<Codes: CodeStorage>: Superblock {
  @inlinable @inline(__always) public static var byteCount: Int { tail + 160 }
  @inlinable @inline(__always) public static var scaleByteCount: Int { 8 }
  @inlinable @inline(__always) public static var hasMinimums: Bool { false }

  @inlinable @inline(__always)
  public static func add<ISA: ProductISA, Reading: CodeReading, let M: Int>(
    _ isa: ISA.Type, _ reading: Reading.Type, _ outputs: inout InlineArray<M, ISA.Outputs>,
    _ part: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer, _ a: UnsafeRawPointer,
    _ rowStride: Int, _ streams: Bool
  ) {
    var block = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for pair in 0..<4 {
      let pairs = ISA.pairs(signed: tail + pair * 32)
      let group = codes + pair * 2 * Reading.groupByteCount
      byteGroupDot(
        ISA.self, Reading.self, &block, group, a + pair * 64, rowStride, ISA.firstScale(pairs))
      byteGroupDot(
        ISA.self, Reading.self, &block, group + Reading.groupByteCount, a + (pair * 64 + 32),
        rowStride, ISA.secondScale(pairs))
      if streams { prefetchGroup(ISA.self, group, 2 * Reading.groupByteCount) }
    }
    if ISA.keeps128 {
      var offsets = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
      for pair in 0..<4 {
        let pairs = ISA.pairs(signed: tail + pair * 32)
        for m in 0..<M {
          offsets[m] = ISA.pairDot(
            offsets[m], pairs, a + (m * rowStride + Activation256.sums32 + pair * 4))
        }
      }
      for m in 0..<M { block[m] = ISA.subtract(block[m], ISA.shiftLeft(offsets[m], 7)) }
    }
    if streams { prefetchGroup(ISA.self, tail, 160) }
    addScaled256(ISA.self, &outputs, part, block, ISA.loadHalves(tail + 128), a, rowStride)
  }

  @inlinable @inline(__always)
  public static func values<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer,
    _ out: UnsafeMutablePointer<Float>
  ) {
    let pairs = ISA.pairs(signed: tail + group / 2 * 32)
    let scale = ISA.multiply(ISA.loadHalves(tail + 128), pairHalf(isa, pairs, group % 2))
    let less = ISA.broadcast(-128)
    writeColumns(isa, Codes.self, codes, 0..<8, out) { ISA.multiply(scale, ISA.add($0, less)) }
  }
}

/// Adds d times the sums, times the scale of each row of activations.
@inlinable @inline(__always)
public func addScaled256<ISA: ProductISA, let M: Int>(
  _ isa: ISA.Type, _ outputs: inout InlineArray<M, ISA.Outputs>, _ part: Int,
  _ sums: InlineArray<M, ISA.Integers>, _ d: ISA.Floats, _ a: UnsafeRawPointer, _ rowStride: Int
) {
  for m in 0..<M {
    let scale = ISA.broadcast(
      (a + (m * rowStride + Activation256.scale)).loadUnaligned(as: Float.self))
    let sum = ISA.fma(ISA.output(outputs[m], part), ISA.multiply(d, scale), ISA.float(sums[m]))
    ISA.setOutput(&outputs[m], part, sum)
  }
}

/// The first or second of each pair of Int16.
@inlinable @inline(__always)
public func pairHalf<ISA: ProductISA>(
  _ isa: ISA.Type, _ pairs: ISA.Integers, _ half: Int
) -> ISA.Floats {
  let first = half == 0 ? ISA.shiftLeft(pairs, 16) : pairs
  return ISA.float(ISA.shiftRight(first, 16))
}

/// Byte `k` of each row, of unsigned bytes that are stored in pairs.
@inlinable @inline(__always)
public func scaleByte<ISA: ProductISA>(
  _ isa: ISA.Type, _ pairs: UnsafeRawPointer, _ k: Int
) -> ISA.Floats { pairHalf(isa, ISA.pairs(unsigned: pairs + k / 2 * 32), k % 2) }

/// Adds d block - dmin minimums, times the scale of each row of activations.
@inlinable @inline(__always)
public func addAffine<ISA: ProductISA, let M: Int>(
  _ isa: ISA.Type, _ outputs: inout InlineArray<M, ISA.Outputs>, _ part: Int,
  _ block: InlineArray<M, ISA.Integers>, _ d: ISA.Floats,
  _ minimums: InlineArray<M, ISA.Integers>, _ dmin: ISA.Floats, _ a: UnsafeRawPointer,
  _ rowStride: Int
) {
  for m in 0..<M {
    let scale = ISA.broadcast(
      (a + (m * rowStride + Activation256.scale)).loadUnaligned(as: Float.self))
    let sum = ISA.fma(ISA.output(outputs[m], part), ISA.multiply(d, scale), ISA.float(block[m]))
    let output = ISA.fnma(sum, ISA.multiply(dmin, scale), ISA.float(minimums[m]))
    ISA.setOutput(&outputs[m], part, output)
  }
}

/// The offset of a code as a power of two.
public protocol OffsetShift: SendableMetatype {
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

extension OffsetShift {
  @inlinable @inline(__always) public static var offset: Float { Float(Int32(1) << bits) }
}
