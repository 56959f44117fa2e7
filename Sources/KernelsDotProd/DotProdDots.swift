// Products of codes by the dot product of signed bytes: sdot, of Armv8.2 and later.
import Intrinsics
import Kernels

/// `ProductISA` by sdot; a partial is a sum of 32 bits.
enum DotProdDots: Lanes128 {
  typealias Partial = Integers

  @inline(__always) static var rows4: Bool { true }

  @inline(__always) static func noPartial() -> Integers { zero() }
  @inline(__always) static func capacity(bits: Int) -> Int { 8 }
  /// Codes below 128 are signed bytes too.
  @inline(__always) static func dot4(
    _ partial: Integers, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Integers {
    // The instruction takes its four from any place of a register.
    let x = v128_load(activations + (place >> 2) * 16)
    let lane = Int32(truncatingIfNeeded: place & 3)
    return partial.with(codes) { v128_dot4($0, $1, x, lane) }
  }
  @inline(__always) static func addScaled(
    _ sum: Integers, _ partial: Integers, _ scale: Integers
  ) -> Integers { sum.with(partial, scale) { v128_add($0, v128_multiply($1, $2)) } }
  @inline(__always) static func addPartial(_ sum: Integers, _ partial: Integers) -> Integers {
    add(sum, partial)
  }

  /// Code - 128 is a signed byte.
  @inline(__always) static func dot4Minus128(
    _ partial: Integers, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Integers { dot4(partial, codes.map { v128_flip_top_bits($0) }, activations, place) }
  @inline(__always) static var keeps128: Bool { false }
  @inline(__always) static var capacity128: Int { 8 }
}
