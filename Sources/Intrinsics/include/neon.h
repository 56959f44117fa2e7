// Each vector instruction of arm64 that the kernels use under one short name, as intrinsics.h has those of x86-64; no
// logic. Integers are 32-bit lanes unless a name says bytes or pairs (of 16-bit lanes).
#ifndef MIXTRAL_NEON_H
#define MIXTRAL_NEON_H
#if defined(__aarch64__)

#include <arm_neon.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

#define OP static inline __attribute__((always_inline))

OP void v_prefetch(const void *p) { __builtin_prefetch(p); }

// Bytes are what is loaded and stored: no address needs to be aligned.
OP int8x16_t v128_load_bytes(const void *p) { return vld1q_s8((const int8_t *)p); }
OP int32x4_t v128_load(const void *p) { return vreinterpretq_s32_s8(v128_load_bytes(p)); }
OP void v128_store(void *p, int32x4_t a) { vst1q_s8((int8_t *)p, vreinterpretq_s8_s32(a)); }
OP int32x4_t v128_zero(void) { return vdupq_n_s32(0); }
OP int32x4_t v128_broadcast_from(const void *p) {
  int32_t x;
  __builtin_memcpy(&x, p, 4);
  return vdupq_n_s32(x);
}
OP int32x4_t v128_low_bits(int32x4_t a, uint8_t mask) {
  return vreinterpretq_s32_u8(vandq_u8(vreinterpretq_u8_s32(a), vdupq_n_u8(mask)));
}
// Byte i of each lane.
OP int32x4_t v128_byte(int32x4_t a, int32_t i) {
  return vreinterpretq_s32_u32(vandq_u32(vreinterpretq_u32_s32(a) >> (uint32_t)i * 8, vdupq_n_u32(255)));
}
// Of each byte, below 16, that byte of high:low.
OP int32x4_t v128_lookup_16(uint64_t low, uint64_t high, int32x4_t codes) {
  uint8x16_t table = vcombine_u8(vcreate_u8(low), vcreate_u8(high));
  return vreinterpretq_s32_u8(vqtbl1q_u8(table, vreinterpretq_u8_s32(codes)));
}
OP int32x4_t v128_or(int32x4_t a, int32x4_t b) { return vorrq_s32(a, b); }
OP int32x4_t v128_flip_top_bits(int32x4_t a) {
  return vreinterpretq_s32_u8(veorq_u8(vreinterpretq_u8_s32(a), vdupq_n_u8(0x80)));
}
OP int32x4_t v128_shift_right_16(int32x4_t a, int32_t n) {
  return vreinterpretq_s32_u16(vreinterpretq_u16_s32(a) >> (uint16_t)n);
}
OP int32x4_t v128_shift_left_16(int32x4_t a, int32_t n) {
  return vreinterpretq_s32_u16(vreinterpretq_u16_s32(a) << (uint16_t)n);
}
OP int32x4_t v128_shift_right(int32x4_t a, int32_t n) { return a >> n; }
OP int32x4_t v128_shift_left(int32x4_t a, int32_t n) {
  return vreinterpretq_s32_u32(vreinterpretq_u32_s32(a) << (uint32_t)n);
}
OP int32x4_t v128_widen_unsigned(const void *p) {
  return vreinterpretq_s32_u16(vmovl_u8(vld1_u8((const uint8_t *)p)));
}
OP int32x4_t v128_widen_signed(const void *p) {
  return vreinterpretq_s32_s16(vmovl_s8(vld1_s8((const int8_t *)p)));
}
// The sum of the products of each pair.
OP int32x4_t v128_pair_dot(int32x4_t a, int32x4_t b) {
  int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
  return vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}
