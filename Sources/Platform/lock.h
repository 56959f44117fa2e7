// A lock that never allocates, and that a forked child can take whoever held it in its parent.
#ifndef MIXTRAL_LOCK_H
#define MIXTRAL_LOCK_H

#include "platform.h"

#include <sched.h>
#include <stdatomic.h>

/// `owner` is the process that holds the lock, 0 when none does.
static inline void lock(atomic_ullong *owner) {
  unsigned long long self = platform_process(), found = 0;
  while (!atomic_compare_exchange_weak(owner, &found, self)) {
    // A child that was forked meanwhile inherits the lock of a thread that it does not have.
    if (found == self || found == 0) {
      found = 0;
      sched_yield();
    }
  }
}

static inline void unlock(atomic_ullong *owner) { atomic_store(owner, 0); }

#endif
