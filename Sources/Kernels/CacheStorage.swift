// How the cache holds the keys and values of one head in one page of 64 positions:
//
//   keys     [headWidth][64]: a lane is a position, so no sum of a score crosses lanes
//   values   [64][headStride]: a lane is a value of the head
//
// F16 holds half-precision values. Q8_0 holds Int8 codes in these orders, each followed by the
// scales of 32 values of one position in half precision, [blocks][64].

/// The types of cache.
public enum CacheType: Int, CaseIterable, Sendable {
  case f16, q8_0
}

/// The keys and values of one position and head, and the page that takes them.
public struct CacheEntry {
  /// [headWidth] each.
  public var key: UnsafePointer<Float>
  public var value: UnsafePointer<Float>
  public var keys: UnsafeMutableRawPointer
  public var values: UnsafeMutableRawPointer
  /// In the page.
  public var position: Int
  public var headWidth: Int
  /// `headWidth` rounded up to 16.
  public var headStride: Int

  public init(
    key: UnsafePointer<Float>, value: UnsafePointer<Float>, keys: UnsafeMutableRawPointer,
    values: UnsafeMutableRawPointer, position: Int, headWidth: Int, headStride: Int
  ) {
    self.key = key
    self.value = value
    self.keys = keys
    self.values = values
    self.position = position
    self.headWidth = headWidth
    self.headStride = headStride
  }
}

/// A way to hold keys and values.
public protocol CacheStorage {
  /// Bytes of the keys, or of the values, of a head in one page.
  static func byteCount(headWidth: Int) -> Int
  /// The scales of values 32 `block` and up of the head, at positions 16 `v` and up, where `part`
  /// is the keys or the values.
  static func scales<ISA: VectorISA>(
    _ isa: ISA.Type, _ part: UnsafeRawPointer, _ headWidth: Int, _ block: Int, _ v: Int
  ) -> ISA.Floats
  /// Value `i` of the keys at positions 16 `v` and up.
  static func keys<ISA: VectorISA>(
    _ isa: ISA.Type, _ keys: UnsafeRawPointer, _ i: Int, _ v: Int, _ scales: ISA.Floats
  ) -> ISA.Floats
  /// Values `column` and up (a multiple of 16) of the head at `position`, whose scale is at
  /// `scale`.
  static func values<ISA: VectorISA>(
    _ isa: ISA.Type, _ values: UnsafeRawPointer, _ headWidth: Int, _ position: Int,
    _ column: Int, _ scale: UnsafePointer<Float>
  ) -> ISA.Floats
  /// Bytes of one value of the keys at all positions: as many as of 64 values at one position.
  static var columnByteCount: Int { get }
  /// Whether there are scales.
  static var hasScales: Bool { get }
  /// Writes a key and a value to their place.
  static func store<ISA: VectorISA>(_ isa: ISA.Type, _ entry: UnsafePointer<CacheEntry>)
}

extension CacheStorage {
  /// Makes the positions of a page from `position` on zero.
  public static func clear(
    keys: UnsafeMutableRawPointer, values: UnsafeMutableRawPointer, headWidth: Int,
    from position: Int
  ) {
    let width = columnByteCount / pagePositions
    let rest = pagePositions &- position
    for i in 0..<headStride(headWidth) {
      let column = keys + i &* columnByteCount
      column.advanced(by: position &* width).initializeMemory(
        as: UInt8.self, repeating: 0, count: rest &* width)
    }
    let row = headStride(headWidth) &* width
    values.advanced(by: position &* row).initializeMemory(
      as: UInt8.self, repeating: 0, count: rest &* row)
    // Scales of one block at all positions, in half precision.
    let scales = headStride(headWidth) &* columnByteCount
    for offset in stride(from: scales, to: byteCount(headWidth: headWidth), by: 128) {
      for part in [keys, values] {
        part.advanced(by: offset &+ position &* 2).initializeMemory(
          as: UInt8.self, repeating: 0, count: rest &* 2)
      }
    }
  }
}

/// `headWidth` rounded up to whole vectors.
@inlinable @inline(__always)
public func headStride(_ headWidth: Int) -> Int { (headWidth &+ 15) & ~15 }

/// Half precision.
public enum HalfCache: CacheStorage {
  @inlinable @inline(__always)
  public static func byteCount(headWidth: Int) -> Int {
    headStride(headWidth) &* pagePositions &* 2
  }

  @inlinable @inline(__always) public static var hasScales: Bool { false }
  @inlinable @inline(__always) public static var columnByteCount: Int { 128 }

  @inlinable @inline(__always)
  public static func scales<ISA: VectorISA>(
    _ isa: ISA.Type, _ part: UnsafeRawPointer, _ headWidth: Int, _ block: Int, _ v: Int
  ) -> ISA.Floats { ISA.zeroFloats() }

  @inlinable @inline(__always)
  public static func keys<ISA: VectorISA>(
    _ isa: ISA.Type, _ keys: UnsafeRawPointer, _ i: Int, _ v: Int, _ scales: ISA.Floats
  ) -> ISA.Floats { ISA.loadHalves(keys + (i &* 128 &+ v &* 32)) }

