// The last line of defence. An arithmetic overflow, an index out of bounds and a refused allocation
// end a Swift program; here they end the call. The compiler sends the engine's traps to
// `platform_trap` (Package.swift), the linker sends what the runtime does when it gives up here, and
// all of these go back to the recovery point that the call began with, as `longjmp` does.
//
// The frames between are left as they are: what they owned is lost, and what they changed may be half
// done. So the code at a recovery point marks the session or the model as failed, and gives back the locks
// it holds; files that were opened on the way are closed here. Memory that was taken on the way stays taken.
// It is a net below a bug, or below memory too short for the reserve (reserve.c), not a way to report errors.
#define _GNU_SOURCE
#include "platform.h"

#include <setjmp.h>
#include <stdarg.h>
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

// ---- What the runtime calls when it gives up. Each of them says so on the standard error first, or
// is the only thing between its caller and an illegal instruction.

/// swift::swift_abortAllocationFailure(size, alignment mask)
_Noreturn void __wrap__ZN5swift28swift_abortAllocationFailureEmm(size_t size, size_t mask) {
  (void)size, (void)mask;
  platform_fail(PLATFORM_FAILURE_MEMORY);
}

/// swift::swift_abortRetainOverflow()
_Noreturn void __wrap__ZN5swift25swift_abortRetainOverflowEv(void) { platform_trap(); }

/// swift::fatalError(flags, format, ...)
_Noreturn void __wrap__ZN5swift10fatalErrorEjPKcz(uint32_t flags, const char *format, ...) {
  (void)flags, (void)format;
  platform_trap();
}

/// The standard library's failed preconditions, with the place in its source.
_Noreturn void __wrap__swift_stdlib_reportFatalErrorInFile(
    const uint8_t *prefix, int prefix_length, const uint8_t *message, int message_length,
    const uint8_t *file, int file_length, uint32_t line, uint32_t flags) {
  (void)prefix, (void)prefix_length, (void)message, (void)message_length;
  (void)file, (void)file_length, (void)line, (void)flags;
  platform_trap();
}

/// And without it.
_Noreturn void __wrap__swift_stdlib_reportFatalError(
    const uint8_t *prefix, int prefix_length, const uint8_t *message, int message_length,
    uint32_t flags) {
  (void)prefix, (void)prefix_length, (void)message, (void)message_length, (void)flags;
  platform_trap();
}

/// What every `throw` of the C++ library begins with; nothing in the library catches one.
_Noreturn void *__wrap___cxa_allocate_exception(size_t size) {
  (void)size;
  platform_trap();
}

_Noreturn void __wrap_abort(void) { platform_trap(); }

/// swift::warning(flags, format, ...), which would go to the standard error too.
void __wrap__ZN5swift7warningEjPKcz(uint32_t flags, const char *format, ...) {
  (void)flags, (void)format;
}
