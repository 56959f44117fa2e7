// The instruction set that every processor has: plain Swift, one lane after another. It defines the
// bits of every kernel; the other instruction sets are tested to equal it.
import Kernels

/// `VectorISA` and `ProductISA` in plain Swift.
package enum Reference: VectorISA {
  package typealias Integers = SIMD16<Int32>
  package typealias Floats = SIMD16<Float>

  package static func zero() -> Integers { .zero }
  package static func add(_ a: Integers, _ b: Integers) -> Integers { a &+ b }
  package static func maximum(_ a: Integers, _ b: Integers) -> Integers {
    a.replacing(with: b, where: b .> a)
  }
  package static func sum(_ a: Integers) -> Int32 { a.wrappedSum() }
  package static func largest(_ a: Integers) -> Int32 { a.max() }
  package static func bytes(_ a: Integers) -> SIMD16<Int8> { SIMD16(truncatingIfNeeded: a) }

  package static func zeroFloats() -> Floats { .zero }
  package static func broadcast(_ x: Float) -> Floats { Floats(repeating: x) }
  package static func loadFloats(_ p: UnsafeRawPointer) -> Floats {
    p.loadUnaligned(as: Floats.self)
  }
  package static func loadHalves(_ p: UnsafeRawPointer) -> Floats {
    var result = Floats.zero
    for lane in 0..<16 {
      let bits = p.loadUnaligned(fromByteOffset: lane &* 2, as: UInt16.self)
      result[lane] = Float(Float16(bitPattern: bits))
    }
    return result
  }
  package static func loadFloats(_ p: UnsafeRawPointer, count: Int) -> Floats {
    var result = Floats.zero
    for lane in 0..<count {
      result[lane] = p.loadUnaligned(fromByteOffset: lane &* 4, as: Float.self)
    }
    return result
  }
  package static func loadBytes(_ p: UnsafeRawPointer) -> Floats {
    Floats(p.loadUnaligned(as: SIMD16<Int8>.self))
  }
  package static func halves(_ a: Floats) -> SIMD16<UInt16> {
    var result = SIMD16<UInt16>.zero
    for lane in 0..<16 { result[lane] = Float16(a[lane]).bitPattern }
    return result
  }
  package static func storeFloats(_ p: UnsafeMutableRawPointer, _ a: Floats) {
    p.storeBytes(of: a, as: Floats.self)
  }
  package static func add(_ a: Floats, _ b: Floats) -> Floats { a + b }
  package static func subtract(_ a: Floats, _ b: Floats) -> Floats { a - b }
  package static func multiply(_ a: Floats, _ b: Floats) -> Floats { a * b }
  package static func divide(_ a: Floats, _ b: Floats) -> Floats { a / b }
  package static func maximum(_ a: Floats, _ b: Floats) -> Floats {
    b.replacing(with: a, where: a .> b)
  }
  package static func minimum(_ a: Floats, _ b: Floats) -> Floats {
    b.replacing(with: a, where: a .< b)
  }
  package static func fma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    sum.addingProduct(a, b)
  }
  package static func fnma(_ sum: Floats, _ a: Floats, _ b: Floats) -> Floats {
    sum.addingProduct(-a, b)
  }
  package static func float(_ a: Integers) -> Floats { Floats(a) }
  package static func round(_ a: Floats) -> Integers {
    var result = Integers.zero
    for lane in 0..<16 {
      result[lane] = Int32(exactly: a[lane].rounded(.toNearestOrEven)) ?? Int32.min
    }
    return result
  }
  package static func magnitudeBits(_ a: Floats) -> Integers {
    unsafeBitCast(a, to: Integers.self) & Integers(repeating: 0x7fff_ffff)
  }
  package static func powerOfTwo(_ n: Integers) -> Floats {
    unsafeBitCast((n &+ Integers(repeating: 127)) &<< Integers(repeating: 23), to: Floats.self)
  }
  package static func zeroBelow(_ value: Floats, _ x: Floats, _ bound: Floats) -> Floats {
    value.replacing(with: 0, where: x .< bound)
  }
  package static func sum(_ a: Floats) -> Float {
    let eight = a.lowHalf + a.highHalf
    let four = eight.lowHalf + eight.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
  }
  package static func largest(_ a: Floats) -> Float {
    let eight = larger(a.lowHalf, a.highHalf)
    let four = larger(eight.lowHalf, eight.highHalf)
    let two = larger(four.lowHalf, four.highHalf)
    return two[0] > two[1] ? two[0] : two[1]
  }
  private static func larger<Vector: SIMD<Float>>(_ a: Vector, _ b: Vector) -> Vector {
    b.replacing(with: a, where: a .> b)
  }
}

extension Reference: ProductISA {
  package static var lanes: Int { 16 }
  @inlinable @inline(__always) package static var bundledRows: Int { 1 }
  @inlinable @inline(__always) package static var spreadRows: Int { Int.max }
  @inlinable @inline(__always) package static var wideTiles: Bool { false }
  @inlinable @inline(__always) package static var rows8: Bool { false }
  @inlinable @inline(__always) package static var rows4: Bool { false }
  @inlinable @inline(__always) package static var rows2: Bool { false }

