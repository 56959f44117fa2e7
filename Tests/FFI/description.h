// include/mixtral.abi.json in memory: all that the harness knows of the library's calls.
#ifndef DESCRIPTION_H
#define DESCRIPTION_H

#include <ffi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_PARAMETERS = 12, MOST_STATUSES = 64 };

enum kind { INTEGER, FLOAT, HANDLE, STRUCT, VOID, CALLBACK };

/// Roles of parameters, as scripts/abi_roles.py explains them.
enum role {
  ONE_HANDLE, ANY_HANDLE, HANDLES, NEW_HANDLE, RESULT, NEEDED, BUFFER, CAPACITY, ARRAY, LENGTH, RESULTS,
  OPTIONS, DESCRIPTION, RECORD, TEXT, FUNCTION, USER, FLAGS, NUMBER
};

struct type {
  const char *base;
  enum kind kind;
  int depth;
  /// The size and alignment of it or, through all its stars, of what it points at.
  size_t size, alignment;
  bool is_signed;
  const struct structure *structure;
  struct callback *callback;
  /// Its place among the handles.
  int handle;
};

struct field {
  const char *name, *group;
  struct type type;
  size_t offset, size;
  bool has_minimum, has_maximum;
  double minimum, maximum;
  /// The field with the number of elements; NULL when it is no array.
  const struct field *length;
};

struct structure {
  const char *name;
  size_t size, alignment;
  bool sized;
  size_t field_count;
  struct field *fields;
};

struct parameter {
  const char *name, *group;
  struct type type;
  enum role role;
  /// NULL is allowed; NULL is allowed with a length of 0.
  bool nullable, empty;
  /// The parameter with the number of elements, -1 when it is no array.
  int length;
};

struct function {
  const char *name, *doc;
  struct type returns;
  /// A bit for each status that the header promises; 0 when it returns none.
  uint64_t statuses;
  int parameter_count;
  struct parameter parameters[MOST_PARAMETERS];
  ffi_cif interface;
  ffi_type *types[MOST_PARAMETERS];
  void (*address)(void);
};

struct callback {
  const char *name;
  struct type returns;
  int parameter_count;
  struct parameter parameters[MOST_PARAMETERS];
  ffi_cif interface;
  ffi_type *types[MOST_PARAMETERS];
  void *code;
};

struct constant {
  const char *name, *group;
  int64_t value;
};

struct handle {
  const char *name, *created_by;
};

struct description {
  size_t structure_count, function_count, callback_count, constant_count, handle_count;
  struct structure *structures;
  struct function *functions;
  struct callback *callbacks;
  struct constant *constants;
  struct handle *handles;
};

extern struct description described;

/// Reads the file; what it cannot use ends the program with a sentence.
void describe(const char *path);
struct function *function_named(const char *name);
int handle_named(const char *name);
/// A status by its name without the prefix.
int status_named(const char *name);
const char *status_name(int status);
/// All bits of a group of flags.
uint64_t group_mask(const char *group);
bool group_has(const char *group, int64_t value);
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
