// The faults of shim.c, for programs that are started with it.
#ifndef FAULTS_SHIM_H
#define FAULTS_SHIM_H

enum {
  FAULT_MEMORY = 1,  // malloc, calloc, realloc, aligned_alloc, posix_memalign
  FAULT_MAP = 2,     // mmap
  FAULT_OPEN = 4,    // open, openat
  FAULT_READ = 8,    // read, pread
  FAULT_STATUS = 16, // fstat
  FAULT_THREAD = 32, // pthread_create
  FAULT_WRITE = 64   // pwrite, fsync, link, rename
};

struct fault {
  unsigned kinds; // FAULT_*, together
  long at;        // the first call that fails, from 1
  int persists;   // 1: it and all later ones; 0: it alone
  int code;       // the errno
};

/// Counts from 0 again and fails as told; 0 when the library is not loaded.
int fault_arm(struct fault fault);
/// No more failures; how many there were.
long fault_disarm(void);
/// Calls of the armed kinds since `fault_arm`.
long fault_calls(void);

#endif
