// What a process may use of its machine: the CPU quotas and memory limits of control groups (version 1, version 2
// and both side by side), the machine's memory, and the limit of addresses.
//
// A limit of any ancestor holds: every folder is looked at from the process's own group up to where its hierarchy
// is mounted, and the smallest wins. /proc/self/cgroup says which group it is, /proc/self/mountinfo where the
// hierarchy is. What cannot be read or understood is no limit. Nothing is allocated, and nothing waits.
//
// Quotas are rounded down: threads wait for one another, so one too many stands in the throttling every period
// and all the others wait for it.
//
// Limits of memory. A control group's is hard: beyond it, and beyond the swap that the group and the machine
// leave, a process of the group is killed. What the page cache holds of the group's memory is given back first, so
// it does not count as used. Of the machine only what it has in all, memory and swap, is certain: what others hold
// now they may give back in time, and caches that the kernel does not count (ZFS) are given back too. So
// MemAvailable and memory.high refuse nothing; they are `available`, which is worth a warning.
#define _GNU_SOURCE
#include "resources.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

// Longer paths and lines are not those of control groups; lines of numbers are short. A host's stack may be small:
// some 3 KiB are used here, for which frames of functions that follow one another are not merged.
enum { PATH_SIZE = 512, LINE_SIZE = 640, NUMBER_LINE_SIZE = 96, CPU_SETS = 8 };
#define FRAME __attribute__((noinline))

// ---- Paths, lines and numbers.

struct path {
  size_t length;
  char text[PATH_SIZE];
};

/// Adds to a path; whether there was room. Without, the path is as it was.
static int append(struct path *path, const char *text) {
  size_t length = strlen(text);
  if (length >= PATH_SIZE - path->length) return 0;
  memcpy(path->text + path->length, text, length + 1);
  path->length += length;
  return 1;
}

static void cut(struct path *path, size_t length) {
  path->length = length;
  path->text[length] = 0;
}

static void begin(struct path *path, const char *root) {
  cut(path, 0);
  append(path, root);
}

/// Opens a file of a folder for reading; -1 when that cannot be.
static int open_file(struct path *folder, const char *name) {
  size_t length = folder->length;
  int file = -1;
  if (append(folder, name)) {
    do file = open(folder->text, O_RDONLY | O_CLOEXEC);
    while (file < 0 && errno == EINTR);
  }
  cut(folder, length);
  return file;
}

/// Opens a file below `root` for reading; -1 when that cannot be.
FRAME static int open_below(const char *root, const char *name) {
  struct path path;
  begin(&path, root);
  return open_file(&path, name);
}

struct lines {
  int file;
  size_t next, end;
  char bytes[256];
};

/// The next line without its end, cut to `size` - 1 bytes; 0 when there is none.
static int next_line(struct lines *lines, char *line, size_t size) {
  size_t length = 0;
  for (int any = 0;; any = 1) {
    if (lines->next == lines->end) {
      ssize_t count;
      do count = read(lines->file, lines->bytes, sizeof lines->bytes);
      while (count < 0 && errno == EINTR);
      lines->next = 0;
      lines->end = count > 0 ? (size_t)count : 0;
      if (count <= 0) {
        line[length] = 0;
        return any;
      }
    }
    char byte = lines->bytes[lines->next++];
    if (byte == '\n') break;
    if (length < size - 1) line[length++] = byte;
  }
  line[length] = 0;
  return 1;
}

/// The number that a text begins with, at most UINT64_MAX; where it ends, NULL when there is none.
static const char *number(const char *text, uint64_t *value) {
  if (*text < '0' || *text > '9') return NULL;
  uint64_t sum = 0;
  for (; *text >= '0' && *text <= '9'; text++) {
    uint64_t digit = (uint64_t)(*text - '0');
    sum = sum > (UINT64_MAX - digit) / 10 ? UINT64_MAX : sum * 10 + digit;
  }
  *value = sum;
  return text;
}

/// A file's first one or two numbers; how many there are. ("max" and "-1", which mean no limit, are none.)
FRAME static int read_numbers(struct path *folder, const char *name, uint64_t values[2]) {
  struct lines lines = {.file = open_file(folder, name)};
  if (lines.file < 0) return 0;
  char line[NUMBER_LINE_SIZE];
  int count = 0;
  if (next_line(&lines, line, sizeof line)) {
    const char *rest = number(line, &values[0]);
    count = rest != NULL;
    if (rest && *rest == ' ' && number(rest + 1, &values[1])) count = 2;
  }
  close(lines.file);
  return count;
}

