// How the codes of a panel lie in memory. A panel is sixteen rows of a matrix; its codes come in
// groups of 32 columns. A code vector is 64 bytes: four neighbouring codes of each of the sixteen
// rows, row after row, which is what one 8-bit product wants. A group has eight code vectors; codes
// of fewer bits share bytes, bit fields of one place always belonging to one code vector:
//
//   4 bits   vector v (0...3):  low nibbles code vector 2v, high nibbles 2v + 1
//   2 bits   vector h (0...1):  bits 2c, 2c + 1 are code vector 4h + c
//   1 bit    one vector:        bit c is code vector c
//
// Codes of 5, 6 and 3 bits are a storage of 4, 4 and 2 bits followed by one of the rest.

/// A way to read unsigned codes of a panel.
public protocol CodeReading: SendableMetatype {
  /// Bits a code.
  static var bits: Int { get }
  /// Bytes of 32 columns of a panel.
  static var groupByteCount: Int { get }
  /// Code vector `i` (0...7) of the group at `group`; of a part's lanes where `group` is moved by
  /// as many bytes as the lanes before it take.
  static func vector<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, _ i: Int
  ) -> ISA.Integers
}

/// A way to store them.
public protocol CodeStorage: CodeReading {
  /// Whether a code is in two places, so that a code vector takes four operations or more.
  static var isJoined: Bool { get }
  /// Writes the codes of 32 columns and four rows, a byte each, into their group: columns 0...15
  /// and 16...31.
  static func place(_ low: FourRows, _ high: FourRows, _ group: UnsafeMutableRawPointer)
}

extension CodeStorage {
  @inlinable @inline(__always)
  public static var groupByteCount: Int { bits * 64 }
}

/// Codes of `Codes` after `spread`: a byte each, in the order of the code vectors.
public enum SpreadCodes<Codes: CodeStorage>: CodeReading {
  @inlinable @inline(__always) public static var bits: Int { Codes.bits }
  @inlinable @inline(__always) public static var groupByteCount: Int { 512 }
  @inlinable @inline(__always)
  public static func vector<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, _ i: Int
  ) -> ISA.Integers { ISA.load(group + i * 64) }
}

/// Bits `from` and up of each byte of `a`, moved to `to`, of those that `mask` leaves.
@inlinable @inline(__always)
public func field<ISA: ProductISA>(
  _ isa: ISA.Type, _ a: ISA.Integers, from: Int, to: Int, _ mask: UInt8
) -> ISA.Integers {
  let shift = Int32(truncatingIfNeeded: from - to)
  if shift == 0 { return ISA.lowBits(a, mask) }
  return ISA.lowBits(
    shift > 0 ? ISA.shiftRight16(a, shift) : ISA.shiftLeft16(a, 0 - shift), mask)
}

/// Codes 0...15.
public enum Codes4: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 4 }
  @inlinable @inline(__always) public static var isJoined: Bool { false }
  @inlinable @inline(__always)
  public static func vector<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, _ i: Int
  ) -> ISA.Integers {
    field(isa, ISA.load(group + (i >> 1) * 64), from: (i & 1) * 4, to: 0, 15)
  }

  @inlinable @inline(__always)
  public static func place(_ low: FourRows, _ high: FourRows, _ group: UnsafeMutableRawPointer) {
    placeNibbles(low, high, group)
  }
}

/// Codes 0...255.
public enum Codes8: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 8 }
  @inlinable @inline(__always) public static var isJoined: Bool { false }
  @inlinable @inline(__always)
  public static func vector<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, _ i: Int
  ) -> ISA.Integers { ISA.load(group + i * 64) }

  @inlinable @inline(__always)
  public static func place(_ low: FourRows, _ high: FourRows, _ group: UnsafeMutableRawPointer) {
    low.store(group, 64)
    high.store(group + 256, 64)
  }
}

