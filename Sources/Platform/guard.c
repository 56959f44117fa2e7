// A mapped file that is cut raises SIGBUS in whoever reads it. A host that asks for it (and only then)
// gets a handler of that signal: a fault in a mapped file of ours puts zeros in the file's place, marks
// the mapping and goes on, and whoever read it looks at the mark before it uses what it computed. Any
// other SIGBUS goes where it would have gone.
#define _GNU_SOURCE
#include "lock.h"
#include "platform.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

// ---- The mappings. The handler reads them while other threads add and remove theirs: an entry counts
// while `start` is not 0, and its own cannot go while a thread reads the mapping.

static struct mapping {
  atomic_int is_taken;
  atomic_uintptr_t start, end;
  atomic_int is_damaged;
} mappings[PLATFORM_MOST_MAPPINGS];

int32_t platform_mapping_added(const void *base, uint64_t size) {
  for (int32_t i = 0; i < PLATFORM_MOST_MAPPINGS; i++) {
    struct mapping *mapping = &mappings[i];
    int nobody = 0;
    if (!atomic_compare_exchange_strong(&mapping->is_taken, &nobody, 1)) continue;
    atomic_store(&mapping->is_damaged, 0);
    atomic_store(&mapping->end, (uintptr_t)base + size);
    atomic_store(&mapping->start, (uintptr_t)base);
    return i;
  }
  return -1;
}

void platform_mapping_removed(int32_t number) {
  atomic_store(&mappings[number].start, 0);
  atomic_store(&mappings[number].is_taken, 0);
}

int32_t platform_mapping_is_damaged(int32_t number) {
  return atomic_load(&mappings[number].is_damaged);
}

/// Puts zeros in the place of the mapping that an address lies in; whether there is one.
///
/// Of all of it: nothing of it will be used, and no second fault will come.
static int replace(uintptr_t address) {
  for (int i = 0; i < PLATFORM_MOST_MAPPINGS; i++) {
    struct mapping *mapping = &mappings[i];
    uintptr_t start = atomic_load(&mapping->start), end = atomic_load(&mapping->end);
    if (start == 0 || address < start || address >= end) continue;
    if (atomic_load(&mapping->start) != start) continue;  // another one's by now
    atomic_store(&mapping->is_damaged, 1);
    // Not the C library's function, which others may have put theirs before.
    int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    return syscall(SYS_mmap, start, end - start, PROT_READ, flags, -1, 0) == (long)start;
  }
  return 0;
}

// ---- The signal.

static atomic_ullong owner;
/// Whether `guard` was put in the place of `previous`.
static int is_on;
static struct sigaction previous;

/// As if `previous` were what handles the signal.
static void pass_on(int number, siginfo_t *info, void *context) {
  struct sigaction next = previous;
  int is_sent = info->si_code <= 0 || info->si_code == BUS_MCEERR_AO;
  if (next.sa_handler == SIG_IGN && is_sent) return;
  if (next.sa_handler == SIG_DFL || next.sa_handler == SIG_IGN) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(number, &standard, NULL);
    // A fault comes again after the return; what was sent waits for it from now on.
    if (is_sent) syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), number, info);
    return;
  }
  if (next.sa_flags & SA_RESETHAND) previous = (struct sigaction){.sa_handler = SIG_DFL};
  sigset_t before, itself;
  sigemptyset(&itself);
  sigaddset(&itself, number);
  pthread_sigmask(SIG_BLOCK, &next.sa_mask, &before);
  if (next.sa_flags & SA_NODEFER && !sigismember(&next.sa_mask, number)) {
    pthread_sigmask(SIG_UNBLOCK, &itself, NULL);
  }
  if (next.sa_flags & SA_SIGINFO) next.sa_sigaction(number, info, context);
  else next.sa_handler(number);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void guard(int number, siginfo_t *info, void *context) {
  int code = errno;
  int is_ours = info->si_code == BUS_ADRERR && replace((uintptr_t)info->si_addr);
  errno = code;
  if (!is_ours) pass_on(number, info, context);
}

static int32_t set(const struct sigaction *new, struct sigaction *old) {
  return sigaction(SIGBUS, new, old) == 0 ? 0 : errno;
}

static int32_t change(int32_t on) {
  struct sigaction now;
  int32_t code = set(NULL, &now);
  if (code) return code;
  int is_ours = now.sa_flags & SA_SIGINFO && now.sa_sigaction == guard;
  // Nobody who came later is left to hand a signal down to us.
  if (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN) is_on = 0;
  if (is_on && !is_ours) return EBUSY;
  if (is_on == on) return 0;
  if (on) {
    // The stack that a thread has for signals: some runtimes have no other that is large enough.
    struct sigaction ours = {.sa_sigaction = guard, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    ours.sa_flags |= now.sa_flags & SA_RESTART;
    previous = now;
    code = set(&ours, &now);
    if (!code) previous = now;  // what another thread put there meanwhile
  } else {
    code = set(&previous, NULL);
  }
  if (!code) is_on = on;
  return code;
}

int32_t platform_guard(int32_t on) {
  lock(&owner);
  int32_t code = change(on);
  unlock(&owner);
  return code;
}
