/* Counts what the library asks of the C library while a call runs: the functions below stand before those
 * of libc for it too. Prints one JSON object; test_counts.py compares it with what is allowed.
 *
 * cc -std=c99 -D_GNU_SOURCE -Iinclude counts.c -L.build/lib -lmixtral -ldl
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mixtral.h"

static long allocations, maps, locks;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

#define COUNT(counter) __atomic_fetch_add(&(counter), 1, __ATOMIC_RELAXED)
/* The function of this name that comes after this program's. */
#define NEXT(name) \
  static __typeof__(&name) next; \
  if (!next) { \
    void *found = dlsym(RTLD_NEXT, #name); \
    memcpy(&next, &found, sizeof next); \
  }

void *malloc(size_t size) { COUNT(allocations); return __libc_malloc(size); }
void *calloc(size_t n, size_t size) { COUNT(allocations); return __libc_calloc(n, size); }
void *realloc(void *p, size_t size) { COUNT(allocations); return __libc_realloc(p, size); }
void *aligned_alloc(size_t align, size_t size) { COUNT(allocations); return __libc_memalign(align, size); }
int posix_memalign(void **p, size_t align, size_t size) {
  COUNT(allocations);
  *p = __libc_memalign(align, size);
  return *p ? 0 : 12;
}
void *mmap(void *at, size_t size, int access, int flags, int file, off_t offset) {
  NEXT(mmap)
  COUNT(maps);
  return next(at, size, access, flags, file, offset);
}
int pthread_mutex_lock(pthread_mutex_t *mutex) {
  NEXT(pthread_mutex_lock)
  COUNT(locks);
  return next(mutex);
}
int pthread_rwlock_rdlock(pthread_rwlock_t *lock) {
  NEXT(pthread_rwlock_rdlock)
  COUNT(locks);
  return next(lock);
}
int pthread_rwlock_wrlock(pthread_rwlock_t *lock) {
  NEXT(pthread_rwlock_wrlock)
  COUNT(locks);
  return next(lock);
}
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
  NEXT(pthread_cond_wait)
  COUNT(locks);
  return next(condition, mutex);
}

static void need(mixtral_status status) {
  if (status) {
    fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
    exit(1);
  }
}

static void start(void) { allocations = maps = locks = 0; }
static void tell(const char *name, int last) {
  long found[3] = {allocations, maps, locks};
  printf("\"%s\": {\"allocations\": %ld, \"maps\": %ld, \"locks\": %ld}%s\n", name, found[0], found[1], found[2],
         last ? "" : ",");
}

enum { SESSIONS = 3 };

/* Feeds one token to every session; each has to take it. */
static void together(mixtral_session **sessions, mixtral_token token) {
  mixtral_status statuses[SESSIONS];
  mixtral_input inputs[SESSIONS];
  for (int i = 0; i < SESSIONS; i++) {
    inputs[i].tokens = &token;
    inputs[i].count = 1;
  }
  need(mixtral_step_many((mixtral_session *const *)sessions, inputs, SESSIONS, statuses));
  for (int i = 0; i < SESSIONS; i++) need(statuses[i]);
}

/* Draws of all sessions together. */
static void draw_together(mixtral_session **sessions, const mixtral_sampler_options *sampling) {
  mixtral_sampler *samplers[SESSIONS];
  mixtral_token tokens[SESSIONS];
  mixtral_status statuses[SESSIONS];
  mixtral_session *const *all = (mixtral_session *const *)sessions;
  mixtral_sampler *const *drawing = (mixtral_sampler *const *)samplers;
  for (int i = 0; i < SESSIONS; i++) need(mixtral_sampler_create(&samplers[i], sampling));
  need(mixtral_sample_many(tokens, all, drawing, SESSIONS, NULL));
  start();
  for (int i = 0; i < 40; i++) need(mixtral_sample_many(tokens, all, drawing, SESSIONS, statuses));
  tell("sample_many", 1);
  for (int i = 0; i < SESSIONS; i++) need(mixtral_free(samplers[i]));
}

int main(int count, char **arguments) {
  if (count < 2) return 2;
  mixtral_model *model;
  mixtral_session *session, *others[SESSIONS];
  mixtral_sampler *sampler;
  mixtral_detokenizer *detokenizer;
  mixtral_load_options loading = {sizeof loading};
  mixtral_session_options cache = {sizeof cache};
  mixtral_sampler_options sampling = {sizeof sampling};
  mixtral_token tokens[200], token;
  char text[256];
  size_t size;
  loading.threads = count > 2 ? (uint32_t)atoi(arguments[2]) : 2;
  cache.cache_type = count > 3 ? (uint32_t)atoi(arguments[3]) : 0;
  sampling.temperature = 0.8f;
  sampling.top_k = 40;
  sampling.top_p = 0.9f;
  sampling.min_p = 0.05f;
  sampling.repetition_penalty = 1.1f;
  for (int i = 0; i < 200; i++) tokens[i] = 300 + i * 7 % 500;

  printf("{");
  start();
  need(mixtral_load(&model, arguments[1], &loading));
  tell("load", 0);
  need(mixtral_session_create(&session, model, &cache));
  need(mixtral_sampler_create(&sampler, &sampling));
  need(mixtral_detokenizer_create(&detokenizer, model, 0));

  /* Warm: 70 positions are in the second page, everything was done once. */
  need(mixtral_step(session, tokens, 70));
  need(mixtral_step(session, tokens, 1));
  need(mixtral_sample(&token, session, sampler));
  need(mixtral_detokenizer_next(&size, text, sizeof text, detokenizer, &token, 1));

  start();
  for (int i = 0; i < 40; i++) need(mixtral_step(session, tokens + i, 1));
  tell("step", 0);
  start();
  for (int i = 0; i < 40; i++) need(mixtral_sample(&token, session, sampler));
  tell("sample", 0);
  start();
  for (int i = 0; i < 40; i++) need(mixtral_detokenizer_next(&size, text, sizeof text, detokenizer, tokens + i, 1));
  tell("detokenize", 0);
  start();
  need(mixtral_step(session, tokens, 8));
  tell("prompt", 0);
  /* Positions 119 to 130: one new page. */
  start();
  for (int i = 0; i < 12; i++) need(mixtral_step(session, tokens + i, 1));
  tell("page", 0);

  for (int i = 0; i < SESSIONS; i++) {
    need(mixtral_session_create(&others[i], model, &cache));
    need(mixtral_step(others[i], tokens, 70));
  }
  together(others, tokens[0]);
  start();
  for (int i = 0; i < 40; i++) together(others, tokens[i]);
  tell("step_many", 0);
  draw_together(others, &sampling);
  printf("}\n");
  for (int i = 0; i < SESSIONS; i++) need(mixtral_free(others[i]));
  need(mixtral_free(detokenizer));
  need(mixtral_free(sampler));
  need(mixtral_free(session));
  need(mixtral_free(model));
  return 0;
}
