// All calls in a process that may ask the system for little: what a sandbox must allow the library.
#define _GNU_SOURCE
#include "host.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const int allowed[] = {
    SYS_openat, SYS_close, SYS_newfstatat, SYS_fstat, SYS_stat, SYS_pread64, SYS_read,
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_mremap,
    SYS_futex, SYS_clone3, SYS_rseq, SYS_set_robust_list, SYS_rt_sigprocmask, SYS_exit, SYS_prctl,
    // The C library's, with a process's first thread.
    SYS_rt_sigaction,
    SYS_sched_getaffinity, SYS_sched_yield, SYS_getpid, SYS_gettid, SYS_getrandom,
    SYS_clock_gettime,
    // Calls that write packed files and sessions, besides.
    SYS_pwrite64, SYS_fsync, SYS_link, SYS_unlink, SYS_rename, SYS_rt_sigtimedwait,
    // Calls that replace them: for a link's target, the owner, the access list, the permissions.
    SYS_readlink, SYS_fchown, SYS_getxattr, SYS_fsetxattr, SYS_fremovexattr, SYS_fchmod,
    // This program's own.
    SYS_chmod,
    // The end of this program.
    SYS_exit_group,
};

int run_confined(void) {
  enum { COUNT = sizeof allowed / sizeof *allowed };
  struct sock_filter filter[2 * COUNT + 2] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
  for (int i = 0; i < COUNT; i++) {
    filter[2 * i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i], 0, 1);
    filter[2 * i + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  }
  filter[2 * COUNT + 1] =
      (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  struct sock_fprog program = {2 * COUNT + 2, filter};
  CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
  use_everything(&plan);
  return 0;
}
