// Which statuses a call may return by the boundary values chosen for it.
#include "harness.h"

#include <string.h>

static bool is_object(const struct parameter *parameter) {
  bool handle = parameter->role == ONE_HANDLE || parameter->role == HANDLES;
  return handle && strcmp(parameter->type.base, "mixtral_model");
}

bool takes_objects(const struct function *function) {
  for (int i = 0; i < function->parameter_count; i++) {
    if (is_object(&function->parameters[i])) return true;
  }
  return false;
}

bool takes_running(const struct function *function) {
  const struct function *running = outermost->function;
  for (int i = 0; i < function->parameter_count; i++) {
    for (int j = 0; j < running->parameter_count; j++) {
      const struct parameter *one = &function->parameters[i], *other = &running->parameters[j];
      if (is_object(one) && is_object(other) && !strcmp(one->type.base, other->type.base)) return true;
    }
  }
  return false;
}

static int of_capacity(const struct call *call, const struct choice *choice) {
  const struct variant *variant = choice->variant;
  if (variant->way == NO_ROOM && variant->place && variant->bits) return status_named("INVALID_ARGUMENT");
  if (call->choice_count > 1) return ANY;
  const struct block *needed = call->blocks[parameter_with(call->function, NEEDED)];
  uint64_t count;
  memcpy(&count, needed->bytes, sizeof count);
  return count > call->values[choice->parameter].bits ? status_named("BUFFER_TOO_SMALL") : 0;
}

/// Whether the other choice is of the length of this array: then they are judged together.
static bool length_is_chosen(const struct call *call, const struct choice *choice) {
  for (int i = 0; i < call->choice_count; i++) {
    if (call->choices[i].parameter == call->function->parameters[choice->parameter].length) return true;
  }
  return false;
}

static bool array_is_chosen(const struct call *call, const struct choice *choice) {
  for (int i = 0; i < call->choice_count; i++) {
    if (call->function->parameters[call->choices[i].parameter].length == choice->parameter) return true;
  }
  return false;
}

static int of_callback(const struct callback *callback) {
  if (takes_memory(callback)) return status_named("INVALID_ARGUMENT");
  if (!plan.invoked || !plan.returns) return 0;
  return status_named(gives_memory(callback) ? "OUT_OF_MEMORY" : "CANCELLED");
}

static int expected(const struct call *call, int index) {
  const struct choice *choice = &call->choices[index];
  const struct variant *variant = choice->variant;
  switch (variant->way) {
    case ROOM: case NO_ROOM: return of_capacity(call, choice);
    case CALLED_BACK: return of_callback(variant->field->type.callback);
    case SHORTER: return array_is_chosen(call, choice) ? ANY : variant->expected;
    case ABSENT: return variant->bits || !array_is_chosen(call, choice) ? variant->expected : ANY;
    default: return length_is_chosen(call, choice) ? ANY : variant->expected;
  }
}

static bool fails(int status) { return status == FAILS || status > 0; }

static bool together(int status, int one, int other) {
  if (fails(one) && fails(other)) {
    bool exact = one > 0 && other > 0;
    return exact ? status == one || status == other : status != 0;
  }
  if (!fails(one) && !fails(other)) return true;
  int failing = fails(one) ? one : other, rest = fails(one) ? other : one;
  return failing > 0 && rest == 0 ? status == failing : status != 0;
}

bool status_expected(const struct call *call) {
  if (outermost != call && takes_running(call->function)) return call->status == status_named("BUSY");
  if (call->lenient) return true;
  if (call->choice_count == 0) return call->status == 0;
  int first = expected(call, 0);
  if (call->choice_count == 2) return together(call->status, first, expected(call, 1));
  return first == ANY || (first == FAILS ? call->status != 0 : call->status == first);
}
