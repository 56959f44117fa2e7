// What is written for arm64 alone; see x86.c.
#if defined(__aarch64__)
#include "platform.h"

#include <sys/auxv.h>

// As in <asm/hwcap.h>, whose older versions lack the second.
enum { HAS_DOT_PRODUCT = 1 << 20, HAS_I8MM = 1 << 13 };

// Not `yield`, which most processors take for nothing: this waits for about as long as x86's hint.
void platform_pause(void) { __asm__ volatile("isb" ::: "memory"); }

uint64_t platform_float_state(void) {
  uint64_t control, status;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  __asm__ volatile("mrs %0, fpsr" : "=r"(status));
  return control | status << 32;
}

void platform_set_float_state(uint64_t state) {
  uint64_t control = state & 0xffffffff, status = state >> 32;
  __asm__ volatile("msr fpcr, %0" : : "r"(control) : "memory");
  __asm__ volatile("msr fpsr, %0" : : "r"(status) : "memory");
}

int32_t platform_has_dot_product(void) { return (getauxval(AT_HWCAP) & HAS_DOT_PRODUCT) != 0; }

int32_t platform_has_i8mm(void) {
  return platform_has_dot_product() && (getauxval(AT_HWCAP2) & HAS_I8MM) != 0;
}
#endif
