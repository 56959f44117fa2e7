// Ways that have to do with the host's threads and their stacks.
#define _GNU_SOURCE
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *run_everything(void *unused) {
  (void)unused;
  use_everything(&plan);
  return NULL;
}

static void run_on(const pthread_attr_t *attributes, void *(*body)(void *)) {
  pthread_t thread;
  CHECK(!pthread_create(&thread, attributes, body, NULL));
  CHECK(!pthread_join(thread, NULL));
}

static void *do_nothing(void *unused) { return unused; }

/// Prints how much of its caller's stack the deepest call took, of those that are a process's first
/// and of those that come later.
int measure_stack(void) {
  enum { SIZE = 1 << 20 };
  pthread_attr_t attributes;
  size_t depths[3];
  void *(*bodies[])(void *) = {do_nothing, run_everything, run_everything};
  unsigned char *stack = make_stack(SIZE);
  CHECK(!pthread_attr_init(&attributes) && !pthread_attr_setstack(&attributes, stack, SIZE));
  for (int i = 0; i < 3; i++) {
    memset(stack, PAINTED, SIZE);
    run_on(&attributes, bodies[i]);
    depths[i] = depth(stack, SIZE);
  }
  printf("%zu %zu\n", depths[1] - depths[0], depths[2] - depths[0]);
  return 0;
}

/// A thread with 64 KiB, as coroutines have; what is below them is not mapped.
int run_on_little_stack(void) {
  pthread_attr_t attributes;
  CHECK(!pthread_attr_init(&attributes) && !pthread_attr_setstacksize(&attributes, 64 * 1024));
  run_on(&attributes, run_everything);
  return 0;
}

/// Prints how much of its stack the deepest worker took.
int measure_workers(void) {
  paint_workers();
  use_everything(&plan);
  printf("%zu\n", worker_depth());
  return 0;
}

// ---- Two threads step one session.

enum { ATTEMPTS = 100000 };
static mixtral_session *contended;
static atomic_long attempts, steps;

static void *step_at_all(void *unused) {
  (void)unused;
  mixtral_token token = 5;
  while (attempts++ < ATTEMPTS) {
    mixtral_status status = mixtral_step(contended, &token, 1);
    CHECK(status == MIXTRAL_OK || status == MIXTRAL_BUSY);
    if (status == MIXTRAL_OK) steps++;
  }
  return NULL;
}

int contend(void) {
  pthread_t threads[2];
  uint64_t position = 0;
  mixtral_model *model = load(1);
  mixtral_session_options options = {.struct_size = sizeof options, .context = ATTEMPTS};
  CHECK(!mixtral_session_create(&contended, model, &options));
  for (int i = 0; i < 2; i++) CHECK(!pthread_create(threads + i, NULL, step_at_all, NULL));
  for (int i = 0; i < 2; i++) CHECK(!pthread_join(threads[i], NULL));
  CHECK(!mixtral_session_position(&position, contended));
  printf("%ld\n", (long)steps);
  // A call that was BUSY has fed nothing, and nobody fed the same position.
  CHECK(position == (uint64_t)steps && steps > 0 && steps < ATTEMPTS);
  CHECK(!mixtral_free(contended) && !mixtral_free(model));
  return 0;
}

// ---- The first call of the process, from many threads.

static pthread_barrier_t barrier;

static void *begin(void *number) {
  float logits[1024];
  mixtral_sampler *sampler = NULL;
  pthread_barrier_wait(&barrier);
  CHECK(!mixtral_sampler_create(&sampler, NULL));
  if ((intptr_t)number % 8 == 0) {
    mixtral_model *model = load(1);
    CHECK(logits_of(model, logits, 1024) == 1024);
    CHECK(!mixtral_free(model));
  }
  CHECK(mixtral_step(NULL, NULL, 0) == MIXTRAL_INVALID_HANDLE);
  return sampler;
}

int begin_together(void) {
  enum { COUNT = 64 };
  pthread_t threads[COUNT];
  void *samplers[COUNT];
  CHECK(!pthread_barrier_init(&barrier, NULL, COUNT));
  for (intptr_t i = 0; i < COUNT; i++) {
    CHECK(!pthread_create(threads + i, NULL, begin, (void *)i));
  }
  for (int i = 0; i < COUNT; i++) CHECK(!pthread_join(threads[i], samplers + i));
  // The table of handles is one: each is another one, known to all.
  for (int i = 0; i < COUNT; i++) CHECK(!mixtral_free(samplers[i]));
  return 0;
}

// ---- Threads that have a sentence and end.

static void *fail_once(void *unused) {
  CHECK(mixtral_step(unused, NULL, 0) == MIXTRAL_INVALID_HANDLE && *mixtral_last_error());
  return NULL;
}

static long resident(void) {
  long pages = 0, touched = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file && fscanf(file, "%ld %ld", &pages, &touched) == 2);
  fclose(file);
  return touched;
}

int end_threads(void) {
  enum { COUNT = 20000, AT_ONCE = 4, WARM = 1000 };
  pthread_t threads[AT_ONCE];
  long before = 0;
  for (int done = 0; done < COUNT; done += AT_ONCE) {
    if (done == WARM) before = resident();
    for (int i = 0; i < AT_ONCE; i++) CHECK(!pthread_create(threads + i, NULL, fail_once, NULL));
    for (int i = 0; i < AT_ONCE; i++) CHECK(!pthread_join(threads[i], NULL));
  }
  // A sentence is 1 KiB: what 19,000 threads left would be some 4,750 pages.
  CHECK(resident() - before < 100);
  return 0;
}
