// Products of codes by usdot, of unsigned and signed bytes: Armv8.6 and later, and with I8MM.
import Intrinsics
import Kernels

/// `ProductISA` by usdot; a partial is a sum of 32 bits.
enum I8MMDots: Lanes128 {
  typealias Partial = Integers

  @inline(__always) static var rows4: Bool { true }

  @inline(__always) static func noPartial() -> Integers { zero() }
  @inline(__always) static func capacity(bits: Int) -> Int { 8 }
  @inline(__always) static func dot4(
    _ partial: Integers, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Integers {
    // The instruction takes its four from any place of a register.
    let x = v128_load(activations + (place >> 2) * 16)
    let lane = Int32(truncatingIfNeeded: place & 3)
    return partial.with(codes) { v128_mixed_dot4($0, $1, x, lane) }
  }
  @inline(__always) static func addScaled(
    _ sum: Integers, _ partial: Integers, _ scale: Integers
  ) -> Integers { sum.with(partial, scale) { v128_add($0, v128_multiply($1, $2)) } }
  @inline(__always) static func addPartial(_ sum: Integers, _ partial: Integers) -> Integers {
    add(sum, partial)
  }

  @inline(__always) static func dot4Minus128(
    _ partial: Integers, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Integers { dot4(partial, codes, activations, place) }
  @inline(__always) static var keeps128: Bool { true }
  @inline(__always) static var capacity128: Int { 8 }
}