// Products of the signed bytes of lanes 0 and 1, and of lanes 2 and 3, added in 16 bits.
OP int16x8_t v128_add_low_products(int16x8_t acc, int32x4_t a, int32x4_t b) {
  return vmlal_s8(acc, vget_low_s8(vreinterpretq_s8_s32(a)), vget_low_s8(vreinterpretq_s8_s32(b)));
}
OP int16x8_t v128_add_high_products(int16x8_t acc, int32x4_t a, int32x4_t b) {
  return vmlal_high_s8(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
}
// The sums of four neighbours.
OP int32x4_t v128_sums_of_four(int16x8_t low, int16x8_t high) {
  return vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high));
}
OP int16x8_t v128_zero_16(void) { return vdupq_n_s16(0); }
#if defined(__ARM_FEATURE_DOTPROD)
// Four signed bytes of each lane times those of one lane of b.
OP int32x4_t v128_dot4(int32x4_t acc, int32x4_t a, int32x4_t b, int32_t lane) {
  return vdotq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(vdupq_n_s32(b[lane])));
}
#endif
#if defined(__ARM_FEATURE_MATMUL_INT8)
// The same with unsigned bytes on the left.
OP int32x4_t v128_mixed_dot4(int32x4_t acc, int32x4_t u, int32x4_t s, int32_t lane) {
  return vusdotq_s32(acc, vreinterpretq_u8_s32(u), vreinterpretq_s8_s32(vdupq_n_s32(s[lane])));
}
#endif
OP int32x4_t v128_add(int32x4_t a, int32x4_t b) { return vaddq_s32(a, b); }
OP int32x4_t v128_subtract(int32x4_t a, int32x4_t b) { return vsubq_s32(a, b); }
OP int32x4_t v128_multiply(int32x4_t a, int32x4_t b) { return vmulq_s32(a, b); }
OP int32x4_t v128_maximum(int32x4_t a, int32x4_t b) { return vmaxq_s32(a, b); }
OP int32_t v128_sum(int32x4_t a) { return vaddvq_s32(a); }
OP int32_t v128_largest(int32x4_t a) { return vmaxvq_s32(a); }
OP int8x16_t v128_bytes(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d) {
  int16x8_t low = vcombine_s16(vmovn_s32(a), vmovn_s32(b)), high = vcombine_s16(vmovn_s32(c), vmovn_s32(d));
  return vcombine_s8(vmovn_s16(low), vmovn_s16(high));
}

