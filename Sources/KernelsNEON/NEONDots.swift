// Products of codes in plain NEON, which has no dot product of bytes: smlal adds products of eight
// bytes to 16-bit sums, as many as cannot overflow; then four neighbours make a lane.
import Intrinsics
import Kernels

/// `ProductISA` in NEON; a partial is four Int16 a lane: of lanes 0, 1 and 2, 3 of each register.
enum NEONDots: Lanes128 {
  typealias Partial = Halved<Halved<int16x8_t>>

  @inline(__always) static var rows4: Bool { false }

  @inline(__always) static func noPartial() -> Partial {
    let none = Halved(v128_zero_16(), v128_zero_16())
    return Halved(none, none)
  }

  /// A product of a code and an activation is at most (2^bits - 1) 127.
  @inline(__always) static func capacity(bits: Int) -> Int {
    switch bits {
    case ...5: 8  // 31 x 127 x 8 = 31496
    case 6: 4  // 63 x 127 x 4 = 32004
    default: 2  // 127 x 127 x 2 = 32258
    }
  }

  @inline(__always) static func dot4(
    _ partial: Partial, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Partial {
    let x = v128_broadcast_from(activations + place * 4)
    return partial.with(codes) {
      Halved(v128_add_low_products($0.low, $1, x), v128_add_high_products($0.high, $1, x))
    }
  }
  @inline(__always) static func addScaled(
    _ sum: Integers, _ partial: Partial, _ scale: Integers
  ) -> Integers {
    sum.with(partial, scale) {
      v128_add($0, v128_multiply(v128_sums_of_four($1.low, $1.high), $2))
    }
  }
  @inline(__always) static func addPartial(_ sum: Integers, _ partial: Partial) -> Integers {
    sum.with(partial) { v128_add($0, v128_sums_of_four($1.low, $1.high)) }
  }

  /// Code - 128 is a signed byte: 128 x 127 x 2 = 32512.
  @inline(__always) static func dot4Minus128(
    _ partial: Partial, _ codes: Integers, _ activations: UnsafeRawPointer, _ place: Int
  ) -> Partial { dot4(partial, codes.map { v128_flip_top_bits($0) }, activations, place) }
  @inline(__always) static var keeps128: Bool { false }
  @inline(__always) static var capacity128: Int { 2 }
}
