// What a process may use of its machine: processors, memory, addresses (resources.c).
#ifndef MIXTRAL_RESOURCES_H
#define MIXTRAL_RESOURCES_H

#include <stdint.h>

/// The processors that this process may use: affinity, cut by the CPU quotas of its control groups; at least 1.
uint32_t platform_processor_count(void);

/// The processors that the smallest CPU quota of the control groups allows, rounded down, at least 1; 0 when there
/// is none.
///
/// `root` is put in front of /proc and /sys: "" for the system's own.
uint32_t platform_quota_processors(const char *root);

/// Whose limit `platform_memory.limit` is.
enum { PLATFORM_LIMIT_NONE = 0, PLATFORM_LIMIT_GROUP = 1, PLATFORM_LIMIT_MACHINE = 2 };

/// What memory is there for something new, in bytes; UINT64_MAX where nothing is known.
struct platform_memory {
  /// Beyond this the kernel ends a process.
  uint64_t allowed;
  /// What `allowed` is left of: the limit, memory and swap, and PLATFORM_LIMIT_*.
  uint64_t limit;
  uint32_t kind;
  /// Beyond this others have to give memory back first, or the kernel slows the process down.
  uint64_t available;
};

/// The memory that control groups and the machine leave; `root` as above.
struct platform_memory platform_memory_left(const char *root);

/// The bytes of addresses that RLIMIT_AS leaves this process, UINT64_MAX without one, and the limit itself.
uint64_t platform_addresses_left(const char *root, uint64_t *limit);

#endif
