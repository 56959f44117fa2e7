// Products of codes in AVX-VNNI: vpdpbusd on 256 bits, of processors without AVX-512.
import Intrinsics
import Kernels

/// `ProductISA` in AVX-VNNI; a partial is a sum of 32 bits.
enum AVXVNNIDots: Lanes256 {
  @inline(__always) static var rows8: Bool { false }
  @inline(__always) static var rows4: Bool { true }
  @inline(__always) static var rows2: Bool { true }

  @inline(__always) static func capacity(bits: Int) -> Int { 8 }
  @inline(__always) static func dot4(
    _ partial: __m256i, _ codes: __m256i, _ activations: UnsafeRawPointer, _ place: Int
  ) -> __m256i { v256_dot4(partial, codes, v256_broadcast_from(activations + place * 4)) }
  @inline(__always) static func firstScale(_ pairs: __m256i) -> __m256i {
    v256_shift_right(v256_shift_left(pairs, 16), 16)
  }
  @inline(__always) static func secondScale(_ pairs: __m256i) -> __m256i {
    v256_shift_right(pairs, 16)
  }
  @inline(__always) static func addScaled(
    _ sum: __m256i, _ partial: __m256i, _ scale: __m256i
  ) -> __m256i { v256_add(sum, v256_multiply(partial, scale)) }

  @inline(__always) static func addPartial(_ sum: __m256i, _ partial: __m256i) -> __m256i {
    v256_add(sum, partial)
  }

  @inline(__always) static func pairDot(
    _ sum: __m256i, _ pairs: __m256i, _ activations: UnsafeRawPointer
  ) -> __m256i { v256_add_pair_dot(sum, pairs, v256_broadcast_from(activations)) }

  @inline(__always) static var keeps128: Bool { true }
  @inline(__always) static var capacity128: Int { 8 }
  @inline(__always) static func dot4Minus128(
    _ sum: __m256i, _ codes: __m256i, _ activations: UnsafeRawPointer, _ place: Int
  ) -> __m256i { v256_dot4(sum, codes, v256_broadcast_from(activations + place * 4)) }
}
