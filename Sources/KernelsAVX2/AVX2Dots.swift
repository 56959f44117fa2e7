// Products of codes in AVX2, which has no dot product of bytes with a sum of 32 bits: vpmaddubsw
// adds two products in 16 bits, and one register of 16-bit sums takes as many of these as cannot
// overflow. Their scale is then one vpmaddwd for all, which also widens.
import Intrinsics
import Kernels

/// `ProductISA` in AVX2; a partial is two Int16 a lane, a scale two equal ones.
enum AVX2Dots: Lanes256 {
  @inline(__always) static var rows8: Bool { false }
  @inline(__always) static var rows4: Bool { true }
  @inline(__always) static var rows2: Bool { true }

  /// A product of codes and activations is at most (2^bits - 1) 127, two of them go into one Int16.
  @inline(__always) static func capacity(bits: Int) -> Int {
    switch bits {
    case ...4: 8  // 2 x 15 x 127 x 8 = 30480
    case 5: 4  // 2 x 31 x 127 x 4 = 31496
    case 6: 2  // 2 x 63 x 127 x 2 = 32004
    default: 1
    }
  }

  @inline(__always) static func dot4(
    _ partial: __m256i, _ codes: __m256i, _ activations: UnsafeRawPointer, _ place: Int
  ) -> __m256i {
    v256_add_16(partial, v256_multiply_bytes(codes, v256_broadcast_from(activations + place * 4)))
  }
  @inline(__always) static func firstScale(_ pairs: __m256i) -> __m256i {
    v256_or(v256_shift_left(pairs, 16), v256_low_half_words(pairs))
  }
  @inline(__always) static func secondScale(_ pairs: __m256i) -> __m256i {
    v256_or(v256_shift_right_32(pairs, 16), v256_high_half_words(pairs))
  }
  @inline(__always) static func addScaled(
    _ sum: __m256i, _ partial: __m256i, _ scale: __m256i
  ) -> __m256i { v256_add(sum, v256_pair_dot(partial, scale)) }
  @inline(__always) static func addPartial(_ sum: __m256i, _ partial: __m256i) -> __m256i {
    v256_add(sum, v256_pair_dot(partial, v256_ones_16()))
  }

  @inline(__always) static func pairDot(
    _ sum: __m256i, _ pairs: __m256i, _ activations: UnsafeRawPointer
  ) -> __m256i { v256_add(sum, v256_pair_dot(pairs, v256_broadcast_from(activations))) }

  /// |code - 128| times the activation with the sign of code - 128: 2 x 128 x 127 fits 16 bits.
  @inline(__always) static func dot4Minus128(
    _ partial: __m256i, _ codes: __m256i, _ activations: UnsafeRawPointer, _ place: Int
  ) -> __m256i {
    let signed = v256_flip_top_bits(codes)
    let x = v256_with_sign(v256_broadcast_from(activations + place * 4), signed)
    return v256_add_16(partial, v256_multiply_bytes(v256_magnitudes(signed), x))
  }
  @inline(__always) static var keeps128: Bool { false }
  @inline(__always) static var capacity128: Int { 1 }
}
