// What Swift's runtime does to its host without asking: it ends the process when it is refused
// memory, and it may handle signals. The library contains the runtime, so the linker sends these
// calls of the runtime here instead (`--wrap` in Package.swift): `malloc(...)` in any object of the
// library becomes `__wrap_malloc(...)`, and `__real_malloc` is the system's.
//
// Most objects of the runtime are small. When the system refuses one, it comes from the reserve, and
// the thread is marked: a call that creates something looks at the mark, gives everything back and
// returns OUT_OF_MEMORY. What does not fit into the reserve is refused; the runtime then gives up,
// which recovery.c makes the end of the call instead of the process.
#define _GNU_SOURCE
#include "lock.h"
#include "platform.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Weak: programs without `--wrap`, such as the rooms' own tests, have none of these.
#define REAL __attribute__((weak))
REAL void *__real_malloc(size_t size);
REAL void *__real_calloc(size_t count, size_t size);
REAL void *__real_realloc(void *old, size_t size);
REAL void __real_free(void *memory);
REAL int __real_posix_memalign(void **result, size_t alignment, size_t size);
REAL void *__real_aligned_alloc(size_t alignment, size_t size);
REAL size_t __real_malloc_usable_size(void *memory);

// The initial-exec model: a lookup never allocates, as it may for other thread-local variables of a
// library that was opened late, and then ends the process when it cannot.
static _Thread_local uint32_t thread_refusals __attribute__((tls_model("initial-exec")));

uint32_t platform_refusals(void) { return thread_refusals; }
void platform_set_refusals(uint32_t count) { thread_refusals = count; }

// ---- The reserve: units of 64 bytes, and at the first unit of each block how many it has.

enum { UNIT = 64, UNITS = 16384, MOST_UNITS = 1024 };
static _Alignas(UNIT) uint8_t reserve[UNITS * UNIT];
static uint16_t blocks[UNITS];
static atomic_size_t units_in_use;
/// Of the two above.
static atomic_int owner;

static int in_reserve(const void *memory) {
  return (uintptr_t)memory - (uintptr_t)reserve < sizeof reserve;
}

static size_t size_in_reserve(const void *memory) {
  return (size_t)blocks[((uintptr_t)memory - (uintptr_t)reserve) / UNIT] * UNIT;
}

/// Zeroed memory for what the system refused; NULL when it is too large or nothing is left.
static void *take(size_t size, size_t alignment) {
  thread_refusals++;
  size_t wanted = size == 0 ? 1 : (size + UNIT - 1) / UNIT;
  if (size > MOST_UNITS * UNIT || alignment > UNIT) return NULL;
  void *found = NULL;
  lock(&owner);
  size_t free_units = 0;
  for (size_t i = 0; i < UNITS; i += blocks[i] ? blocks[i] : 1) {
    free_units = blocks[i] ? 0 : free_units + 1;
    if (free_units < wanted) continue;
    size_t first = i + 1 - wanted;
    blocks[first] = (uint16_t)wanted;
    units_in_use += wanted;
    found = reserve + first * UNIT;
    break;
  }
  unlock(&owner);
  return found ? memset(found, 0, wanted * UNIT) : NULL;
}

static void give_back(void *memory) {
  size_t unit = ((uintptr_t)memory - (uintptr_t)reserve) / UNIT;
  lock(&owner);
  units_in_use -= blocks[unit];
  blocks[unit] = 0;
  unlock(&owner);
}

uint32_t platform_reserve_is_low(void) { return units_in_use > UNITS / 2; }

// ---- Allocation, as the runtime does it.

void *__wrap_malloc(size_t size) {
  void *memory = __real_malloc(size);
  return memory ? memory : take(size, UNIT);
}

void *__wrap_calloc(size_t count, size_t size) {
  void *memory = __real_calloc(count, size);
  size_t total;
  if (memory || __builtin_mul_overflow(count, size, &total)) return memory;
  return take(total, UNIT);
}

int __wrap_posix_memalign(void **result, size_t alignment, size_t size) {
  int code = __real_posix_memalign(result, alignment, size);
  if (code != ENOMEM) return code;
  void *memory = take(size, alignment);
  if (!memory) return code;
  *result = memory;
  return 0;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
  void *memory = __real_aligned_alloc(alignment, size);
  return memory ? memory : take(size, alignment);
}

size_t __wrap_malloc_usable_size(void *memory) {
  return in_reserve(memory) ? size_in_reserve(memory) : __real_malloc_usable_size(memory);
}

void __wrap_free(void *memory) {
  if (in_reserve(memory)) give_back(memory);
  else __real_free(memory);
}

void *__wrap_realloc(void *old, size_t size) {
  if (!in_reserve(old)) {
    void *memory = __real_realloc(old, size);
    if (memory || size == 0) return memory;
  }
  void *memory = in_reserve(old) ? __wrap_malloc(size) : take(size, UNIT);
  if (!memory || !old) return memory;
  size_t known = __wrap_malloc_usable_size(old);
  memcpy(memory, old, known < size ? known : size);
  __wrap_free(old);
  return memory;
}

char *__wrap_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = __wrap_malloc(size);
  return copy ? memcpy(copy, text, size) : NULL;
}

// C++'s operators new do not return NULL. (Its operators delete call `free`.)

void *__wrap__Znwm(size_t size) {
  void *memory = __wrap_malloc(size);
  if (!memory) platform_fail(PLATFORM_FAILURE_MEMORY);
  return memory;
}

void *__wrap__ZnwmSt11align_val_t(size_t size, size_t alignment) {
  void *memory = NULL;
  if (__wrap_posix_memalign(&memory, alignment, size)) platform_fail(PLATFORM_FAILURE_MEMORY);
  return memory;
}

// ---- Signals: those of a process belong to its host. The runtime would handle crashes of its own
// when it finds its tracer or SWIFT_BACKTRACE. (What a host may ask for: guard.c.)

int __wrap_sigaction(int number, const struct sigaction *new, struct sigaction *old) {
  (void)number, (void)new;
  if (old) memset(old, 0, sizeof *old);
  return 0;
}

int __wrap_sigaltstack(const stack_t *new, stack_t *old) {
  (void)new;
  if (old) memset(old, 0, sizeof *old);
  return 0;
}
