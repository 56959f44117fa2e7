// The answers of this program in place of the system's when the library asks: the names of an
// executable come first. Without a word of the environment all is passed on.
#define _GNU_SOURCE
#include "host.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/types.h>

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

/// The files in which the system describes itself lie below another folder, or, with a system that shows nothing, nowhere.
int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if (strncmp(path, "/sys/", 5) && strncmp(path, "/proc/", 6)) return REAL(open)(path, flags, mode);
  const char *folder = getenv("HOST_FILES");
  char other[4096];
  if (getenv("HOST_BARE")) {
    errno = ENOENT;
    return -1;
  }
  if (folder) {
    snprintf(other, sizeof other, "%s%s", folder, path);
    path = other;
  }
  return REAL(open)(path, flags, mode);
}

int sched_getaffinity(pid_t process, size_t size, cpu_set_t *set) {
  if (!getenv("HOST_BARE")) return REAL(sched_getaffinity)(process, size, set);
  errno = ENOSYS;
  return -1;
}

ssize_t getrandom(void *buffer, size_t size, unsigned flags) {
  if (!getenv("HOST_NO_RANDOM")) return REAL(getrandom)(buffer, size, flags);
  errno = EAGAIN;
  return -1;
}

/// A system that takes nothing back and no advice.
int munmap(void *base, size_t size) {
  if (!getenv("HOST_STUBBORN")) return REAL(munmap)(base, size);
  errno = ENOMEM;
  return -1;
}

int madvise(void *base, size_t size, int advice) {
  if (!getenv("HOST_STUBBORN")) return REAL(madvise)(base, size, advice);
  errno = EINVAL;
  return -1;
}

// ---- Workers: their stacks are made here, painted, and looked at when they are gone.

enum { MOST_WORKERS = 64, STACK = 512 * 1024 };
static unsigned char *stacks[MOST_WORKERS];
static int workers, painting;

void paint_workers(void) { painting = 1; }

unsigned char *make_stack(size_t size) {
  int kind = MAP_PRIVATE | MAP_ANONYMOUS;
  void *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, kind, -1, 0);
  CHECK(stack != MAP_FAILED);
  return stack;
}

size_t depth(const unsigned char *stack, size_t size) {
  size_t untouched = 0;
  while (untouched < size && stack[untouched] == PAINTED) untouched++;
  return size - untouched;
}

size_t worker_depth(void) {
  size_t deepest = 0;
  CHECK(workers > 0);
  for (int i = 0; i < workers; i++) {
    size_t one = depth(stacks[i], STACK);
    if (one > deepest) deepest = one;
  }
  return deepest;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument) {
  if (!painting) return REAL(pthread_create)(thread, attributes, start, argument);
  size_t wanted = 0;
  pthread_attr_t painted;
  CHECK(attributes && !pthread_attr_getstacksize(attributes, &wanted) && wanted == STACK);
  CHECK(workers < MOST_WORKERS);
  unsigned char *stack = make_stack(STACK);
  memset(stack, PAINTED, STACK);
  stacks[workers++] = stack;
  CHECK(!pthread_attr_init(&painted) && !pthread_attr_setstack(&painted, stack, STACK));
  int code = REAL(pthread_create)(thread, &painted, start, argument);
  pthread_attr_destroy(&painted);
  return code;
}
