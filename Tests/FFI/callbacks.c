// Callbacks as a dynamic runtime makes them: closures that libffi writes at run time.
#include "harness.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

struct plan plan;
/// What the library is given as `user` points here.
uint64_t user_value = UINT64_C(0x1122334455667788);

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
  if (plan.invoked++ == 0 && plan.doing == CALLS_EVERYTHING) call_everything();
  *(ffi_sarg *)result = plan.returns;
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
