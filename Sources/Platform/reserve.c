// Memory that Swift's objects and arrays get when the system refuses it. The compiler's code does not
// look at what its allocator returns, so a refusal would be a fault of addressing in the host. Embedded
// Swift allocates by `posix_memalign` and gives back by `free`: the linker sends these two calls of the
// library here (`--wrap` in packaging/library.mk), and `__real_free` is the system's.
//
// Most objects are small. When the system refuses one, it comes from the reserve, and the thread is marked:
// a call that creates something looks at the mark, gives everything back and returns OUT_OF_MEMORY. What
// does not fit into the reserve ends the call (recovery.c).
#define _GNU_SOURCE
#include "lock.h"
#include "platform.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Weak: the rooms' own tests are linked without `--wrap`.
__attribute__((weak)) void __real_free(void *memory);
__attribute__((weak)) int __real_posix_memalign(void **result, size_t alignment, size_t size);

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
static atomic_ullong owner;

/// Memory for what the system refused; NULL when it is too large or nothing is left.
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
  return found;
}

static void give_back(void *memory) {
  size_t unit = ((uintptr_t)memory - (uintptr_t)reserve) / UNIT;
  lock(&owner);
  units_in_use -= blocks[unit];
  blocks[unit] = 0;
  unlock(&owner);
}

uint32_t platform_reserve_is_low(void) { return units_in_use > UNITS / 2; }

// ---- Allocation, as the compiler's code does it.

int __wrap_posix_memalign(void **result, size_t alignment, size_t size) {
  if (__real_posix_memalign(result, alignment, size) == 0) return 0;
  *result = take(size, alignment);
  if (*result == NULL) platform_fail(PLATFORM_FAILURE_MEMORY);
  return 0;
}

void __wrap_free(void *memory) {
  if ((uintptr_t)memory - (uintptr_t)reserve < sizeof reserve) give_back(memory);
  else __real_free(memory);
}

void *platform_small_memory(uint64_t size) {
  void *memory = malloc((size_t)size);
  if (memory == NULL && __real_free) memory = take((size_t)size, UNIT);
  return memory;
}

int32_t platform_can_allocate(uint64_t size) {
  if (size > PTRDIFF_MAX) return 0;
  // Volatile, or the optimiser drops an allocation that is only given back.
  void *volatile memory = malloc((size_t)size);
  int32_t is_there = memory != NULL;
  free(memory);
  return is_there;
}
