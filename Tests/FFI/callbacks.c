// Callbacks as a dynamic runtime makes them: closures that libffi writes at run time.
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct plan plan;
/// The number that every `user` given to the library points at.
uint64_t user_value = UINT64_C(0x1122334455667788);

long lent;

bool gives_memory(const struct callback *callback) { return callback->returns.depth > 0; }

bool takes_memory(const struct callback *callback) {
  return callback->returns.kind == VOID && callback->returns.depth == 0;
}

/// A block of the size and alignment that the first two arguments say, filled with GARBAGE; or none.
static void *lend(void **arguments) {
  uint64_t size = *(uint64_t *)arguments[0], alignment = *(uint64_t *)arguments[1];
  uint64_t whole = (size + alignment - 1) / alignment * alignment;
  void *block = plan.returns ? NULL : aligned_alloc(alignment, whole);
  if (!block) return NULL;
  lent++;
  return memset(block, GARBAGE, size);
}

static void take_back(void **arguments) {
  lent--;
  free(*(void **)arguments[0]);
}

/// Every function from within a callback, with valid arguments: BUSY where the object runs, else OK.
static void call_everything(void) {
  for (size_t i = 0; i < described.function_count; i++) {
    struct call call = {0};
    call_valid(&described.functions[i], &call, NULL);
  }
  for (int i = 0; i < outermost->function->parameter_count; i++) {
    const struct parameter *one = &outermost->function->parameters[i];
    if (one->role != ONE_HANDLE || !strcmp(one->type.base, "mixtral_model")) continue;
    if (free_object(outermost->values[i].bits) != status_named("BUSY"))
      wrong(outermost, "%s was freed while it runs", one->name);
  }
}

int callback_array(const struct callback *callback) {
  for (int i = 0; i + 1 < callback->parameter_count; i++) {
    const struct type *type = &callback->parameters[i].type;
    bool numbers = type->kind == FLOAT && type->size == sizeof(float) && type->depth == 1;
    if (numbers && !strcmp(callback->parameters[i + 1].name, "count")) return i;
  }
  return -1;
}

/// An array that the callback may change: all of it can be read and written.
static void touch(float *numbers, uint64_t count) {
  for (uint64_t i = 0; i < count; i++)
    ((volatile float *)numbers)[i] = plan.doing == WRITES_NAN ? NAN : numbers[i];
}

static void called(ffi_cif *interface, void *result, void **arguments, void *data) {
  const struct callback *callback = data;
  (void)interface;
  for (int i = 0; i < callback->parameter_count; i++) {
    const struct parameter *one = &callback->parameters[i];
    if (!strcmp(one->name, "user") && *(uint64_t **)arguments[i] != &user_value)
      wrong(outermost, "the callback was given another user pointer");
  }
  int array = callback_array(callback);
  if (array >= 0) touch(*(float **)arguments[array], *(uint64_t *)arguments[array + 1]);
  if (gettid() != getpid()) wrong(outermost, "the callback runs on another thread");
  if (takes_memory(callback)) return take_back(arguments);
  if (plan.invoked++ == 0 && plan.doing == CALLS_EVERYTHING) call_everything();
  if (gives_memory(callback)) *(void **)result = lend(arguments);
  else *(ffi_sarg *)result = plan.returns;
}

void callbacks_begin(void) {
  for (size_t i = 0; i < described.callback_count; i++) {
    struct callback *callback = &described.callbacks[i];
    ffi_closure *closure = ffi_closure_alloc(sizeof *closure, &callback->code);
    ffi_cif *interface = &callback->interface;
    if (!closure
        || ffi_prep_closure_loc(closure, interface, called, callback, callback->code) != FFI_OK)
      die("no closure for %s", callback->name);
  }
}
