// What Swift cannot say about the system: thread-local storage, futexes, the processor's features.
#ifndef MIXTRAL_PLATFORM_H
#define MIXTRAL_PLATFORM_H

#include "files.h"
#include "libc.h"
#include "resources.h"

#include <stdint.h>

/// How often this thread's call was refused memory that the compiler's code could not do without, and
/// got it from the reserve (reserve.c). Every call of the header starts at 0.
uint32_t platform_refusals(void);
void platform_set_refusals(uint32_t count);

/// Whether more than half of the reserve is in use: no time to begin anything.
uint32_t platform_reserve_is_low(void);

/// Memory of any content, to be given back by `free`: the system's or, up to 64 KiB, the reserve's.
///
/// NULL when there is no memory at all.
void *platform_small_memory(uint64_t size);

/// Whether the system would give this many bytes now; for sizes that would end the call if it would not.
int32_t platform_can_allocate(uint64_t size);

/// Why a call ended before its end; see recovery.c.
enum { PLATFORM_FAILURE_NONE = 0, PLATFORM_FAILURE_TRAP = 1, PLATFORM_FAILURE_MEMORY = 2 };

/// Goes to this thread's innermost recovery point; never returns. Ends the process when there is none.
_Noreturn void platform_fail(int32_t cause);

/// Where the engine's own code goes instead of an illegal instruction (Package.swift).
_Noreturn void platform_trap(void);

/// Tells the innermost recovery point of a file that a failure is to close.
void platform_file_opened(int32_t file);
void platform_file_closed(int32_t file);

/// This thread's error sentence: 1024 bytes, NUL-terminated; NULL when there is no memory at all.
char *platform_error_buffer(void);

/// The same for reading; "" when there is none.
const char *platform_error_text(void);

/// Marks this thread as running an `allocate` or `release` of the host; what it is marked as.
void platform_set_in_allocator(uint32_t is_in);
uint32_t platform_in_allocator(void);

/// Mapped files that the guard knows at once.
enum { PLATFORM_MOST_MAPPINGS = 4096 };

/// Tells the guard of a file that is mapped (guard.c); its number for the two below, -1 when there are too many.
int32_t platform_mapping_added(const void *base, uint64_t size);
/// Before it is unmapped.
void platform_mapping_removed(int32_t number);
/// Whether pages of it were not there when they were read, and are zeros since.
int32_t platform_mapping_is_damaged(int32_t number);

/// Begins or ends handling SIGBUS: 0 when it is so now, EBUSY when a handler that came later is in the way, or
/// the system's errno.
int32_t platform_guard(int32_t on);

/// Sleeps while `*word == expected`; may wake for no reason.
void platform_futex_wait(const void *word, uint32_t expected);

/// Wakes up to `count` sleepers on `word`.
void platform_futex_wake(const void *word, int32_t count);

/// Tells the processor that this is a spin loop.
void platform_pause(void);

#if defined(__x86_64__)
/// Whether this processor and its operating system run AVX2, FMA and F16C.
int32_t platform_has_avx2(void);

/// Whether they run these and AVX-VNNI.
int32_t platform_has_avxvnni(void);

/// Whether they run AVX-512 F, BW, CD, DQ, VL and VNNI.
int32_t platform_has_avx512(void);
#elif defined(__aarch64__)
/// Whether this processor and its operating system run the dot product of bytes (sdot, udot).
int32_t platform_has_dot_product(void);

/// Whether they run these and the products of matrices of bytes (usdot, usmmla).
int32_t platform_has_i8mm(void);
#endif

/// A number of this process, never 0, that no child which was forked from it has.
///
/// For signal handlers too.
uint64_t platform_process(void);

/// Names the calling thread, for debuggers and `top`.
void platform_name_thread(const char *name);

/// Random bits, or when the system has none, what differs between processes and loads.
uint64_t platform_random(void);

/// The state of floating-point arithmetic while the library computes: round to nearest, no flush to zero, no
/// traps. The results are defined by it.
#if defined(__x86_64__)
enum { PLATFORM_FLOAT_STATE = 0x1f80 };
#else
enum { PLATFORM_FLOAT_STATE = 0 };
#endif

/// This thread's state of floating-point arithmetic, control and status: MXCSR, or FPCR and in the upper half FPSR.
uint64_t platform_float_state(void);
void platform_set_float_state(uint64_t state);

#endif
