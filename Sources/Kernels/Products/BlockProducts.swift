// Products of blocks of 32 columns. One block adds to an output with one multiplication and one
// FMA, and for those with a minimum one more.

/// A block of 32 columns.
public protocol SmallBlock: PanelBlock {}

extension SmallBlock {
  @inlinable @inline(__always) public static var columns: Int { 32 }
  @inlinable @inline(__always) public static var scaleByteCount: Int { 0 }
  @inlinable @inline(__always)
  public static var activationByteCount: Int { Activation32.byteCount }
}

/// d (code - offset): Q4_0 (offset 8), Q5_0 (16).
///
/// Block: one group of codes, d. Sums start at -offset times the sum of the activations.
public enum OffsetBlock<Codes: CodeStorage, Shift: OffsetShift>: SmallBlock {
  @inlinable @inline(__always) public static var byteCount: Int { Codes.groupByteCount + 32 }
  @inlinable @inline(__always) public static var hasMinimums: Bool { false }

  @inlinable @inline(__always)
  public static func add<ISA: ProductISA, Reading: CodeReading, let M: Int>(
    _ isa: ISA.Type, _ reading: Reading.Type, _ outputs: inout InlineArray<M, ISA.Outputs>,
    _ part: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer, _ a: UnsafeRawPointer,
    _ rowStride: Int, _ streams: Bool
  ) {
    var sums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for m in 0..<M {
      let bias = ISA.broadcast(from: a + (m * rowStride + Activation32.bias))
      sums[m] = ISA.shiftRight(bias, 7 - Shift.bits)
    }
    groupDot(ISA.self, Reading.self, &sums, codes, a, rowStride, nil)
    if streams { prefetchGroup(ISA.self, codes, byteCount) }
    let d = ISA.loadHalves(tail)
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
  public static func add<ISA: ProductISA, Reading: CodeReading, let M: Int>(
    _ isa: ISA.Type, _ reading: Reading.Type, _ outputs: inout InlineArray<M, ISA.Outputs>,
    _ part: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer, _ a: UnsafeRawPointer,
    _ rowStride: Int, _ streams: Bool
  ) {
    var sums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    for m in 0..<M {
      if ISA.keeps128 {
        sums[m] = ISA.broadcast(from: a + (m * rowStride + Activation32.bias))
      }
    }
    byteGroupDot(ISA.self, Reading.self, &sums, codes, a, rowStride, nil)
    if streams { prefetchGroup(ISA.self, codes, byteCount) }
    let d = ISA.loadHalves(tail)
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
  public static func add<ISA: ProductISA, Reading: CodeReading, let M: Int>(
    _ isa: ISA.Type, _ reading: Reading.Type, _ outputs: inout InlineArray<M, ISA.Outputs>,
    _ part: Int, _ codes: UnsafeRawPointer, _ tail: UnsafeRawPointer, _ a: UnsafeRawPointer,
    _ rowStride: Int, _ streams: Bool
  ) {
    var sums = InlineArray<M, ISA.Integers>(repeating: ISA.zero())
    groupDot(ISA.self, Reading.self, &sums, codes, a, rowStride, nil)
    if streams { prefetchGroup(ISA.self, codes, byteCount) }
    addScaled32(ISA.self, &outputs, part, sums, ISA.loadHalves(tail), a, rowStride)
    let minimum = ISA.loadHalves(tail + 32)
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
