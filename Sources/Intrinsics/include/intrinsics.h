// Each vector instruction of x86-64 that the kernels use under one short name; no logic. v512_ and v256_ exist
// only in modules built for that instruction set, v_ everywhere. Integers are 32-bit lanes unless a
// name says bytes or pairs (of 16-bit lanes).
#ifndef MIXTRAL_INTRINSICS_H
#define MIXTRAL_INTRINSICS_H
#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

#define OP static inline __attribute__((always_inline))

OP void v_prefetch(const void *p) { __builtin_prefetch(p); }

#if defined(__AVX512VNNI__)
OP __m512i v512_load(const void *p) { return _mm512_loadu_si512(p); }
OP void v512_store(void *p, __m512i a) { _mm512_storeu_si512(p, a); }
OP __m512i v512_zero(void) { return _mm512_setzero_si512(); }
OP __m512i v512_broadcast_from(const void *p) {
  int32_t x;
  __builtin_memcpy(&x, p, 4);
  return _mm512_set1_epi32(x);
}
OP __m512i v512_low_bits(__m512i a, uint8_t mask) { return _mm512_and_si512(a, _mm512_set1_epi8((char)mask)); }
// Byte i of each lane.
OP __m512i v512_byte(__m512i a, int32_t i) {
  return _mm512_and_si512(_mm512_srli_epi32(a, (unsigned)i * 8), _mm512_set1_epi32(255));
}
// Of each byte, below 16, that byte of high:low.
OP __m512i v512_lookup_16(uint64_t low, uint64_t high, __m512i codes) {
  return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_set_epi64x((int64_t)high, (int64_t)low)), codes);
}
OP __m512i v512_or(__m512i a, __m512i b) { return _mm512_or_si512(a, b); }
OP __m512i v512_shift_right_16(__m512i a, int32_t n) { return _mm512_srli_epi16(a, (unsigned)n); }
OP __m512i v512_shift_left_16(__m512i a, int32_t n) { return _mm512_slli_epi16(a, (unsigned)n); }
OP __m512i v512_shift_right(__m512i a, int32_t n) { return _mm512_srai_epi32(a, (unsigned)n); }
OP __m512i v512_shift_left(__m512i a, int32_t n) { return _mm512_slli_epi32(a, (unsigned)n); }
OP __m512i v512_dot4(__m512i acc, __m512i u, __m512i s) { return _mm512_dpbusd_epi32(acc, u, s); }
OP __m512i v512_pair_dot(__m512i acc, __m512i a, __m512i b) { return _mm512_dpwssd_epi32(acc, a, b); }
OP __m512i v512_widen_unsigned(const void *p) {
  return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)p));
}
OP __m512i v512_widen_signed(const void *p) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)p));
}
OP __m512i v512_add(__m512i a, __m512i b) { return _mm512_add_epi32(a, b); }
OP __m512i v512_subtract(__m512i a, __m512i b) { return _mm512_sub_epi32(a, b); }
OP __m512i v512_multiply(__m512i a, __m512i b) { return _mm512_mullo_epi32(a, b); }
OP __m512i v512_maximum(__m512i a, __m512i b) { return _mm512_max_epi32(a, b); }
OP int32_t v512_sum(__m512i a) { return _mm512_reduce_add_epi32(a); }
OP int32_t v512_largest(__m512i a) { return _mm512_reduce_max_epi32(a); }
OP __m128i v512_bytes(__m512i a) { return _mm512_cvtepi32_epi8(a); }

OP __m512 v512_zero_floats(void) { return _mm512_setzero_ps(); }
OP __m512 v512_broadcast(float x) { return _mm512_set1_ps(x); }
OP __m512 v512_load_floats(const void *p) { return _mm512_loadu_ps(p); }
OP __m512 v512_load_halves(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
OP __m512 v512_load_brains(const void *p) {
  __m512i a = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(a, 16));
}
OP __m512 v512_load_some_floats(const void *p, uint32_t count) {
  return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}
