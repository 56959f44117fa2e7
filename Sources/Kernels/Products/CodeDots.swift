// The inner loop of every product of codes: code vectors of one group times a few rows of
// activations.

/// Adds to each of `M` sums the dot product of a group's 32 columns with its row of activations,
/// times `scale` (nil: 1).
@inlinable @inline(__always)
public func groupDot<ISA: ProductISA, Codes: CodeReading, let M: Int>(
  _ isa: ISA.Type, _ codes: Codes.Type, _ sums: inout InlineArray<M, ISA.Integers>,
  _ group: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int, _ scale: ISA.Scale?
) {
  var partials = InlineArray<M, ISA.Partial>(repeating: ISA.noPartial())
  vectorDot(isa, codes, &sums, &partials, group, 0, of: 8, a, rowStride, scale)
  vectorDot(isa, codes, &sums, &partials, group, 1, of: 8, a, rowStride, scale)
  vectorDot(isa, codes, &sums, &partials, group, 2, of: 8, a, rowStride, scale)
  vectorDot(isa, codes, &sums, &partials, group, 3, of: 8, a, rowStride, scale)
  vectorDot(isa, codes, &sums, &partials, group, 4, of: 8, a, rowStride, scale)
  vectorDot(isa, codes, &sums, &partials, group, 5, of: 8, a, rowStride, scale)
  vectorDot(isa, codes, &sums, &partials, group, 6, of: 8, a, rowStride, scale)
  vectorDot(isa, codes, &sums, &partials, group, 7, of: 8, a, rowStride, scale)
}

/// `groupDot` of columns 0...15 with one scale and of 16...31 with another.
@inlinable @inline(__always)
public func halvesDot<ISA: ProductISA, Codes: CodeReading, let M: Int>(
  _ isa: ISA.Type, _ codes: Codes.Type, _ sums: inout InlineArray<M, ISA.Integers>,
  _ group: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int, _ first: ISA.Scale,
  _ second: ISA.Scale
) {
  var partials = InlineArray<M, ISA.Partial>(repeating: ISA.noPartial())
  vectorDot(isa, codes, &sums, &partials, group, 0, of: 4, a, rowStride, first)
  vectorDot(isa, codes, &sums, &partials, group, 1, of: 4, a, rowStride, first)
  vectorDot(isa, codes, &sums, &partials, group, 2, of: 4, a, rowStride, first)
  vectorDot(isa, codes, &sums, &partials, group, 3, of: 4, a, rowStride, first)
  vectorDot(isa, codes, &sums, &partials, group, 4, of: 4, a, rowStride, second)
  vectorDot(isa, codes, &sums, &partials, group, 5, of: 4, a, rowStride, second)
  vectorDot(isa, codes, &sums, &partials, group, 6, of: 4, a, rowStride, second)
  vectorDot(isa, codes, &sums, &partials, group, 7, of: 4, a, rowStride, second)
}

/// Adds code vector `i` times its four columns to the partials; adds these to the sums when they
/// are full or `count` vectors, a sub-block, are complete.
///
/// Unrolled by its callers: `i` is a constant, and with it the shifts of `Codes.vector`.
@inlinable @inline(__always)
public func vectorDot<ISA: ProductISA, Codes: CodeReading, let M: Int>(
  _ isa: ISA.Type, _ codes: Codes.Type, _ sums: inout InlineArray<M, ISA.Integers>,
  _ partials: inout InlineArray<M, ISA.Partial>, _ group: UnsafeRawPointer, _ i: Int,
  of count: Int, _ a: UnsafeRawPointer, _ rowStride: Int, _ scale: ISA.Scale?
) {
  let vector = Codes.vector(isa, group, i)
  for m in 0..<M {
    partials[m] = ISA.dot4(partials[m], vector, a + m * rowStride, i)
  }
  let done = i + 1
  guard done % count == 0 || done % ISA.capacity(bits: Codes.bits) == 0 else { return }
  add(isa, &sums, &partials, scale)
}

/// `groupDot` for codes of eight bits that stand for code - 128 (`ProductISA.dot4Minus128`).
@inlinable @inline(__always)
public func byteGroupDot<ISA: ProductISA, Codes: CodeReading, let M: Int>(
  _ isa: ISA.Type, _ codes: Codes.Type, _ sums: inout InlineArray<M, ISA.Integers>,
  _ group: UnsafeRawPointer, _ a: UnsafeRawPointer, _ rowStride: Int, _ scale: ISA.Scale?
) {
  var partials = InlineArray<M, ISA.Partial>(repeating: ISA.noPartial())
  byteVectorDot(isa, codes, &sums, &partials, group, 0, a, rowStride, scale)
  byteVectorDot(isa, codes, &sums, &partials, group, 1, a, rowStride, scale)
  byteVectorDot(isa, codes, &sums, &partials, group, 2, a, rowStride, scale)
  byteVectorDot(isa, codes, &sums, &partials, group, 3, a, rowStride, scale)
  byteVectorDot(isa, codes, &sums, &partials, group, 4, a, rowStride, scale)
  byteVectorDot(isa, codes, &sums, &partials, group, 5, a, rowStride, scale)
  byteVectorDot(isa, codes, &sums, &partials, group, 6, a, rowStride, scale)
  byteVectorDot(isa, codes, &sums, &partials, group, 7, a, rowStride, scale)
}

/// A code vector of `byteGroupDot`.
@inlinable @inline(__always)
public func byteVectorDot<ISA: ProductISA, Codes: CodeReading, let M: Int>(
  _ isa: ISA.Type, _ codes: Codes.Type, _ sums: inout InlineArray<M, ISA.Integers>,
  _ partials: inout InlineArray<M, ISA.Partial>, _ group: UnsafeRawPointer, _ i: Int,
  _ a: UnsafeRawPointer, _ rowStride: Int, _ scale: ISA.Scale?
) {
  let vector = Codes.vector(isa, group, i)
  for m in 0..<M {
    partials[m] = ISA.dot4Minus128(partials[m], vector, a + m * rowStride, i)
  }
  let done = i + 1
  guard done == 8 || done % ISA.capacity128 == 0 else { return }
  add(isa, &sums, &partials, scale)
}

/// Adds the partials, times `scale` (nil: 1), to the sums, and empties them.
@inlinable @inline(__always)
public func add<ISA: ProductISA, let M: Int>(
  _ isa: ISA.Type, _ sums: inout InlineArray<M, ISA.Integers>,
  _ partials: inout InlineArray<M, ISA.Partial>, _ scale: ISA.Scale?
) {
  for m in 0..<M {
    if let scale {
      sums[m] = ISA.addScaled(sums[m], partials[m], scale)
    } else {
      sums[m] = ISA.addPartial(sums[m], partials[m])
    }
    partials[m] = ISA.noPartial()
  }
}

/// Bytes that a row product reads ahead of itself.
@inlinable @inline(__always) public var prefetchDistance: Int { 8192 }

/// Asks for what a panel stream will need; a group is a few lines of 64 bytes.
@inlinable @inline(__always)
public func prefetchGroup<ISA: ProductISA>(
  _ isa: ISA.Type, _ group: UnsafeRawPointer, _ byteCount: Int
) {
  for line in 0..<(byteCount >> 6) { ISA.prefetch(group + (prefetchDistance + line * 64)) }
}
