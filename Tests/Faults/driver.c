// Runs through all calls while the system refuses something, in one of these ways:
//
//   cold    its N-th call, N = 1, 2, 3, ... until a run is refused nothing; a process for each N, so
//           that what happens once in a process is refused too
//   warm    the same in one process, whose memory is weighed in the end
//   limit   what is beyond a resource limit; the limit rises until a run does not meet it
//   closed  the streams 0, 1 and 2 are closed
//   storm   signals interrupt it all the time
//   host    the program gives the model's memory; as warm for its own N-th block, KIND 0: none is
//           given, 1: one that is not aligned
//
//   driver WAY KIND once|on CODE STATUS MODEL PROMPT GREEDY FOLDER FIRST STRIDE
//
// KIND is a sum of FAULT_*, or the resource; CODE an errno; STATUS what a failed call may return;
// PROMPT and GREEDY are lists of ids, FOLDER a place for files, FIRST and STRIDE the numbers tried.
// Prints how many runs there were; exits with 0 when none went wrong.
#define _GNU_SOURCE
#include "everything.h"
#include "shim.h"

#include <dirent.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct plan plan;
static int resource = -1;

// ---- Memory that the program gives. Before each block lies its size.

static struct {
  int is_on, misaligns, persists;
  long at, calls, refusals;
  long blocks;  // given and not taken back
} host;

static void *allocate(uint64_t size, uint64_t alignment, void *user) {
  long call = ++host.calls;
  int refuses = host.at && (host.persists ? call >= host.at : call == host.at);
  if (size == 0 || alignment != 64 || user != &plan) wrong(&plan, "what allocate was asked for");
  host.refusals += refuses;
  if (refuses && !host.misaligns) return NULL;
  char *block = aligned_alloc(64, (64 + size + 8 + 63) & ~63ull);
  if (!block) wrong(&plan, "no memory for the test");
  *(uint64_t *)block = size;
  // Nothing may depend on what is in there.
  memset(block + 64, 0xa5, size + 8);
  host.blocks++;
  return block + 64 + (refuses ? 8 : 0);
}

static void release(void *block, uint64_t size, void *user) {
  uint64_t *note = (uint64_t *)(((uintptr_t)block & ~63ull) - 64);
  if (*note != size || user != &plan) wrong(&plan, "what release was given");
  *note = 0;
  host.blocks--;
  free(note);
}

static long lift(void) {
  if (resource >= 0) {
    struct rlimit limit;
    getrlimit(resource, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(resource, &limit);
  }
  host.at = 0;
  return fault_disarm() + host.refusals;
}

static int entries(const char *folder) {
  DIR *directory = opendir(folder);
  int count = 0;
  if (!directory) return -1;
  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

/// Files and threads are as many as before; a joined thread may be listed for a moment.
static void check_given_back(int files, int threads) {
  if (entries("/proc/self/fd") != files) wrong(&plan, "a file is still open");
  for (int i = 0; entries("/proc/self/task") != threads; i++) {
    if (i == 1000) wrong(&plan, "a thread still runs");
    usleep(1000);
  }
}

/// A run in difficulties and one without; how often something was refused.
static long try(void (*hinder)(long), long number) {
  int files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
  hinder(number);
  long refusals = use_everything(&plan);
  check_given_back(files, threads);
  use_everything(&plan);
  check_given_back(files, threads);
  if (host.blocks != 0) wrong(&plan, "blocks were not released");
  if (host.is_on && host.calls == 0) wrong(&plan, "no block was asked for");
  unlink(plan.packed);
  return refusals;
}

/// Seconds after which a run hangs; nothing that passes comes near.
static const unsigned hangs = 240;

static struct fault fault;

static void arm(long number) {
  fault.at = number;
  if (!fault_arm(fault)) wrong(&plan, "the library was not found");
}

static void refuse(long number) {
  host.calls = host.refusals = 0;
  host.at = number;
}

static void limit(long number) {
  struct rlimit limit;
  getrlimit(resource, &limit);
  limit.rlim_cur = (rlim_t)number;
  setrlimit(resource, &limit);
}

static volatile sig_atomic_t signals;
static void count_signal(int number) { signals += number != 0; }

static void interrupt(long microseconds) {
  struct sigaction action = {.sa_handler = count_signal}; // without SA_RESTART
  struct itimerval timer = {{0, microseconds}, {0, microseconds}};
  sigaction(SIGALRM, &action, NULL);
  setitimer(ITIMER_REAL, &timer, NULL);
}

/// A process for each number, from `first` on, until one meets nothing.
static int in_children(void (*hinder)(long), long first, long stride, unsigned timeout) {
  long runs = 0, bad = 0;
  int clean = 0;
  for (long number = first; !clean; number += stride) {
    pid_t child = fork();
    if (child == 0) {
      alarm(timeout);
      _exit(try(hinder, number) ? 0 : NO_FAULT);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child) return 1;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    clean = code == NO_FAULT || code == WRONG_ALONE;
    runs++;
    if (code == 0 || code == NO_FAULT) continue;
    bad++;
    if (code < 0) fprintf(stderr, "%ld: signal %d\n", number, WTERMSIG(status));
    else fprintf(stderr, "%ld: the above\n", number);
  }
  printf("%ld runs, %ld wrong\n", runs, bad);
  return bad != 0;
}

/// Bytes of the heap in use, and of the mappings beside it.
static long weight(void) {
  unsigned long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%lu", &pages) != 1) wrong(&plan, "/proc/self/statm");
  fclose(file);
  struct mallinfo2 heap = mallinfo2();
  return (long)(pages * 4096 + heap.uordblks - heap.arena);
}

static void nothing(long number) { (void)number; }

static int in_this_process(void (*hinder)(long), long first, long stride) {
  long runs = 0;
  // Memory that is made once, and the memory of the C library's streams, is there after two runs.
  for (int i = 0; i < 2; i++) try(nothing, 0), weight();
  long before = weight();
  for (long number = first; try(hinder, number); number += stride) runs++;
  long more = weight() - before;
  printf("%ld runs, %ld bytes more\n", runs, more);
  return more > 64 * 1024;
}

int main(int count, char **words) {
  static char packed[512];
  if (count != 12) return 2;
  const char *way = words[1];
  int kind = atoi(words[2]);
  long first = atol(words[10]), stride = atol(words[11]);
  fault = (struct fault){(unsigned)kind, first, !strcmp(words[3], "on"), atoi(words[4])};
  snprintf(packed, sizeof packed, "%s/packed-%ld.gguf", words[9], (long)getpid());
  plan = (struct plan){words[6], packed, parse_ids(words[7]), parse_ids(words[8]), atoi(words[5]), lift,
                       NULL, NULL};
  if (!strcmp(way, "cold")) return in_children(arm, first, stride, hangs);
  if (!strcmp(way, "warm")) return in_this_process(arm, first, stride);
  if (!strcmp(way, "host")) {
    host.is_on = 1;
    host.misaligns = kind;
    host.persists = fault.persists;
    plan.allocate = allocate;
    plan.release = release;
    return in_this_process(refuse, first, stride);
  }
  if (!strcmp(way, "limit")) {
    resource = kind;
    return in_children(limit, first, stride, hangs);
  }
  if (!strcmp(way, "closed")) {
    for (int i = 0; i < 3; i++) close(i);
    return in_children(nothing, 0, 0, hangs);
  }
  if (!strcmp(way, "storm")) {
    interrupt(200);
    for (int i = 0; i < 20; i++) try(nothing, 0);
    return signals < 100;
  }
  return 2;
}
