#define _GNU_SOURCE
#include "platform.h"

#include <cpuid.h>
#include <immintrin.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Only a pointer: what a library has of initial-exec memory comes out of the little that the system
// keeps for all libraries that are opened late. The buffer is made by a thread's first failing call,
// out of the reserve when the system refuses it, and goes with the thread.
enum { ERROR_SIZE = 1024 };
static _Thread_local char *error_buffer __attribute__((tls_model("initial-exec")));
static pthread_once_t error_once = PTHREAD_ONCE_INIT;
static pthread_key_t error_key;
static int has_error_key;

static void release_error(void *buffer) {
  error_buffer = NULL;  // another destructor of this thread may still fail a call
  free(buffer);
}
static void make_error_key(void) { has_error_key = !pthread_key_create(&error_key, release_error); }

char *platform_error_buffer(void) {
  if (error_buffer) return error_buffer;
  pthread_once(&error_once, make_error_key);
  char *made = has_error_key ? calloc(1, ERROR_SIZE) : NULL;
  if (made && pthread_setspecific(error_key, made)) {
    free(made);
    return NULL;
  }
  return error_buffer = made;
}

const char *platform_error_text(void) { return error_buffer ? error_buffer : ""; }

static _Thread_local uint32_t in_allocator __attribute__((tls_model("initial-exec")));
void platform_set_in_allocator(uint32_t is_in) { in_allocator = is_in; }
uint32_t platform_in_allocator(void) { return in_allocator; }

void platform_futex_wait(const void *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, (void *)0, (void *)0, 0);
}

void platform_futex_wake(const void *word, int32_t count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, (void *)0, (void *)0, 0);
}

void platform_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

void platform_pause(void) { _mm_pause(); }

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

uint32_t platform_get_mxcsr(void) { return _mm_getcsr(); }
void platform_set_mxcsr(uint32_t value) { _mm_setcsr(value); }

// Reads "MAX PERIOD" of the unified hierarchy, as seen from inside the cgroup; 0 when there is no limit.
static uint32_t quota_processors(void) {
  int fd = open("/sys/fs/cgroup/cpu.max", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[64];
  ssize_t size = read(fd, text, sizeof text);
  close(fd);
  uint64_t numbers[2] = {0, 0};
  int which = 0;
  for (ssize_t i = 0; i < size && which < 2; i++) {
    if (text[i] >= '0' && text[i] <= '9' && numbers[which] < 1000000000) {
      numbers[which] = numbers[which] * 10 + (uint64_t)(text[i] - '0');
    } else if (text[i] == ' ') {
      which++;
    } else {
      break;
    }
  }
  if (numbers[0] == 0 || numbers[1] == 0) return 0;
  return (uint32_t)((numbers[0] + numbers[1] - 1) / numbers[1]);
}

uint32_t platform_processor_count(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  uint32_t count = 1;
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
    count = (uint32_t)CPU_COUNT(&set);
  }
  uint32_t quota = quota_processors();
  return quota != 0 && quota < count ? quota : count;
}

uint64_t platform_random(void) {
  uint64_t bits = 0;
  if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) == (ssize_t)sizeof bits) return bits;
  struct timespec now = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  bits = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u;
  return (bits ^ (uint64_t)(uintptr_t)&error_buffer ^ (uint64_t)getpid()) * 0xbf58476d1ce4e5b9u;
}