  @inlinable @inline(__always)
  public static func values<ISA: VectorISA>(
    _ isa: ISA.Type, _ values: UnsafeRawPointer, _ headWidth: Int, _ position: Int,
    _ column: Int, _ scale: UnsafePointer<Float>
  ) -> ISA.Floats {
    ISA.loadHalves(values + (position &* headStride(headWidth) &+ column) &* 2)
  }

  @inlinable @inline(__always)
  public static func store<ISA: VectorISA>(
    _ isa: ISA.Type, _ entry: UnsafePointer<CacheEntry>
  ) {
    let entry = entry.pointee
    var i = 0
    while i < entry.headWidth {
      let count = min(16, entry.headWidth &- i)
      let key = ISA.halves(ISA.loadFloats(entry.key + i, count: count))
      let column = entry.keys + (i &* 128 &+ entry.position &* 2)
      for j in 0..<count { (column + j &* 128).storeBytes(of: key[j], as: UInt16.self) }
      let value = ISA.halves(ISA.loadFloats(entry.value + i, count: count))
      (entry.values + (entry.position &* entry.headStride &+ i) &* 2)
        .storeBytes(of: value, as: SIMD16<UInt16>.self)
      i &+= 16
    }
  }
}

/// Eight bits with a scale for 32 values of a head: d code, d = max|x| / 127 in half precision.
///
/// Source: GGUF's Q8_0, along the head.
public enum ByteCache: CacheStorage {
  @inlinable @inline(__always)
  static func blocks(_ headWidth: Int) -> Int { (headWidth &+ 31) &>> 5 }

  @inlinable @inline(__always)
  public static func byteCount(headWidth: Int) -> Int {
    (headStride(headWidth) &+ blocks(headWidth) &* 2) &* pagePositions
  }

  @inlinable @inline(__always) public static var hasScales: Bool { true }
  @inlinable @inline(__always) public static var columnByteCount: Int { 64 }

  @inlinable @inline(__always)
  public static func scales<ISA: VectorISA>(
    _ isa: ISA.Type, _ part: UnsafeRawPointer, _ headWidth: Int, _ block: Int, _ v: Int
  ) -> ISA.Floats {
    ISA.loadHalves(part + (headStride(headWidth) &* 64 &+ block &* 128 &+ v &* 32))
  }

  @inlinable @inline(__always)
  public static func keys<ISA: VectorISA>(
    _ isa: ISA.Type, _ keys: UnsafeRawPointer, _ i: Int, _ v: Int, _ scales: ISA.Floats
  ) -> ISA.Floats { ISA.multiply(ISA.loadBytes(keys + (i &* 64 &+ v &* 16)), scales) }

  @inlinable @inline(__always)
  public static func values<ISA: VectorISA>(
    _ isa: ISA.Type, _ values: UnsafeRawPointer, _ headWidth: Int, _ position: Int,
    _ column: Int, _ scale: UnsafePointer<Float>
  ) -> ISA.Floats {
    ISA.multiply(
      ISA.loadBytes(values + (position &* headStride(headWidth) &+ column)),
      ISA.broadcast(scale.pointee))
  }

  @inlinable @inline(__always)
  public static func store<ISA: VectorISA>(
    _ isa: ISA.Type, _ entry: UnsafePointer<CacheEntry>
  ) {
    let entry = entry.pointee
    let scales = entry.headStride &* 64
    for block in 0..<blocks(entry.headWidth) {
      let i = block &* 32
      let first = min(16, entry.headWidth &- i)
      let second = max(0, min(16, entry.headWidth &- i &- 16))
      let key = quantize(isa, entry.key + i, first, second)
      let column = entry.keys + (i &* 64 &+ entry.position)
      for j in 0..<first { (column + j &* 64).storeBytes(of: key.first[j], as: Int8.self) }
      for j in 0..<second {
        (column + (16 &+ j) &* 64).storeBytes(of: key.second[j], as: Int8.self)
      }
      let scale = scales &+ (block &* 64 &+ entry.position) &* 2
      (entry.keys + scale).storeBytes(of: key.scale, as: UInt16.self)
      let value = quantize(isa, entry.value + i, first, second)
      let row = entry.values + (entry.position &* entry.headStride &+ i)
      row.storeBytes(of: value.first, as: SIMD16<Int8>.self)
      if second > 0 { (row + 16).storeBytes(of: value.second, as: SIMD16<Int8>.self) }
      (entry.values + scale).storeBytes(of: value.scale, as: UInt16.self)
    }
  }

  /// The codes and the scale of up to 32 values; what is missing is 0.
  @inlinable @inline(__always)
  static func quantize<ISA: VectorISA>(
    _ isa: ISA.Type, _ x: UnsafePointer<Float>, _ first: Int, _ second: Int
  ) -> (first: SIMD16<Int8>, second: SIMD16<Int8>, scale: UInt16) {
    let a = ISA.loadFloats(x, count: first)
    let b = ISA.loadFloats(x + 16, count: second)
    let scale = Elementwise<ISA>.blockScale(
      ISA.maximum(ISA.magnitudeBits(a), ISA.magnitudeBits(b)))
    let inverse = ISA.broadcast(scale.inverse)
    return (
      ISA.bytes(Elementwise<ISA>.code(a, inverse)), ISA.bytes(Elementwise<ISA>.code(b, inverse)),
      ISA.halves(ISA.broadcast(scale.scale))[0]
    )
  }
}
