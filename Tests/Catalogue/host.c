// A program that has the library in it and treats it as hosts do, in one of the ways of host.h.
//
//   host WAY MODEL PROMPT GREEDY FOLDER [WORD]
//
// PROMPT and GREEDY are lists of ids, FOLDER a place for files. Exits with 0 when all was well.
#define _GNU_SOURCE
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct plan plan;

void fail(const char *what) {
  fprintf(stderr, "%s (%s)\n", what, mixtral_last_error());
  fflush(stderr);
  _exit(1);
}

static long lift(void) { return 0; }

mixtral_model *load(unsigned threads) {
  mixtral_load_options options = {.struct_size = sizeof options, .threads = threads};
  mixtral_model *model = NULL;
  CHECK(!mixtral_load(&model, plan.model, &options));
  return model;
}

mixtral_session *open_session(mixtral_model *model) {
  mixtral_session *session = NULL;
  CHECK(!mixtral_session_create(&session, model, NULL));
  return session;
}

size_t logits_of(mixtral_model *model, float *buffer, size_t capacity) {
  size_t count = 0;
  mixtral_session *session = open_session(model);
  CHECK(!mixtral_step(session, plan.prompt.ids, plan.prompt.count));
  CHECK(!mixtral_logits(&count, buffer, capacity, session));
  CHECK(!mixtral_free(session));
  return count;
}

/// Everything once, and how many threads a model has that nobody gave a number.
static int run_all(void) {
  mixtral_info info = {.struct_size = sizeof info};
  use_everything(&plan);
  mixtral_model *model = load(0);
  CHECK(!mixtral_model_info(model, &info));
  CHECK(!mixtral_free(model));
  printf("%u\n", info.threads);
  return 0;
}

static void *give(uint64_t size, uint64_t alignment, void *user) {
  (void)user;
  return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
static void take(void *block, uint64_t size, void *user) {
  (void)size, (void)user;
  free(block);
}

/// A load that the system has no memory for: its status and the numbers of its sentence, the status of one that
/// has the host's memory, and of one that needs less.
static int lack_memory(void) {
  mixtral_load_options options = {.struct_size = sizeof options, .threads = 1};
  mixtral_model *model = NULL;
  unsigned long weights = 0, buffers = 0, needed = 0, allowed = 0;
  mixtral_status status = mixtral_load(&model, plan.model, &options);
  CHECK(!model == !!status);
  CHECK(!mixtral_free(model));
  sscanf(mixtral_last_error(), "the model (weights %lu, buffers %lu) needs %lu bytes of memory; allowed are %lu,",
         &weights, &buffers, &needed, &allowed);
  printf("%d %lu %lu %lu %lu\n", (int)status, weights, buffers, needed, allowed);
  options.allocate = give;
  options.release = take;
  printf("%d\n", (int)mixtral_load(&model, plan.model, &options));
  CHECK(!mixtral_free(model));
  mixtral_load_options smaller = {.struct_size = sizeof smaller, .threads = 1, .batch = 1};
  printf("%d\n", (int)mixtral_load(&model, plan.model, &smaller));
  return mixtral_free(model);
}

int main(int count, char **words) {
  static char packed[512];
  if (count < 6) return 2;
  const char *way = words[1], *word = count > 6 ? words[6] : "";
  snprintf(packed, sizeof packed, "%s/packed-%ld.gguf", words[5], (long)getpid());
  plan = (struct plan){words[2],           packed,     parse_ids(words[3]),
                       parse_ids(words[4]), MIXTRAL_OK, lift, NULL, NULL};
  if (!strcmp(way, "all")) return run_all();
  if (!strcmp(way, "lack-memory")) return lack_memory();
  if (!strcmp(way, "stack")) return measure_stack();
  if (!strcmp(way, "workers")) return measure_workers();
  if (!strcmp(way, "little-stack")) return run_on_little_stack();
  if (!strcmp(way, "leave")) return leave(word);
  if (!strcmp(way, "fork")) return fork_often(word);
  if (!strcmp(way, "fork-in-load")) return fork_in_load();
  if (!strcmp(way, "float")) return keep_float_state();
  if (!strcmp(way, "jump")) return jump_out();
  if (!strcmp(way, "contend")) return contend();
  if (!strcmp(way, "together")) return begin_together();
  if (!strcmp(way, "threads")) return end_threads();
  if (!strcmp(way, "interrupted")) return be_interrupted();
  if (!strcmp(way, "confined")) return run_confined();
  return 2;
}
