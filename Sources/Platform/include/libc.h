// The functions of the C library that the rooms call. Swift's module Glibc exists only where Swift's
// runtime does; `import Platform` brings these everywhere, and with them what Swift cannot import: macros
// that are expressions, and functions with a variable number of arguments.
#ifndef MIXTRAL_LIBC_H
#define MIXTRAL_LIBC_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/// This thread's `errno`.
static inline int platform_errno(void) { return errno; }
static inline void platform_set_errno(int code) { errno = code; }

/// What `mmap` returns when it maps nothing.
static inline void *platform_map_failed(void) { return MAP_FAILED; }

/// Opens a file; `mode` are the permissions of a new one.
static inline int platform_open(const char *path, int flags, unsigned mode) {
  return open(path, flags, mode);
}

/// A copy of a descriptor, closed when the process starts another program, with a number of at least `least`.
static inline int platform_duplicate(int descriptor, int least) {
  return fcntl(descriptor, F_DUPFD_CLOEXEC, least);
}

#endif
