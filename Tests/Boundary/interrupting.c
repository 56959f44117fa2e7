/* A host's C code while the library runs: a signal comes, and then the library calls back. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

/* Memory of the stack that a result which nobody sets would be read from. */
static void stain(void) {
  volatile uint64_t stack[512];
  for (int i = 0; i < 512; i++) stack[i] = 0x5a5a5a5a5a5a5a5a;
}

int32_t call_progress(int32_t (*callback)(uint64_t, uint64_t, void *)) {
  stain();
  raise(SIGINT);
  return callback(1, 2, NULL);
}

int32_t call_log(int32_t (*callback)(uint32_t, const char *, uint64_t, void *)) {
  stain();
  raise(SIGINT);
  return callback(0, "sentence", 8, NULL);
}

int32_t call_filter(int32_t (*callback)(float *, uint64_t, void *)) {
  float logits[4] = {0, 1, 2, 3};
  stain();
  raise(SIGINT);
  return callback(logits, 4, NULL);
}

void *call_allocate(void *(*callback)(uint64_t, uint64_t, void *)) {
  stain();
  raise(SIGINT);
  return callback(64, 64, NULL);
}

void call_release(void (*callback)(void *, uint64_t, void *), void *block) {
  stain();
  raise(SIGINT);
  callback(block, 64, NULL);
}

/* An allocator of the host's, during whose first call the user presses Ctrl-C. `user` counts the calls. */
void *interrupted_allocate(uint64_t size, uint64_t alignment, void *user) {
  int32_t *calls = user;
  if (!(*calls)++) raise(SIGINT);
  return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void give_back(void *block, uint64_t size, void *user) {
  (void)size, (void)user;
  free(block);
}
