// What is written for x86-64 alone: the features of the processor, the state of floating-point arithmetic and
// the hint of a spin loop. arm64.c has the same for the other processor.
#if defined(__x86_64__)
#include "platform.h"

#include <cpuid.h>
#include <immintrin.h>

void platform_pause(void) { _mm_pause(); }

uint64_t platform_float_state(void) { return _mm_getcsr(); }
void platform_set_float_state(uint64_t state) { _mm_setcsr((uint32_t)state); }

// CPUID says what the processor has, XCR0 which registers the system saves on a context switch.
static uint64_t saved_registers(void) {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return ((uint64_t)high << 32) | low;
}

int32_t platform_has_avx2(void) {
  uint32_t a, b, c, d;
  if ((saved_registers() & 0x6) != 0x6) return 0;
  __get_cpuid(1, &a, &b, &c, &d);
  if (!(c & bit_FMA) || !(c & bit_F16C) || !(c & bit_MOVBE)) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  uint32_t needed = bit_AVX2 | bit_BMI | bit_BMI2;
  if ((b & needed) != needed) return 0;
  return __get_cpuid(0x80000001, &a, &b, &c, &d) && (c & bit_LZCNT) != 0;
}

int32_t platform_has_avxvnni(void) {
  uint32_t a, b, c, d;
  return platform_has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & (1u << 4)) != 0;
}

int32_t platform_has_avx512(void) {
  uint32_t a, b, c, d;
  if (!platform_has_avx2() || (saved_registers() & 0xe6) != 0xe6) return 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
  uint32_t needed = bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL;
  return (b & needed) == needed && (c & bit_AVX512VNNI) != 0;
}
#endif