OP __m512 v512_load_bytes(const void *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
OP __m256i v512_halves(__m512 a) { return _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT); }
OP void v512_store_floats(void *p, __m512 a) { _mm512_storeu_ps(p, a); }
OP __m512 v512_add_floats(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
OP __m512 v512_subtract_floats(__m512 a, __m512 b) { return _mm512_sub_ps(a, b); }
OP __m512 v512_multiply_floats(__m512 a, __m512 b) { return _mm512_mul_ps(a, b); }
OP __m512 v512_divide_floats(__m512 a, __m512 b) { return _mm512_div_ps(a, b); }
OP __m512 v512_maximum_floats(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
OP __m512 v512_minimum_floats(__m512 a, __m512 b) { return _mm512_min_ps(a, b); }
OP __m512 v512_fma(__m512 acc, __m512 a, __m512 b) { return _mm512_fmadd_ps(a, b, acc); }
OP __m512 v512_fnma(__m512 acc, __m512 a, __m512 b) { return _mm512_fnmadd_ps(a, b, acc); }
OP __m512 v512_float(__m512i a) { return _mm512_cvtepi32_ps(a); }
OP __m512i v512_round(__m512 a) { return _mm512_cvtps_epi32(a); }
OP __m512i v512_magnitude_bits(__m512 a) {
  return _mm512_and_si512(_mm512_castps_si512(a), _mm512_set1_epi32(0x7fffffff));
}
OP __m512 v512_power_of_two(__m512i n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(n, _mm512_set1_epi32(127)), 23));
}
OP __m512 v512_zero_below(__m512 value, __m512 x, __m512 bound) {
  return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, bound, _CMP_NLT_UQ), value);
}

OP __m512d v512_broadcast_double(double x) { return _mm512_set1_pd(x); }
OP __m512d v512_load_doubles(const void *p) { return _mm512_loadu_pd(p); }
OP __m512d v512_load_widened(const void *p) { return _mm512_cvtps_pd(_mm256_loadu_ps((const float *)p)); }
OP __m512d v512_widen_low(__m512 a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
OP __m512d v512_widen_high(__m512 a) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)); }
OP void v512_store_doubles(void *p, __m512d a) { _mm512_storeu_pd(p, a); }
OP __m512d v512_add_doubles(__m512d a, __m512d b) { return _mm512_add_pd(a, b); }
OP __m512d v512_subtract_doubles(__m512d a, __m512d b) { return _mm512_sub_pd(a, b); }
OP __m512d v512_multiply_doubles(__m512d a, __m512d b) { return _mm512_mul_pd(a, b); }
OP __m512d v512_divide_doubles(__m512d a, __m512d b) { return _mm512_div_pd(a, b); }
OP __m512d v512_maximum_doubles(__m512d a, __m512d b) { return _mm512_max_pd(a, b); }
OP __m512d v512_minimum_doubles(__m512d a, __m512d b) { return _mm512_min_pd(a, b); }
OP __m512d v512_choose_doubles(__m512d a, __m512d b, __m512d x, __m512d bound) {
  return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(x, bound, _CMP_GE_OQ), b, a);
}
OP __m512d v512_power_of_two_256(__m512d n) {
  __m512i e = _mm512_add_epi64(_mm512_castpd_si512(n), _mm512_set1_epi64(1023 + 256));
  return _mm512_castsi512_pd(_mm512_slli_epi64(e, 52));
}
#endif

