// A file that is written under another name and renamed is a new file: without care it has another mode, owner and
// access list than the one that it replaces, and stands where a symbolic link was.
#define _GNU_SOURCE
#include "files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

int32_t platform_follow_links(const char *path, char *target, uint64_t size) {
  enum { MOST_LINKS = 40 };  // the kernel's own
  // A host's stack may be small: what a link says goes into the second half.
  char *link = target + size / 2;
  struct stat status;
  size_t length = strlen(path);
  size /= 2;
  if (length >= size) return ENAMETOOLONG;
  memcpy(target, path, length + 1);
  for (int links = 0; lstat(target, &status) == 0 && S_ISLNK(status.st_mode); links++) {
    if (links == MOST_LINKS) return ELOOP;
    ssize_t count = readlink(target, link, size);
    // What cannot be read is for whoever opens it to say.
    if (count < 0) return 0;
    // It is relative to the folder that it lies in.
    const char *slash = link[0] == '/' ? NULL : strrchr(target, '/');
    size_t folder = slash ? (size_t)(slash - target) + 1 : 0;
    if ((size_t)count == size || folder + (size_t)count >= size) return ENAMETOOLONG;
    memcpy(target + folder, link, (size_t)count);
    target[folder + (size_t)count] = 0;
  }
  return 0;
}

/// Gives an open file the access list of a path, or none where that has none; whether it has the same then.
static int inherit_list(int32_t file, const char *path) {
  static const char name[] = "system.posix_acl_access";
  char list[512];  // 63 entries
  ssize_t size = getxattr(path, name, list, sizeof list);
  if (size >= 0) return fsetxattr(file, name, list, (size_t)size, 0) == 0;
  if (errno == ERANGE) return 0;
  // One that the folder gives to new files would let in others.
  fremovexattr(file, name);
  return 1;
}

int32_t platform_inherit(int32_t file, const char *path) {
  struct stat old, new;
  if (stat(path, &old)) return errno == ENOENT ? 0 : errno;
  if (fstat(file, &new)) return errno;
  mode_t mode = old.st_mode & 0777;
  int has_group = 1;
  if (old.st_uid != new.st_uid || old.st_gid != new.st_gid) {
    // Only root gives files to others. A group that this process is of can be kept.
    if (fchown(file, old.st_uid, old.st_gid)) has_group = !fchown(file, (uid_t)-1, old.st_gid);
  }
  int has_list = inherit_list(file, path);
  // The bits of a group stand for the list, too: without the one or the other they are no more than everybody's.
  if (!has_group || !has_list) mode &= ~(mode_t)070 | (mode & 07) << 3;
  if (fchmod(file, mode) == 0) return 0;
  int32_t code = errno;
  if (fstat(file, &new)) return errno;
  // Some file systems have no modes; what they have is right when it gives away no more.
  return new.st_mode & 0777 & ~mode ? code : 0;
}