/// Codes 0...3.
public enum Codes2: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 2 }
  @inlinable @inline(__always) public static var isJoined: Bool { false }
  @inlinable @inline(__always)
  public static func vector<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, _ i: Int
  ) -> ISA.Integers {
    field(isa, ISA.load(group + (i >> 2) * 64), from: (i & 3) * 2, to: 0, 3)
  }

  @inlinable @inline(__always)
  public static func place(_ low: FourRows, _ high: FourRows, _ group: UnsafeMutableRawPointer) {
    placePairs(0, low, high, group)
  }
}

/// Codes 0...31: four bits and one.
public enum Codes5: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 5 }
  @inlinable @inline(__always) public static var isJoined: Bool { true }
  @inlinable @inline(__always)
  public static func vector<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, _ i: Int
  ) -> ISA.Integers {
    ISA.or(
      Codes4.vector(isa, group, i), field(isa, ISA.load(group + 256), from: i, to: 4, 16))
  }

  @inlinable @inline(__always)
  public static func place(_ low: FourRows, _ high: FourRows, _ group: UnsafeMutableRawPointer) {
    placeNibbles(low, high, group)
    placeBit(4, low, high, group + 256)
  }
}

/// Codes 0...63: four bits and two.
public enum Codes6: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 6 }
  @inlinable @inline(__always) public static var isJoined: Bool { true }
  @inlinable @inline(__always)
  public static func vector<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, _ i: Int
  ) -> ISA.Integers {
    let rest = ISA.load(group + 256 + (i >> 2) * 64)
    return ISA.or(
      Codes4.vector(isa, group, i), field(isa, rest, from: (i & 3) * 2, to: 4, 0x30))
  }

  @inlinable @inline(__always)
  public static func place(_ low: FourRows, _ high: FourRows, _ group: UnsafeMutableRawPointer) {
    placeNibbles(low, high, group)
    placePairs(4, low, high, group + 256)
  }
}

/// Codes 0...7: two bits and one.
public enum Codes3: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 3 }
  @inlinable @inline(__always) public static var isJoined: Bool { true }
  @inlinable @inline(__always)
  public static func vector<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, _ i: Int
  ) -> ISA.Integers {
    ISA.or(
      Codes2.vector(isa, group, i), field(isa, ISA.load(group + 128), from: i, to: 2, 4))
  }

  @inlinable @inline(__always)
  public static func place(_ low: FourRows, _ high: FourRows, _ group: UnsafeMutableRawPointer) {
    placePairs(0, low, high, group)
    placeBit(2, low, high, group + 128)
  }
}

/// Sixteen unsigned bytes.
public protocol CodeTable: SendableMetatype {
  /// Bytes 0...7, the first the lowest, and 8...15.
  static var bytes: (low: UInt64, high: UInt64) { get }
}

/// Codes of four bits that stand for the bytes of a table, which take their place when they are
/// read.
public enum LookupCodes<Table: CodeTable>: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 4 }
  @inlinable @inline(__always) public static var isJoined: Bool { false }
  @inlinable @inline(__always)
  public static func vector<ISA: ProductISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, _ i: Int
  ) -> ISA.Integers { ISA.lookup16(Table.bytes, Codes4.vector(isa, group, i)) }

  @inlinable @inline(__always)
  public static func place(_ low: FourRows, _ high: FourRows, _ group: UnsafeMutableRawPointer) {
    placeNibbles(low, high, group)
  }
}

/// The steps of IQ4_NL and IQ4_XS plus 128: -127 -104 -83 -65 -49 -35 -22 -10, 1 13 25 38 53 69 89
/// 113.
///
/// Source: ggml, kvalues_iq4nl.
public enum IQ4Steps: CodeTable {
  @inlinable @inline(__always) public static var bytes: (low: UInt64, high: UInt64) {
    (0x766a_5d4f_3f2d_1801, 0xf1d9_c5b5_a699_8d81)
  }
}