#if defined(__AVX2__)
OP __m256i v256_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
OP void v256_store(void *p, __m256i a) { _mm256_storeu_si256((__m256i *)p, a); }
OP __m256i v256_zero(void) { return _mm256_setzero_si256(); }
OP __m256i v256_broadcast_from(const void *p) {
  int32_t x;
  __builtin_memcpy(&x, p, 4);
  return _mm256_set1_epi32(x);
}
OP __m256i v256_low_bits(__m256i a, uint8_t mask) { return _mm256_and_si256(a, _mm256_set1_epi8((char)mask)); }
OP __m256i v256_byte(__m256i a, int32_t i) {
  return _mm256_and_si256(_mm256_srli_epi32(a, i * 8), _mm256_set1_epi32(255));
}
OP __m256i v256_lookup_16(uint64_t low, uint64_t high, __m256i codes) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(_mm_set_epi64x((int64_t)high, (int64_t)low)), codes);
}
OP __m256i v256_or(__m256i a, __m256i b) { return _mm256_or_si256(a, b); }
OP __m256i v256_shift_right_16(__m256i a, int32_t n) { return _mm256_srli_epi16(a, n); }
OP __m256i v256_shift_left_16(__m256i a, int32_t n) { return _mm256_slli_epi16(a, n); }
OP __m256i v256_shift_right(__m256i a, int32_t n) { return _mm256_srai_epi32(a, n); }
OP __m256i v256_shift_left(__m256i a, int32_t n) { return _mm256_slli_epi32(a, n); }
// Unsigned times signed bytes, neighbours added; saturates at 16 bits.
OP __m256i v256_multiply_bytes(__m256i u, __m256i s) { return _mm256_maddubs_epi16(u, s); }
OP __m256i v256_add_16(__m256i a, __m256i b) { return _mm256_add_epi16(a, b); }
OP __m256i v256_pair_dot(__m256i a, __m256i b) { return _mm256_madd_epi16(a, b); }
OP __m256i v256_ones_16(void) { return _mm256_set1_epi16(1); }
OP __m256i v256_low_half_words(__m256i a) { return _mm256_and_si256(a, _mm256_set1_epi32(0xffff)); }
OP __m256i v256_high_half_words(__m256i a) { return _mm256_and_si256(a, _mm256_set1_epi32((int32_t)0xffff0000)); }
OP __m256i v256_shift_right_32(__m256i a, int32_t n) { return _mm256_srli_epi32(a, n); }
OP __m256i v256_flip_top_bits(__m256i a) { return _mm256_xor_si256(a, _mm256_set1_epi8((char)0x80)); }
OP __m256i v256_magnitudes(__m256i bytes) { return _mm256_abs_epi8(bytes); }
OP __m256i v256_with_sign(__m256i bytes, __m256i sign) { return _mm256_sign_epi8(bytes, sign); }
#if defined(__AVXVNNI__)
OP __m256i v256_dot4(__m256i acc, __m256i u, __m256i s) { return _mm256_dpbusd_avx_epi32(acc, u, s); }
OP __m256i v256_add_pair_dot(__m256i acc, __m256i a, __m256i b) { return _mm256_dpwssd_avx_epi32(acc, a, b); }
#endif
OP __m256i v256_widen_unsigned(const void *p) {
  return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)p));
}
OP __m256i v256_widen_signed(const void *p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p));
}
OP __m256i v256_add(__m256i a, __m256i b) { return _mm256_add_epi32(a, b); }
OP __m256i v256_subtract(__m256i a, __m256i b) { return _mm256_sub_epi32(a, b); }
OP __m256i v256_multiply(__m256i a, __m256i b) { return _mm256_mullo_epi32(a, b); }
OP __m256i v256_maximum(__m256i a, __m256i b) { return _mm256_max_epi32(a, b); }
OP int32_t v256_sum(__m256i a) {
  __m128i b = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  b = _mm_add_epi32(b, _mm_shuffle_epi32(b, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
}
OP int32_t v256_largest(__m256i a) {
  __m128i b = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  b = _mm_max_epi32(b, _mm_shuffle_epi32(b, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
}
OP __m128i v256_bytes(__m256i low, __m256i high) {
  __m128i a = _mm_packs_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
  __m128i b = _mm_packs_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
  return _mm_packs_epi16(a, b);
}

OP __m256 v256_zero_floats(void) { return _mm256_setzero_ps(); }
OP __m256 v256_broadcast(float x) { return _mm256_set1_ps(x); }
OP __m256 v256_load_floats(const void *p) { return _mm256_loadu_ps((const float *)p); }
OP __m256 v256_load_halves(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
OP __m256 v256_load_brains(const void *p) {
  __m256i a = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(a, 16));
}
// No value for a count below 1, all eight for 8 and more.
OP __m256 v256_load_some_floats(const void *p, int32_t count) {
  __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_maskload_ps((const float *)p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes));
}
OP __m256 v256_load_bytes(const void *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
OP __m128i v256_halves(__m256 a) { return _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT); }
OP void v256_store_floats(void *p, __m256 a) { _mm256_storeu_ps((float *)p, a); }
OP __m256 v256_add_floats(__m256 a, __m256 b) { return _mm256_add_ps(a, b); }
OP __m256 v256_subtract_floats(__m256 a, __m256 b) { return _mm256_sub_ps(a, b); }
OP __m256 v256_multiply_floats(__m256 a, __m256 b) { return _mm256_mul_ps(a, b); }
OP __m256 v256_divide_floats(__m256 a, __m256 b) { return _mm256_div_ps(a, b); }
OP __m256 v256_maximum_floats(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }
OP __m256 v256_minimum_floats(__m256 a, __m256 b) { return _mm256_min_ps(a, b); }
OP __m256 v256_fma(__m256 acc, __m256 a, __m256 b) { return _mm256_fmadd_ps(a, b, acc); }
OP __m256 v256_fnma(__m256 acc, __m256 a, __m256 b) { return _mm256_fnmadd_ps(a, b, acc); }
OP __m256 v256_float(__m256i a) { return _mm256_cvtepi32_ps(a); }
OP __m256i v256_round(__m256 a) { return _mm256_cvtps_epi32(a); }
OP __m256i v256_magnitude_bits(__m256 a) {
  return _mm256_and_si256(_mm256_castps_si256(a), _mm256_set1_epi32(0x7fffffff));
}
OP __m256 v256_power_of_two(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}
OP __m256 v256_zero_below(__m256 value, __m256 x, __m256 bound) {
  return _mm256_and_ps(value, _mm256_cmp_ps(x, bound, _CMP_NLT_UQ));
}

OP __m256d v256_broadcast_double(double x) { return _mm256_set1_pd(x); }
OP __m256d v256_load_doubles(const void *p) { return _mm256_loadu_pd((const double *)p); }
OP __m256d v256_load_widened(const void *p) { return _mm256_cvtps_pd(_mm_loadu_ps((const float *)p)); }
OP __m256d v256_widen_low(__m256 a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
OP __m256d v256_widen_high(__m256 a) { return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)); }
OP void v256_store_doubles(void *p, __m256d a) { _mm256_storeu_pd((double *)p, a); }
OP __m256d v256_add_doubles(__m256d a, __m256d b) { return _mm256_add_pd(a, b); }
OP __m256d v256_subtract_doubles(__m256d a, __m256d b) { return _mm256_sub_pd(a, b); }
OP __m256d v256_multiply_doubles(__m256d a, __m256d b) { return _mm256_mul_pd(a, b); }
OP __m256d v256_divide_doubles(__m256d a, __m256d b) { return _mm256_div_pd(a, b); }
OP __m256d v256_maximum_doubles(__m256d a, __m256d b) { return _mm256_max_pd(a, b); }
OP __m256d v256_minimum_doubles(__m256d a, __m256d b) { return _mm256_min_pd(a, b); }
OP __m256d v256_choose_doubles(__m256d a, __m256d b, __m256d x, __m256d bound) {
  return _mm256_blendv_pd(b, a, _mm256_cmp_pd(x, bound, _CMP_GE_OQ));
}
OP __m256d v256_power_of_two_256(__m256d n) {
  __m256i e = _mm256_add_epi64(_mm256_castpd_si256(n), _mm256_set1_epi64x(1023 + 256));
  return _mm256_castsi256_pd(_mm256_slli_epi64(e, 52));
}
#endif

// Sum and maximum of eight lanes, halves first: the end of the fixed order of a sum over sixteen.
#if defined(__AVX2__)
OP float v256_sum_floats(__m256 a) {
  __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  b = _mm_add_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
}
OP float v256_largest_float(__m256 a) {
  __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  b = _mm_max_ps(b, _mm_movehl_ps(b, b));
  return _mm_cvtss_f32(_mm_max_ss(b, _mm_shuffle_ps(b, b, 1)));
}
#endif
#if defined(__AVX512VNNI__)
OP __m256 v512_low_half(__m512 a) { return _mm512_castps512_ps256(a); }
OP __m256 v512_high_half(__m512 a) { return _mm512_extractf32x8_ps(a, 1); }
#endif

#undef OP
#pragma clang assume_nonnull end
#endif
#endif
