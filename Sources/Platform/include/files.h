// What a file that replaces another takes over from it, and which file that is (files.c).
#ifndef MIXTRAL_FILES_H
#define MIXTRAL_FILES_H

#include <stdint.h>

/// Where a path leads: the path without symbolic links at its end, whether or not something is there. Half of `size`
/// bytes are for it, half to work in. 0, ELOOP or ENAMETOOLONG.
int32_t platform_follow_links(const char *path, char *target, uint64_t size);

/// Gives an open file the owner, group, permissions and access list of what is at a path, as far as the system
/// allows, and never permissions that others do not have there. 0, also when nothing is there, or an errno.
int32_t platform_inherit(int32_t file, const char *path);

#endif
