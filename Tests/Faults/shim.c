// Refuses what the library asks of the system, one call at a time (LD_PRELOAD).
//
// Only calls whose return address lies in libmixtral.so are counted: the program that tests, and the
// C library for itself, get what they ask for. Armed and read through the functions of shim.h.
#define _GNU_SOURCE
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// The allocator itself; `dlsym` may allocate, so its functions are not looked up.
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static struct fault armed;
static atomic_long calls;
static atomic_long failures;
static uintptr_t first_byte, last_byte;

static struct {
  void *(*mmap)(void *, size_t, int, int, int, off_t);
  int (*open)(const char *, int, ...);
  int (*openat)(int, const char *, int, ...);
  ssize_t (*read)(int, void *, size_t);
  ssize_t (*pread)(int, void *, size_t, off_t);
  ssize_t (*pwrite)(int, const void *, size_t, off_t);
  int (*fstat)(int, struct stat *);
  int (*fsync)(int);
  int (*fchmod)(int, mode_t);
  int (*link)(const char *, const char *);
  int (*rename)(const char *, const char *);
  int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
} real;

__attribute__((constructor)) static void find_real(void) {
#define FIND(name) *(void **)&real.name = dlsym(RTLD_NEXT, #name)
  FIND(mmap);
  FIND(open);
  FIND(openat);
  FIND(read);
  FIND(pread);
  FIND(pwrite);
  FIND(fstat);
  FIND(fsync);
  FIND(fchmod);
  FIND(link);
  FIND(rename);
  FIND(pthread_create);
#undef FIND
}

static int find_library(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  if (!strstr(info->dlpi_name, "libmixtral")) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type != PT_LOAD || !(header->p_flags & PF_X)) continue;
    first_byte = info->dlpi_addr + header->p_vaddr;
    last_byte = first_byte + header->p_memsz;
  }
  return 1;
}

int fault_arm(struct fault fault) {
  if (!first_byte) dl_iterate_phdr(find_library, NULL);
  atomic_store(&calls, 0);
  atomic_store(&failures, 0);
  armed = fault;
  return first_byte != 0;
}

long fault_disarm(void) {
  armed.kinds = 0;
  return atomic_load(&failures);
}

long fault_calls(void) { return atomic_load(&calls); }

/// Whether this call is to fail; then errno says why.
static int fails(unsigned kind, const void *caller) {
  if (!(armed.kinds & kind)) return 0;
  uintptr_t from = (uintptr_t)caller;
  if (from < first_byte || from >= last_byte) return 0;
  long call = atomic_fetch_add(&calls, 1) + 1;
  if (armed.persists ? call < armed.at : call != armed.at) return 0;
  atomic_fetch_add(&failures, 1);
  errno = armed.code;
  return 1;
}
#define FAILS(kind) fails(kind, __builtin_return_address(0))

void *malloc(size_t size) { return FAILS(FAULT_MEMORY) ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) {
  return FAILS(FAULT_MEMORY) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
  return FAILS(FAULT_MEMORY) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  return FAILS(FAULT_MEMORY) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (FAILS(FAULT_MEMORY)) return ENOMEM;
  void *memory = __libc_memalign(alignment, size);
  if (!memory) return ENOMEM;
  *result = memory;
  return 0;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
  if (FAILS(FAULT_MAP)) return MAP_FAILED;
  return real.mmap(address, size, protection, flags, file, offset);
}

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return FAILS(FAULT_OPEN) ? -1 : real.open(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
  va_end(more);
  return FAILS(FAULT_OPEN) ? -1 : real.openat(folder, path, flags, mode);
}

ssize_t read(int file, void *buffer, size_t size) {
  return FAILS(FAULT_READ) ? -1 : real.read(file, buffer, size);
}

ssize_t pread(int file, void *buffer, size_t size, off_t offset) {
  return FAILS(FAULT_READ) ? -1 : real.pread(file, buffer, size, offset);
}

ssize_t pwrite(int file, const void *buffer, size_t size, off_t offset) {
  return FAILS(FAULT_WRITE) ? -1 : real.pwrite(file, buffer, size, offset);
}

int fstat(int file, struct stat *status) {
  return FAILS(FAULT_STATUS) ? -1 : real.fstat(file, status);
}

int fsync(int file) { return FAILS(FAULT_WRITE) ? -1 : real.fsync(file); }

int fchmod(int file, mode_t mode) {
  return FAILS(FAULT_WRITE) ? -1 : real.fchmod(file, mode);
}

int link(const char *from, const char *to) {
  return FAILS(FAULT_WRITE) ? -1 : real.link(from, to);
}

int rename(const char *from, const char *to) {
  return FAILS(FAULT_WRITE) ? -1 : real.rename(from, to);
}

int pthread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
  if (FAILS(FAULT_THREAD)) return armed.code;
  return real.pthread_create(thread, attributes, body, argument);
}