OP float32x4_t v128_zero_floats(void) { return vdupq_n_f32(0); }
OP float32x4_t v128_broadcast(float x) { return vdupq_n_f32(x); }
OP float32x4_t v128_load_floats(const void *p) { return vreinterpretq_f32_s8(v128_load_bytes(p)); }
OP float32x4_t v128_load_halves(const void *p) {
  return vcvt_f32_f16(vreinterpret_f16_s8(vld1_s8((const int8_t *)p)));
}
OP float32x4_t v128_load_brains(const void *p) {
  return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_s8(vld1_s8((const int8_t *)p)), 16));
}
// Four signed bytes from byte 0, 4, 8 and 12 on.
OP float32x4_t v128_float_bytes_0(int8x16_t a) {
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vget_low_s8(a)))));
}
OP float32x4_t v128_float_bytes_4(int8x16_t a) {
  return vcvtq_f32_s32(vmovl_high_s16(vmovl_s8(vget_low_s8(a))));
}
OP float32x4_t v128_float_bytes_8(int8x16_t a) {
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_high_s8(a))));
}
OP float32x4_t v128_float_bytes_12(int8x16_t a) {
  return vcvtq_f32_s32(vmovl_high_s16(vmovl_high_s8(a)));
}
OP uint16x8_t v128_halves(float32x4_t low, float32x4_t high) {
  return vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(low), high));
}
OP void v128_store_floats(void *p, float32x4_t a) { vst1q_s8((int8_t *)p, vreinterpretq_s8_f32(a)); }
OP float32x4_t v128_add_floats(float32x4_t a, float32x4_t b) { return vaddq_f32(a, b); }
OP float32x4_t v128_subtract_floats(float32x4_t a, float32x4_t b) { return vsubq_f32(a, b); }
OP float32x4_t v128_multiply_floats(float32x4_t a, float32x4_t b) { return vmulq_f32(a, b); }
OP float32x4_t v128_divide_floats(float32x4_t a, float32x4_t b) { return vdivq_f32(a, b); }
// b where either is NaN, which fmax and fmaxnm have otherwise.
OP float32x4_t v128_maximum_floats(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
OP float32x4_t v128_minimum_floats(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
OP float32x4_t v128_fma(float32x4_t acc, float32x4_t a, float32x4_t b) { return vfmaq_f32(acc, a, b); }
OP float32x4_t v128_fnma(float32x4_t acc, float32x4_t a, float32x4_t b) { return vfmsq_f32(acc, a, b); }
OP float32x4_t v128_float(int32x4_t a) { return vcvtq_f32_s32(a); }
// Nearest, ties to even; the smallest integer for NaN and what is too large, where the instruction has others.
OP int32x4_t v128_round(float32x4_t a) {
  uint32x4_t fits = vcltq_f32(a, vdupq_n_f32(0x1p31f));
  return vbslq_s32(fits, vcvtnq_s32_f32(a), vdupq_n_s32(INT32_MIN));
}
OP int32x4_t v128_magnitude_bits(float32x4_t a) { return vreinterpretq_s32_f32(vabsq_f32(a)); }
OP float32x4_t v128_power_of_two(int32x4_t n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23));
}
OP float32x4_t v128_zero_below(float32x4_t value, float32x4_t x, float32x4_t bound) {
  return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(value), vcltq_f32(x, bound)));
}
// Sum and maximum of four lanes, halves first: the end of the fixed order of a sum over sixteen.
OP float v128_sum_floats(float32x4_t a) { return vpadds_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a))); }
OP float v128_largest_float(float32x4_t a) {
  float32x2_t low = vget_low_f32(a), high = vget_high_f32(a), b = vbsl_f32(vcgt_f32(low, high), low, high);
  return b[0] > b[1] ? b[0] : b[1];
}

OP float64x2_t v128_broadcast_double(double x) { return vdupq_n_f64(x); }
OP float64x2_t v128_load_doubles(const void *p) { return vreinterpretq_f64_s8(v128_load_bytes(p)); }
OP float64x2_t v128_widen_low(float32x4_t a) { return vcvt_f64_f32(vget_low_f32(a)); }
OP float64x2_t v128_widen_high(float32x4_t a) { return vcvt_high_f64_f32(a); }
OP void v128_store_doubles(void *p, float64x2_t a) { vst1q_s8((int8_t *)p, vreinterpretq_s8_f64(a)); }
OP float64x2_t v128_add_doubles(float64x2_t a, float64x2_t b) { return vaddq_f64(a, b); }
OP float64x2_t v128_subtract_doubles(float64x2_t a, float64x2_t b) { return vsubq_f64(a, b); }
OP float64x2_t v128_multiply_doubles(float64x2_t a, float64x2_t b) { return vmulq_f64(a, b); }
OP float64x2_t v128_divide_doubles(float64x2_t a, float64x2_t b) { return vdivq_f64(a, b); }
OP float64x2_t v128_maximum_doubles(float64x2_t a, float64x2_t b) { return vbslq_f64(vcgtq_f64(a, b), a, b); }
OP float64x2_t v128_minimum_doubles(float64x2_t a, float64x2_t b) { return vbslq_f64(vcltq_f64(a, b), a, b); }
OP float64x2_t v128_choose_doubles(float64x2_t a, float64x2_t b, float64x2_t x, float64x2_t bound) {
  return vbslq_f64(vcgeq_f64(x, bound), a, b);
}
OP float64x2_t v128_power_of_two_256(float64x2_t n) {
  int64x2_t e = vaddq_s64(vreinterpretq_s64_f64(n), vdupq_n_s64(1023 + 256));
  return vreinterpretq_f64_s64(vshlq_n_s64(e, 52));
}

#undef OP
#pragma clang assume_nonnull end
#endif
#endif