/// The one number of a file, or `otherwise`.
static uint64_t read_number(struct path *folder, const char *name, uint64_t otherwise) {
  uint64_t values[2];
  return read_numbers(folder, name, values) > 0 ? values[0] : otherwise;
}

/// Adds up the numbers of a file whose lines begin with one of the names.
FRAME static uint64_t sum_of(struct path *folder, const char *file, const char *const *names) {
  struct lines lines = {.file = open_file(folder, file)};
  if (lines.file < 0) return 0;
  char line[NUMBER_LINE_SIZE];
  uint64_t sum = 0, value;
  while (next_line(&lines, line, sizeof line)) {
    for (const char *const *name = names; *name; name++) {
      size_t length = strlen(*name);
      if (strncmp(line, *name, length) || (line[length] != ' ' && line[length] != ':')) continue;
      const char *text = line + length + 1;
      while (*text == ' ') text++;
      if (number(text, &value) && __builtin_add_overflow(sum, value, &sum)) sum = UINT64_MAX;
    }
  }
  close(lines.file);
  return sum;
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t minus(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }
static uint64_t plus(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

// ---- The groups of this process.

/// Does something with a folder of a hierarchy; `is_own` for the process's own group.
typedef void visit(struct path *folder, int is_own, void *result);

/// Whether a list such as "cpu,cpuacct" has a name.
static int has(const char *list, const char *name) {
  size_t length = strlen(name);
  for (const char *one = list; one; one = (one = strchr(one, ',')) ? one + 1 : NULL) {
    if (!strncmp(one, name, length) && (one[length] == 0 || one[length] == ',')) return 1;
  }
  return 0;
}

/// The path of this process's group in a controller's hierarchy of version 1, or for NULL in that of version 2:
/// a line "ID:CONTROLLERS:PATH" of /proc/self/cgroup.
FRAME static int find_group(const char *root, const char *controller, struct path *group) {
  struct lines lines = {.file = open_below(root, "/proc/self/cgroup")};
  if (lines.file < 0) return 0;
  char line[LINE_SIZE];
  int found = 0;
  while (!found && next_line(&lines, line, sizeof line)) {
    char *list = strchr(line, ':');
    char *path = list ? strchr(list + 1, ':') : NULL;
    if (!path) continue;
    *list++ = 0;
    *path++ = 0;
    if (controller ? !has(list, controller) : strcmp(line, "0") || *list) continue;
    cut(group, 0);
    found = append(group, path);
  }
  close(lines.file);
  return found;
}

/// Undoes the escapes of /proc/self/mountinfo: "\040" is a space.
static void unescape(char *text) {
  char *out = text;
  for (const char *in = text; *in; in++, out++) {
    *out = *in;
    if (in[0] != '\\' || in[1] < '0' || in[1] > '3' || in[2] < '0' || in[2] > '7') continue;
    if (in[3] < '0' || in[3] > '7') continue;
    *out = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
    in += 3;
  }
  *out = 0;
}

/// The parts of a line of /proc/self/mountinfo: "36 35 0:31 ROOT POINT rw,noatime shared:1 - TYPE source OPTIONS".
struct mount {
  char *root, *point, *type, *options;
};

static int parse_mount(char *line, struct mount *mount) {
  char *words[8] = {0}, *rest = NULL;
  int count = 0, is_past = 0;
  for (char *word = strtok_r(line, " ", &rest); word && count < 8; word = strtok_r(NULL, " ", &rest)) {
    // As many words as there like stand between the fifth and the hyphen.
    if (count == 5 && !is_past) is_past = !strcmp(word, "-");
    else words[count++] = word;
  }
  if (count < 8) return 0;
  *mount = (struct mount){.root = words[3], .point = words[4], .type = words[5], .options = words[7]};
  unescape(mount->root);
  unescape(mount->point);
  return 1;
}

/// Where a group lies below the root of a mount; "" for the mount itself, and where that cannot be told.
static const char *below(const char *group, const char *mounted) {
  size_t length = strcmp(mounted, "/") ? strlen(mounted) : 0;
  // Outside of a namespace's root it begins with "/..".
  if (strstr(group, "/..") || strncmp(group, mounted, length)) return "";
  const char *rest = group + length;
  return *rest == '/' && rest[1] ? rest : "";
}

/// Visits the folders from a group up to the mount.
FRAME static void climb(
    const char *root, const struct mount *mount, const char *group, visit *visit, void *result) {
  struct path folder;
  begin(&folder, root);
  if (!append(&folder, mount->point)) return;
  size_t top = folder.length;
  if (!append(&folder, below(group, mount->root))) return;
  for (int is_own = 1;; is_own = 0) {
    visit(&folder, is_own, result);
    if (folder.length <= top) return;
    size_t length = folder.length;
    while (length > top && folder.text[length - 1] != '/') length--;
    cut(&folder, length > top ? length - 1 : top);
  }
}

/// Visits the process's group of a hierarchy and all that it lies in: a controller of version 1, or for NULL
/// version 2. And the usual place of the hierarchy, which some sandboxes do not list as a mount.
FRAME static void visit_groups(
    const char *root, const char *controller, const char *usual, visit *visit, void *result) {
  struct path group;
  struct lines lines = {.file = -1};
  if (find_group(root, controller, &group)) lines.file = open_below(root, "/proc/self/mountinfo");
  char line[LINE_SIZE];
  struct mount mount;
  while (lines.file >= 0 && next_line(&lines, line, sizeof line)) {
    if (!parse_mount(line, &mount) || strcmp(mount.type, controller ? "cgroup" : "cgroup2")) continue;
    if (!controller || has(mount.options, controller)) climb(root, &mount, group.text, visit, result);
  }
  if (lines.file >= 0) close(lines.file);
  begin(&group, root);
  if (append(&group, usual)) visit(&group, 0, result);
}

// ---- Processors.

static void least_quota(uint32_t *count, uint64_t quota, uint64_t period) {
  if (quota == 0 || period == 0) return;
  uint64_t processors = quota / period;
  if (processors == 0) processors = 1;
  if (processors < UINT32_MAX && (*count == 0 || processors < *count)) *count = (uint32_t)processors;
}

/// Version 2: "QUOTA PERIOD" in microseconds; the period is 100,000 where it is not said.
static void visit_cpu_max(struct path *folder, int is_own, void *count) {
  (void)is_own;
  uint64_t values[2] = {0, 100000};
  if (read_numbers(folder, "/cpu.max", values) > 0) least_quota(count, values[0], values[1]);
}

/// Version 1: a file each, and a quota of -1 is none.
static void visit_cfs_quota(struct path *folder, int is_own, void *count) {
  (void)is_own;
  uint64_t quota = read_number(folder, "/cpu.cfs_quota_us", 0);
  if (quota) least_quota(count, quota, read_number(folder, "/cpu.cfs_period_us", 100000));
}

uint32_t platform_quota_processors(const char *root) {
  uint32_t count = 0;
  visit_groups(root, NULL, "/sys/fs/cgroup", visit_cpu_max, &count);
  visit_groups(root, "cpu", "/sys/fs/cgroup/cpu", visit_cfs_quota, &count);
  return count;
}

/// The processors of this thread's affinity.
FRAME static uint32_t affinity(void) {
  // Room for 8,192 processors: the kernel refuses a set that is smaller than its own.
  cpu_set_t sets[CPU_SETS];
  memset(sets, 0, sizeof sets);
  if (sched_getaffinity(0, sizeof sets, sets)) return 1;
  int count = CPU_COUNT_S(sizeof sets, sets);
  return count > 0 ? (uint32_t)count : 1;
}

uint32_t platform_processor_count(void) {
  uint32_t count = affinity();
  uint32_t quota = platform_quota_processors("");
  return quota != 0 && quota < count ? quota : count;
}

// ---- Memory.

struct search {
  struct platform_memory memory;
  /// Swap of the machine that nobody uses.
  uint64_t free_swap;
};

static void limit(struct search *search, uint64_t allowed, uint64_t limit, uint32_t kind) {
  if (allowed >= search->memory.allowed) return;
  search->memory.allowed = allowed;
  search->memory.limit = limit;
  search->memory.kind = kind;
}

/// What of a group's memory is not given back by itself.
static uint64_t kept(struct path *folder, const char *usage, const char *const *caches) {
  return minus(read_number(folder, usage, 0), sum_of(folder, "/memory.stat", caches));
}

/// Version 2. Swap has a limit of its own.
static void visit_memory_max(struct path *folder, int is_own, void *result) {
  (void)is_own;
  static const char *const caches[] = {"active_file", "inactive_file", "slab_reclaimable", NULL};
  struct search *search = result;
  uint64_t most = read_number(folder, "/memory.max", UINT64_MAX);
  uint64_t high = read_number(folder, "/memory.high", UINT64_MAX);
  if (most == UINT64_MAX && high == UINT64_MAX) return;
  uint64_t used = kept(folder, "/memory.current", caches);
  search->memory.available = least(search->memory.available, minus(least(most, high), used));
  if (most == UINT64_MAX) return;
  uint64_t swap = minus(
      read_number(folder, "/memory.swap.max", UINT64_MAX), read_number(folder, "/memory.swap.current", 0));
  swap = least(swap, search->free_swap);
  limit(search, plus(minus(most, used), swap), plus(most, swap), PLATFORM_LIMIT_GROUP);
}

/// Version 1. Memory and swap together may have a second limit, and "no limit" is a number near 2^63.
static void visit_limit_in_bytes(struct path *folder, int is_own, void *result) {
  static const char *const caches[] = {"total_active_file", "total_inactive_file", NULL};
  static const uint64_t none = (uint64_t)1 << 60;
  struct search *search = result;
  // Kernels before 5.11 do not count the groups inside, unless they are asked to.
  if (!is_own && read_number(folder, "/memory.use_hierarchy", 1) == 0) return;
  uint64_t most = read_number(folder, "/memory.limit_in_bytes", UINT64_MAX);
  if (most >= none) return;
  uint64_t used = kept(folder, "/memory.usage_in_bytes", caches);
  uint64_t both = read_number(folder, "/memory.memsw.limit_in_bytes", UINT64_MAX);
  uint64_t swap = search->free_swap;
  if (both < none) swap = least(swap, minus(both, most));
  search->memory.available = least(search->memory.available, minus(most, used));
  limit(search, plus(minus(most, used), swap), plus(most, swap), PLATFORM_LIMIT_GROUP);
}

/// A number of /proc/meminfo in bytes.
FRAME static uint64_t machine_bytes(const char *root, const char *name) {
  const char *const names[] = {name, NULL};
  struct path proc;
  begin(&proc, root);
  uint64_t kilobytes = sum_of(&proc, "/proc/meminfo", names);
  return kilobytes > UINT64_MAX / 1024 ? UINT64_MAX : kilobytes * 1024;
}

struct platform_memory platform_memory_left(const char *root) {
  struct search search = {.memory = {UINT64_MAX, UINT64_MAX, PLATFORM_LIMIT_NONE, UINT64_MAX}};
  search.free_swap = machine_bytes(root, "SwapFree");
  uint64_t all = machine_bytes(root, "MemTotal"), available = machine_bytes(root, "MemAvailable");
  if (all != 0) {
    all = plus(all, machine_bytes(root, "SwapTotal"));
    limit(&search, all, all, PLATFORM_LIMIT_MACHINE);
  }
  if (available != 0) search.memory.available = available;
  visit_groups(root, NULL, "/sys/fs/cgroup", visit_memory_max, &search);
  visit_groups(root, "memory", "/sys/fs/cgroup/memory", visit_limit_in_bytes, &search);
  return search.memory;
}

uint64_t platform_addresses_left(const char *root, uint64_t *most) {
  static const char *const names[] = {"Max address space", NULL};
  struct path proc;
  begin(&proc, root);
  // "unlimited" is no number.
  uint64_t bytes = sum_of(&proc, "/proc/self/limits", names);
  *most = bytes ? bytes : UINT64_MAX;
  if (!bytes) return UINT64_MAX;
  // The first number of this file is the pages of addresses in use.
  uint64_t pages = read_number(&proc, "/proc/self/statm", 0);
  return minus(bytes, pages * (uint64_t)sysconf(_SC_PAGESIZE));
}
