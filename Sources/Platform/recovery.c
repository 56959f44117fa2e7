// The last line of defence. An arithmetic overflow, an index out of bounds and a refused allocation
// end a Swift program; here they end the call. The compiler sends every failed check, also the standard
// library's, to `platform_trap` (Package.swift), and memory that nobody has is a failure too (reserve.c).
// Both go back to the recovery point that the call began with, as `longjmp` does.
//
// The frames between are left as they are: what they owned is lost, and what they changed may be half
// done. So the code at a recovery point marks the session or the model as failed, and gives back the locks
// it holds; files that were opened on the way are closed here. Memory that was taken on the way stays taken.
// It is a net below a bug, or below memory too short for the reserve (reserve.c), not a way to report errors.
#define _GNU_SOURCE
#include "platform.h"

#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

struct recovery_point {
  jmp_buf place;
  struct recovery_point *outer;
  /// Files opened and not closed since; a load has one for each part, and more are not looked after.
  int files[16];
  int file_count;
};

// As in reserve.c: a lookup never allocates.
static _Thread_local struct recovery_point *innermost __attribute__((tls_model("initial-exec")));

/// Runs a Swift closure, whose two words arrive as Swift passes them; the failure that ended it.
///
/// Declared in Sources/Base/Recovery.swift, as no header can name a Swift closure.
__attribute__((swiftcall)) int32_t platform_recover(
    __attribute__((swiftcall)) void (*body)(__attribute__((swift_context)) void *), void *context) {
  struct recovery_point point;
  point.outer = innermost;
  point.file_count = 0;
  innermost = &point;
  int32_t cause = _setjmp(point.place);
  if (cause == PLATFORM_FAILURE_NONE) {
    body(context);
    innermost = point.outer;
    return cause;
  }
  for (int i = 0; i < innermost->file_count; i++) close(innermost->files[i]);
  innermost = innermost->outer;
  return cause;
}

void platform_file_opened(int32_t file) {
  struct recovery_point *point = innermost;
  if (point == NULL || point->file_count == sizeof point->files / sizeof *point->files) return;
  point->files[point->file_count++] = file;
}

void platform_file_closed(int32_t file) {
  struct recovery_point *point = innermost;
  for (int i = 0; point != NULL && i < point->file_count; i++) {
    if (point->files[i] == file) {
      point->files[i] = point->files[--point->file_count];
      return;
    }
  }
}

void platform_fail(int32_t cause) {
  if (innermost == NULL) __builtin_trap();
  longjmp(innermost->place, cause);
}

void platform_trap(void) { platform_fail(PLATFORM_FAILURE_TRAP); }
