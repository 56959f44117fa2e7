// A run through all calls of the header.
#ifndef FAULTS_EVERYTHING_H
#define FAULTS_EVERYTHING_H

#include <mixtral.h>
#include <stdlib.h>
#include <string.h>

// How a process ends that made such a run, besides 0: nothing was refused; a result was wrong; a
// result was wrong and nothing had been refused.
enum { NO_FAULT = 10, WRONG = 11, WRONG_ALONE = 12 };

struct ids {
  mixtral_token ids[256];
  size_t count;
};

/// The ids of a list such as "1,43,891", which is cut up.
static inline struct ids parse_ids(char *text) {
  struct ids list = {.count = 0};
  for (char *word = strtok(text, ","); word && list.count < 256; word = strtok(NULL, ",")) {
    list.ids[list.count++] = (mixtral_token)strtol(word, NULL, 10);
  }
  return list;
}

/// The calls that are run, and in which difficulties.
struct plan {
  const char *model;
  const char *packed; // where a packed copy may be written
  struct ids prompt;  // as the model's golden file has them
  struct ids greedy;
  mixtral_status allowed; // what a call that is refused something returns; OK: it may not notice
  long (*lift)(void);     // ends the difficulties; how many calls of the system had failed
  // The allocator of the model's memory; NULL: the library itself.
  void *(*allocate)(uint64_t size, uint64_t alignment, void *user);
  void (*release)(void *block, uint64_t size, void *user);
};

/// Runs; how often something was refused, 0 when all went as if nothing were in the way.
long use_everything(const struct plan *plan);

/// Ends the process because of a result that may not be.
void wrong(const struct plan *plan, const char *what);

#endif
