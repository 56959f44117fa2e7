// Blocks end at a page that cannot be touched, so that reading on is a death; what lies before them
// and in the bytes that their alignment leaves free is compared after the call.
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLABS = 64, SLAB_SIZE = 1 << 20, FENCE = 64 };

static struct slab {
  struct block block;
  uint8_t *end;
} slabs[SLABS];
static int used;

static void slab_map(struct slab *slab) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uint8_t *memory = mmap(NULL, SLAB_SIZE + page, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory + SLAB_SIZE, page, PROT_NONE)) die("no memory");
  slab->end = memory + SLAB_SIZE;
  slab->block.copy = malloc(SLAB_SIZE);
  if (!slab->block.copy) die("no memory");
}

struct block *block_new(size_t size, size_t alignment, bool misaligned) {
  if (used == SLABS || size > SLAB_SIZE - 2 * FENCE) die("a call needs too much memory");
  struct slab *slab = &slabs[used++];
  if (!slab->end) slab_map(slab);
  uintptr_t start = ((uintptr_t)slab->end - size) & ~(uintptr_t)(alignment - 1);
  slab->block.bytes = (uint8_t *)start - (misaligned ? 1 : 0);
  slab->block.size = size;
  memset(slab->block.bytes - FENCE, GARBAGE, (size_t)(slab->end - slab->block.bytes) + FENCE);
  return &slab->block;
}

int memory_used(void) { return used; }

void memory_seal(int first) {
  for (int i = first; i < used; i++)
    memcpy(slabs[i].block.copy, slabs[i].block.bytes, slabs[i].block.size);
}

static bool is_garbage(const uint8_t *from, const uint8_t *to) {
  while (from < to) {
    if (*from++ != GARBAGE) return false;
  }
  return true;
}

bool memory_guards_intact(int first) {
  for (int i = first; i < used; i++) {
    const struct block *block = &slabs[i].block;
    if (!is_garbage(block->bytes - FENCE, block->bytes)) return false;
    if (!is_garbage(block->bytes + block->size, slabs[i].end)) return false;
  }
  return true;
}

bool block_unchanged(const struct block *block, size_t from) {
  return from >= block->size || !memcmp(block->bytes + from, block->copy + from, block->size - from);
}

void memory_release(int first) { used = first; }

const struct block *memory_block(int index) { return &slabs[index].block; }