  static func codes(_ a: Integers) -> SIMD64<UInt8> { unsafeBitCast(a, to: SIMD64<UInt8>.self) }
  static func words(_ a: Integers) -> SIMD32<UInt16> { unsafeBitCast(a, to: SIMD32<UInt16>.self) }
  static func lanes(_ a: SIMD64<UInt8>) -> Integers { unsafeBitCast(a, to: Integers.self) }
  static func lanes(_ a: SIMD32<UInt16>) -> Integers { unsafeBitCast(a, to: Integers.self) }

  package static func load(_ p: UnsafeRawPointer) -> Integers {
    p.loadUnaligned(as: Integers.self)
  }
  package static func store(_ p: UnsafeMutableRawPointer, _ a: Integers) {
    p.storeBytes(of: a, as: Integers.self)
  }
  package static func prefetch(_ p: UnsafeRawPointer) {}
  package static func broadcast(from p: UnsafeRawPointer) -> Integers {
    Integers(repeating: p.loadUnaligned(as: Int32.self))
  }
  package static func lowBits(_ a: Integers, _ mask: UInt8) -> Integers {
    lanes(codes(a) & SIMD64(repeating: mask))
  }
  package static func byte(_ a: Integers, _ i: Int) -> Integers {
    a &>> Integers(repeating: Int32(truncatingIfNeeded: i * 8)) & Integers(repeating: 255)
  }
  package static func lookup16(
    _ table: (low: UInt64, high: UInt64), _ codes: Integers
  ) -> Integers {
    let bytes = unsafeBitCast(SIMD2(table.low, table.high), to: SIMD16<UInt8>.self)
    var result = Reference.codes(codes)
    for i in 0..<64 { result[i] = bytes[Int(result[i] & 15)] }
    return lanes(result)
  }
  package static func or(_ a: Integers, _ b: Integers) -> Integers { a | b }
  package static func shiftRight16(_ a: Integers, _ count: Int32) -> Integers {
    lanes(words(a) &>> SIMD32(repeating: UInt16(truncatingIfNeeded: count)))
  }
  package static func shiftLeft16(_ a: Integers, _ count: Int32) -> Integers {
    lanes(words(a) &<< SIMD32(repeating: UInt16(truncatingIfNeeded: count)))
  }
  package static func shiftRight(_ a: Integers, _ count: Int32) -> Integers {
    a &>> Integers(repeating: count)
  }
  package static func shiftLeft(_ a: Integers, _ count: Int32) -> Integers {
    a &<< Integers(repeating: count)
  }

  @inline(__always)
  package static func dot4(
    _ sum: Integers, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Integers { dot4(sum, codes, activations + place * 4) }
  private static func dot4(
    _ sum: Integers, _ codes: Integers, _ activations: UnsafeRawPointer
  ) -> Integers {
    let unsigned = Reference.codes(codes)
    var result = sum
    for lane in 0..<16 {
      for i in 0..<4 {
        let activation = activations.load(fromByteOffset: i, as: Int8.self)
        result[lane] &+= Int32(unsigned[lane &* 4 &+ i]) &* Int32(activation)
      }
    }
    return result
  }
  package static func pairDot(
    _ sum: Integers, _ pairs: Integers, _ activations: UnsafeRawPointer
  ) -> Integers {
    let first = activations.loadUnaligned(as: Int16.self)
    let second = activations.loadUnaligned(fromByteOffset: 2, as: Int16.self)
    return sum &+ firstScale(pairs) &* Int32(first) &+ secondScale(pairs) &* Int32(second)
  }
  package static func pairs(unsigned p: UnsafeRawPointer) -> Integers {
    lanes(SIMD32<UInt16>(truncatingIfNeeded: p.loadUnaligned(as: SIMD32<UInt8>.self)))
  }
  package static func pairs(signed p: UnsafeRawPointer) -> Integers {
    let wide = SIMD32<Int16>(truncatingIfNeeded: p.loadUnaligned(as: SIMD32<Int8>.self))
    return unsafeBitCast(wide, to: Integers.self)
  }
  package static func subtract(_ a: Integers, _ b: Integers) -> Integers { a &- b }

  package static func noPartial() -> Integers { .zero }
  package static func capacity(bits: Int) -> Int { 8 }
  package static func firstScale(_ pairs: Integers) -> Integers {
    shiftRight(shiftLeft(pairs, 16), 16)
  }
  package static func secondScale(_ pairs: Integers) -> Integers { shiftRight(pairs, 16) }
  package static func addScaled(
    _ sum: Integers, _ partial: Integers, _ scale: Integers
  ) -> Integers { sum &+ partial &* scale }
  package static func addPartial(_ sum: Integers, _ partial: Integers) -> Integers {
    sum &+ partial
  }
  @inline(__always) package static var keeps128: Bool { true }
  @inline(__always) package static var capacity128: Int { 8 }
  @inline(__always)
  package static func dot4Minus128(
    _ sum: Integers, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Integers { dot4(sum, codes, activations, place) }

  package static func loadBrains(_ p: UnsafeRawPointer) -> Floats {
    let bits = SIMD16<UInt32>(truncatingIfNeeded: p.loadUnaligned(as: SIMD16<UInt16>.self))
    return unsafeBitCast(bits &<< SIMD16(repeating: 16), to: Floats.self)
  }
  package static func noOutputs() -> Floats { .zero }
  package static func output(_ outputs: Floats, _ part: Int) -> Floats { outputs }
  package static func setOutput(_ outputs: inout Floats, _ part: Int, _ value: Floats) {
    outputs = value
  }
}
