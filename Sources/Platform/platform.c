#define _GNU_SOURCE
#include "platform.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Only a pointer: what a library has of initial-exec memory comes out of the little that the system
// keeps for all libraries that are opened late. The buffer is made by a thread's first failing call,
// out of the reserve when the system refuses it, and goes with the thread.
enum { ERROR_SIZE = 1024 };
static _Thread_local char *error_buffer __attribute__((tls_model("initial-exec")));
static pthread_once_t error_once = PTHREAD_ONCE_INIT;
static pthread_key_t error_key;
static int has_error_key;

static void release_error(void *buffer) {
  error_buffer = NULL;  // another destructor of this thread may still fail a call
  free(buffer);
}
static void make_error_key(void) { has_error_key = !pthread_key_create(&error_key, release_error); }

char *platform_error_buffer(void) {
  if (error_buffer) return error_buffer;
  pthread_once(&error_once, make_error_key);
  char *made = has_error_key ? platform_small_memory(ERROR_SIZE) : NULL;
  if (made && pthread_setspecific(error_key, made)) {
    free(made);
    return NULL;
  }
  if (made) made[0] = 0;
  return error_buffer = made;
}

const char *platform_error_text(void) { return error_buffer ? error_buffer : ""; }

static _Thread_local uint32_t in_allocator __attribute__((tls_model("initial-exec")));
void platform_set_in_allocator(uint32_t is_in) { in_allocator = is_in; }
uint32_t platform_in_allocator(void) { return in_allocator; }

void platform_futex_wait(const void *word, uint32_t expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, (void *)0, (void *)0, 0);
}

void platform_futex_wake(const void *word, int32_t count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, (void *)0, (void *)0, 0);
}

void platform_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

uint64_t platform_random(void) {
  uint64_t bits = 0;
  // The call itself: older C libraries have no function for it. 1 is GRND_NONBLOCK.
  if (syscall(SYS_getrandom, &bits, sizeof bits, 1) == (long)sizeof bits) return bits;
  struct timespec now = {0, 0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  bits = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u;
  return (bits ^ (uint64_t)(uintptr_t)&error_buffer ^ (uint64_t)getpid()) * 0xbf58476d1ce4e5b9u;
}

// A page that the kernel clears in a child: in a PID namespace of its own a child may have the id that its
// parent has in another. The id is what is left where the kernel has no such pages.
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static _Atomic(atomic_ullong *) process_page;

uint64_t platform_process(void) {
  enum { PAGE_SIZE = 4096 };
  static atomic_int is_refused;
  atomic_ullong *page = atomic_load(&process_page);
  if (page == NULL && !atomic_load(&is_refused)) {
    void *made = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made != MAP_FAILED && madvise(made, PAGE_SIZE, MADV_WIPEONFORK) == 0) {
      // Another thread's page may have been first.
      if (atomic_compare_exchange_strong(&process_page, &page, made)) page = made;
      else munmap(made, PAGE_SIZE);
    } else {
      if (made != MAP_FAILED) munmap(made, PAGE_SIZE);
      atomic_store(&is_refused, 1);
      page = atomic_load(&process_page);
    }
  }
  if (page == NULL) return (uint64_t)getpid();
  unsigned long long number = atomic_load(page);
  if (number) return number;
  unsigned long long drawn = platform_random() | 1;
  return atomic_compare_exchange_strong(page, &number, drawn) ? drawn : number;
}

/// What Embedded Swift seeds its hashes with, and what C libraries have only lately.
__attribute__((visibility("hidden"))) void arc4random_buf(void *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) ((uint8_t *)bytes)[i] = (uint8_t)(platform_random() >> 24);
}
