/* Stands in for libmixtral.so.1: hands each call to the library that REAL_LIBRARY names, and keeps in the file
 * COUNTS how many objects were made and how many freed. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int made, freed;

static void write_counts(void) {
  FILE *file = fopen(getenv("COUNTS"), "w");
  if (!file || fprintf(file, "%d made, %d freed", made, freed) < 0 || fclose(file)) abort();
}

/* None of these functions takes a floating-point number or more than seven words. */
#define WORDS uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g
typedef uint64_t function(WORDS);

static function *find(const char *name) {
  static void *library;
  if (!library) library = dlopen(getenv("REAL_LIBRARY"), RTLD_NOW | RTLD_LOCAL);
  function *found = library ? (function *)(uintptr_t)dlsym(library, name) : NULL;
  if (!found) abort();
  return found;
}

#define PASS(name) \
  uint64_t name(WORDS) { return find(#name)(a, b, c, d, e, f, g); }

#define PASS_AND_COUNT(name, counter, counts)                      \
  uint64_t name(WORDS) {                                           \
    const uint64_t status = find(#name)(a, b, c, d, e, f, g);      \
    if ((int32_t)status == 0 && (counts)) counter++, write_counts(); \
    return status;                                                 \
  }

PASS(mixtral_status_name)
PASS(mixtral_last_error)
PASS(mixtral_model_stop_tokens)
PASS(mixtral_tokenize)
PASS(mixtral_detokenizer_next)
PASS(mixtral_step)
PASS(mixtral_sample)
PASS_AND_COUNT(mixtral_load, made, 1)
PASS_AND_COUNT(mixtral_session_create, made, 1)
PASS_AND_COUNT(mixtral_sampler_create, made, 1)
PASS_AND_COUNT(mixtral_detokenizer_create, made, 1)
PASS_AND_COUNT(mixtral_free, freed, a != 0)
