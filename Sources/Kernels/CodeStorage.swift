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

/// The four code vectors of sixteen columns.
public struct Quad<Integers> {
  public var c0: Integers
  public var c1: Integers
  public var c2: Integers
  public var c3: Integers
  @inlinable @inline(__always)
  public init(_ c0: Integers, _ c1: Integers, _ c2: Integers, _ c3: Integers) {
    self.c0 = c0
    self.c1 = c1
    self.c2 = c2
    self.c3 = c3
  }
}

/// A way to store unsigned codes of a panel.
public protocol CodeStorage {
  /// Bits a code; a group of 32 columns takes 64 times as many bytes.
  static var bits: Int { get }
  /// The code vectors of columns 0...15, or with `second` of 16...31, of the group at `group`.
  static func quad<ISA: VectorISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, second: Bool
  ) -> Quad<ISA.Integers>
}

extension CodeStorage {
  /// Bytes of 32 columns of a panel.
  @inlinable @inline(__always)
  public static var groupByteCount: Int { bits &* 64 }
}

/// Codes 0...15.
public enum Codes4: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 4 }
  @inlinable @inline(__always)
  public static func quad<ISA: VectorISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, second: Bool
  ) -> Quad<ISA.Integers> {
    let a = ISA.load(group + (second ? 128 : 0))
    let b = ISA.load(group + (second ? 192 : 64))
    return Quad(
      ISA.lowBits(a, 15), ISA.lowBits(ISA.shiftRight16(a, 4), 15),
      ISA.lowBits(b, 15), ISA.lowBits(ISA.shiftRight16(b, 4), 15))
  }
}

/// Codes 0...255.
public enum Codes8: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 8 }
  @inlinable @inline(__always)
  public static func quad<ISA: VectorISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, second: Bool
  ) -> Quad<ISA.Integers> {
    let p = group + (second ? 256 : 0)
    return Quad(ISA.load(p), ISA.load(p + 64), ISA.load(p + 128), ISA.load(p + 192))
  }
}

/// Codes 0...3.
public enum Codes2: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 2 }
  @inlinable @inline(__always)
  public static func quad<ISA: VectorISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, second: Bool
  ) -> Quad<ISA.Integers> {
    let a = ISA.load(group + (second ? 64 : 0))
    return Quad(
      ISA.lowBits(a, 3), ISA.lowBits(ISA.shiftRight16(a, 2), 3),
      ISA.lowBits(ISA.shiftRight16(a, 4), 3), ISA.lowBits(ISA.shiftRight16(a, 6), 3))
  }
}

/// Codes 0...31: four bits and one.
public enum Codes5: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 5 }
  @inlinable @inline(__always)
  public static func quad<ISA: VectorISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, second: Bool
  ) -> Quad<ISA.Integers> {
    let low = Codes4.quad(isa, group, second: second)
    let p = ISA.load(group + 256)
    if second {
      return Quad(
        ISA.or(low.c0, ISA.lowBits(p, 16)),
        ISA.or(low.c1, ISA.lowBits(ISA.shiftRight16(p, 1), 16)),
        ISA.or(low.c2, ISA.lowBits(ISA.shiftRight16(p, 2), 16)),
        ISA.or(low.c3, ISA.lowBits(ISA.shiftRight16(p, 3), 16)))
    }
    return Quad(
      ISA.or(low.c0, ISA.lowBits(ISA.shiftLeft16(p, 4), 16)),
      ISA.or(low.c1, ISA.lowBits(ISA.shiftLeft16(p, 3), 16)),
      ISA.or(low.c2, ISA.lowBits(ISA.shiftLeft16(p, 2), 16)),
      ISA.or(low.c3, ISA.lowBits(ISA.shiftLeft16(p, 1), 16)))
  }
}

/// Codes 0...63: four bits and two.
public enum Codes6: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 6 }
  @inlinable @inline(__always)
  public static func quad<ISA: VectorISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, second: Bool
  ) -> Quad<ISA.Integers> {
    let low = Codes4.quad(isa, group, second: second)
    let p = ISA.load(group + (second ? 320 : 256))
    return Quad(
      ISA.or(low.c0, ISA.lowBits(ISA.shiftLeft16(p, 4), 0x30)),
      ISA.or(low.c1, ISA.lowBits(ISA.shiftLeft16(p, 2), 0x30)),
      ISA.or(low.c2, ISA.lowBits(p, 0x30)),
      ISA.or(low.c3, ISA.lowBits(ISA.shiftRight16(p, 2), 0x30)))
  }
}

/// Codes 0...7: two bits and one.
public enum Codes3: CodeStorage {
  @inlinable @inline(__always) public static var bits: Int { 3 }
  @inlinable @inline(__always)
  public static func quad<ISA: VectorISA>(
    _ isa: ISA.Type, _ group: UnsafeRawPointer, second: Bool
  ) -> Quad<ISA.Integers> {
    let low = Codes2.quad(isa, group, second: second)
    let p = ISA.load(group + 128)
    if second {
      return Quad(
        ISA.or(low.c0, ISA.lowBits(ISA.shiftRight16(p, 2), 4)),
        ISA.or(low.c1, ISA.lowBits(ISA.shiftRight16(p, 3), 4)),
        ISA.or(low.c2, ISA.lowBits(ISA.shiftRight16(p, 4), 4)),
        ISA.or(low.c3, ISA.lowBits(ISA.shiftRight16(p, 5), 4)))
    }
    return Quad(
      ISA.or(low.c0, ISA.lowBits(ISA.shiftLeft16(p, 2), 4)),
      ISA.or(low.c1, ISA.lowBits(ISA.shiftLeft16(p, 1), 4)),
      ISA.or(low.c2, ISA.lowBits(p, 4)),
      ISA.or(low.c3, ISA.lowBits(ISA.shiftRight16(p, 1), 4)))
  }
}
