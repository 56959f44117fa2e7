// A caller that has never seen the header: it knows include/mixtral.abi.json and a few valid values.
//
//   variants.c   the boundary values of each parameter, and what they must lead to
//   values.c     the valid values, and the objects of the library that calls need
//   build.c      the arguments of one call, some of them boundary values
//   calls.c      a call through ffi_call, and all that must hold after it
//   expect.c     which status it must have
//   callbacks.c  ffi_closure callbacks
//   memory.c     what pointers point at: guarded, and compared after the call
#ifndef HARNESS_H
#define HARNESS_H

#include "description.h"

enum { MOST_CHOICES = 2 };
/// Expectations besides a status: any promised one, any but OK.
enum { ANY = -1, FAILS = -2 };

/// How a boundary value is made.
enum way {
  PASS,          /* `bits` are the argument */
  FLIPPED,       /* a live handle with `bits` changed */
  STALE,         /* a handle that was freed */
  OTHER_KIND,    /* a live handle of kind `place` */
  MISALIGNED,    /* a pointer one byte before its place */
  IS_TEXT,       /* the text `text`; a file that is to stay when `place` */
  ELEMENT,       /* element `place` of an array is changed, with `inner` or by `bits` */
  OF_FIELD,      /* field `field` of a struct has the value `bits` */
  FIELD_POINTER, /* the array of field `field` is NULL, or is changed with `inner`; `bits` is its length */
  STRUCT_SIZE,   /* struct_size is `bits`, the last byte of what is beyond the struct is `place` */
  CALLED_BACK,   /* the callback of field `field` returns `bits`, and does what `place` is of `doing` */
  SHORTER,       /* arrays have `bits` elements */
  ABSENT,        /* arrays are NULL and their length `bits` */
  IMPOSSIBLE,    /* arrays as always, and a length of `bits` that the library can refuse */
  ROOM,          /* the capacity is what is needed and `bits` */
  NO_ROOM        /* the capacity is `bits`; without a buffer when `place` */
};

struct variant {
  enum way way;
  uint64_t bits;
  size_t place;
  const struct field *field;
  const struct variant *inner;
  const char *text;
  int expected;
  /// Not tried together with others.
  bool alone;
};

struct variants {
  struct variant *list;
  size_t count;
};

union value {
  uint64_t bits;
  void *pointer;
};

struct block {
  uint8_t *bytes, *copy;
  size_t size;
};

struct choice {
  int parameter;
  const struct variant *variant;
};

struct call {
  const struct function *function;
  struct choice choices[MOST_CHOICES];
  int choice_count;
  union value values[MOST_PARAMETERS];
  struct block *blocks[MOST_PARAMETERS];
  /// Elements of the arrays of each length, and whether they are NULL.
  size_t elements[MOST_PARAMETERS];
  bool absent[MOST_PARAMETERS];
  /// The size of a buffer, as the function said.
  size_t needed;
  /// A fresh object for a function that takes any.
  uint64_t spare;
  /// The object has odd options: any promised status will do.
  bool lenient;
  /// The first block of this call.
  int memory;
  int status;
  uint64_t returned;
};

// ---- memory.c

/// Memory that ends where the process may not read on, filled with GARBAGE.
enum { GARBAGE = 0xA5 };
struct block *block_new(size_t size, size_t alignment, bool misaligned);
int memory_used(void);
/// Remembers what the blocks from the first one on hold.
void memory_seal(int first);
/// Whether nothing around the blocks from the first one on has changed.
bool memory_guards_intact(int first);
bool block_unchanged(const struct block *block, size_t from);
const struct block *memory_block(int index);
void memory_release(int first);

// ---- values.c

struct world {
  /// A model, a session's state, the same with one bit changed, nothing; what does not exist; a key.
  const char *model, *saved, *damaged, *empty, *made, *text;
  /// A live and a freed handle of each kind, 0 where none is.
  uint64_t *live, *stale;
  uint8_t *state;
  size_t state_size;
  int64_t vocabulary;
};
extern struct world world;
void world_begin(const char *model);
/// Makes all objects but models anew, in a state in which every call is valid.
void world_refresh(void);
/// Whether the session stands where it did and says what it did.
bool world_unchanged(void);
void world_end(void);
uint64_t make_object(int kind);
/// Uses an object that was just made. @return the status, 0 where there is nothing to do.
int use_object(int kind, uint64_t handle);
int free_object(uint64_t handle);
/// The kind that a function which takes any object is given.
int any_kind(void);
const char *natural_text(const struct function *function, const struct parameter *parameter);
uint64_t natural_number(const struct parameter *parameter);
uint64_t natural_field(const struct structure *structure, const struct field *field);
/// Elements of a valid array; how one is written.
size_t natural_count(const struct function *function, const struct type *type, const char *name);
void natural_array(const struct type *type, uint8_t *at, size_t count);

// ---- variants.c

struct variants variants_of(const struct function *function, const struct parameter *parameter);

// ---- build.c

void call_build(struct call *call);
void record_build(
    struct call *call, const struct structure *structure, uint8_t *at, bool arrays,
    const struct variant *const *variants, int count);

// ---- calls.c

extern long failures;
/// For each function how often a call of it, by whomever, ended with each status.
extern long (*tally)[MOST_STATUSES];
/// The call that runs, for who asks after a death.
extern const struct call *current;
/// The call that runs and was not made by a callback.
extern const struct call *outermost;
uint64_t invoke(const struct function *function, union value *values);
/// Builds, calls, checks; what it made is freed unless `keep` receives it. @return the status.
int call_run(struct call *call, uint64_t *keep);
/// The same with valid arguments, asking first what buffers need.
int call_valid(const struct function *function, struct call *call, uint64_t *keep);
int parameter_with(const struct function *function, enum role role);
/// Whether it takes a handle other than a model, whose state the call may change.
bool takes_objects(const struct function *function);
void call_print(const struct call *call);
void wrong(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- expect.c

/// Whether it takes an object that the outermost call holds.
bool takes_running(const struct function *function);
/// Whether the status is one that the choices of this call lead to.
bool status_expected(const struct call *call);

// ---- callbacks.c

/// The acts of a callback before it returns.
enum doing { NOTHING, CALLS_EVERYTHING, WRITES_NAN };

struct plan {
  int32_t returns;
  enum doing doing;
  long invoked;
};
extern struct plan plan;
extern uint64_t user_value;
/// Whether the callback gives memory, or takes back what another of the same struct gave.
bool gives_memory(const struct callback *callback);
bool takes_memory(const struct callback *callback);
/// Blocks that the library was given and has not given back.
extern long lent;
/// The parameter that is an array of numbers, followed by its length; -1 for none.
int callback_array(const struct callback *callback);
void callbacks_begin(void);

#endif
