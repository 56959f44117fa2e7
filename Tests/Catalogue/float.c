// The host's floating-point state: the results do not depend on it, and it is as it was afterwards.
#define _GNU_SOURCE
#include "host.h"

#include <immintrin.h>
#include <string.h>

// The default, flushing to zero, rounding up, all exceptions unmasked, and all of these.
static const unsigned states[] = {0x1f80, 0x9fc0, 0x5f80, 0x0000, 0xc040, 0x1fbf};
enum { MOST = 1 << 16 };

static unsigned short x87(void) {
  unsigned short word;
  __asm__ volatile("fnstcw %0" : "=m"(word));
  return word;
}

struct results {
  float logits[MOST];
  mixtral_token drawn[64];
  size_t count;
};

/// A host's callback that sets what it likes, as one that calls other libraries may.
static int32_t disturb(float *logits, uint64_t count, void *user) {
  (void)logits, (void)count;
  _mm_setcsr(*(unsigned *)user);
  return 0;
}

static int32_t disturb_load(uint64_t done, uint64_t total, void *user) {
  (void)done, (void)total;
  return disturb(NULL, 0, user);
}

static void compute(struct results *results, unsigned state) {
  mixtral_model *model = NULL;
  mixtral_sampler *sampler = NULL;
  unsigned other = states[3] == state ? states[1] : states[4];
  mixtral_load_options loading = {
      .struct_size = sizeof loading, .threads = 2, .progress = disturb_load, .user = &other};
  mixtral_sampler_options drawing = {.struct_size = sizeof drawing, .temperature = 1.3f, .seed = 7,
      .top_p = 0.9f, .min_p = 0.001f, .filter = disturb, .user = &other};
  _mm_setcsr(state);
  CHECK(!mixtral_load(&model, plan.model, &loading));
  CHECK(_mm_getcsr() == state);
  mixtral_session *session = open_session(model);
  CHECK(!mixtral_sampler_create(&sampler, &drawing));
  results->count = logits_of(model, results->logits, MOST);
  CHECK(!mixtral_step(session, plan.prompt.ids, plan.prompt.count));
  for (int i = 0; i < 64; i++) {
    CHECK(!mixtral_sample(results->drawn + i, session, sampler));
    CHECK(_mm_getcsr() == state);
    CHECK(!mixtral_step(session, results->drawn + i, 1));
    CHECK(_mm_getcsr() == state);
  }
  // Errors too, and each is found before anything is computed.
  CHECK(mixtral_step(session, NULL, 1) == MIXTRAL_INVALID_ARGUMENT);
  CHECK(!mixtral_free(sampler) && !mixtral_free(session) && !mixtral_free(model));
  CHECK(_mm_getcsr() == state);
  _mm_setcsr(states[0]);
}

int keep_float_state(void) {
  static struct results expected, found;
  unsigned short word = x87();
  compute(&expected, states[0]);
  for (size_t i = 1; i < sizeof states / sizeof *states; i++) {
    compute(&found, states[i]);
    CHECK(found.count == expected.count);
    CHECK(!memcmp(found.logits, expected.logits, expected.count * sizeof(float)));
    CHECK(!memcmp(found.drawn, expected.drawn, sizeof expected.drawn));
  }
  CHECK(x87() == word);
  return 0;
}
