// A host of the library: what its ways (host.c) share.
#ifndef CATALOGUE_HOST_H
#define CATALOGUE_HOST_H

#include "everything.h"

#include <stddef.h>

/// Ends the process with a line that says why.
_Noreturn void fail(const char *what);

/// Fails unless a condition holds.
#define CHECK(condition) \
  do {                   \
    if (!(condition)) fail(#condition); \
  } while (0)

extern struct plan plan;

mixtral_model *load(unsigned threads);
mixtral_session *open_session(mixtral_model *model);
/// The logits after the plan's prompt, of a session that ends with this call.
size_t logits_of(mixtral_model *model, float *buffer, size_t capacity);

// Ways. They return what the process ends with, 0 for well.
int measure_stack(void);
int measure_workers(void);
int run_on_little_stack(void);
int leave(const char *how);
int fork_often(const char *what);
int fork_in_load(void);
int keep_float_state(void);
int jump_out(void);
int contend(void);
int begin_together(void);
int end_threads(void);
int be_interrupted(void);
int run_confined(void);

/// How the stacks of threads that the library starts are painted and weighed (system.c).
void paint_workers(void);
size_t worker_depth(void);

enum { PAINTED = 0xa5 };
unsigned char *make_stack(size_t size);
/// Bytes from the lowest one that is no longer painted to the end.
size_t depth(const unsigned char *stack, size_t size);

#endif
