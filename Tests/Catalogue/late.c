// Opens the library late, in processes with little room for addresses: each has 256 KiB more
// than the last, until one of them can run through all calls.
//
//   late LIBRARY MODEL PROMPT GREEDY FOLDER     LIBRARY: everything.c, linked with the library
//
// Prints in how many processes it could not be opened, and in how many a call was refused.
#define _GNU_SOURCE
#include "everything.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_OPENED = 20, STEP = 256 << 10 };

static long lift(void) {
  struct rlimit limit;
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_AS, &limit);
  return 1;
}

/// Bytes of addresses that this process has now.
static rlim_t addresses(void) {
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%lu", &pages) != 1) exit(2);
  fclose(file);
  return pages * 4096;
}

/// Takes what the stack of later calls needs: it grows by itself, and a process in which it cannot
/// dies, whoever's call it is.
__attribute__((noinline)) static void grow_stack(void) {
  volatile char stack[256 * 1024];
  for (size_t i = 0; i < sizeof stack; i += 4096) stack[i] = 1;
}

static int run(const char *library, const struct plan *plan, rlim_t room) {
  grow_stack();
  struct rlimit limit = {addresses() + room, RLIM_INFINITY};
  alarm(20);
  if (setrlimit(RLIMIT_AS, &limit)) return 2;
  void *opened = dlopen(library, RTLD_NOW);
  if (!opened) return NOT_OPENED;
  long (*use)(const struct plan *) = (long (*)(const struct plan *))dlsym(opened, "use_everything");
  return use ? use(plan) > 1 : 2;
}

int main(int count, char **words) {
  static char packed[512];
  int unopened = 0, refused = 0;
  if (count != 6) return 2;
  snprintf(packed, sizeof packed, "%s/late.gguf", words[5]);
  const struct plan plan = {words[2], packed,  parse_ids(words[3]),
                            parse_ids(words[4]), MIXTRAL_OUT_OF_MEMORY, lift, NULL, NULL};
  for (rlim_t room = 0; room < 1024; room++) {
    pid_t child = fork();
    if (child == 0) _exit(run(words[1], &plan, room * STEP));
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return 2;
    if (!WIFEXITED(status)) {
      fprintf(stderr, "%lu KiB: signal %d\n", (unsigned long)room * STEP / 1024, WTERMSIG(status));
      return 1;
    }
    if (WEXITSTATUS(status) == 0) {
      printf("%d %d\n", unopened, refused);
      return 0;
    }
    if (WEXITSTATUS(status) == NOT_OPENED) unopened++;
    else if (WEXITSTATUS(status) == 1) refused++;
    else return WEXITSTATUS(status);
  }
  return 1;
}
