// A call through ffi_call, and all that must hold after it.
#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FAILURES = 40, LONGEST_SENTENCE = 1023 };
long failures;
long (*tally)[MOST_STATUSES];
const struct call *outermost, *current;

uint64_t invoke(const struct function *function, union value *values) {
  void *arguments[MOST_PARAMETERS];
  for (int i = 0; i < function->parameter_count; i++) arguments[i] = &values[i];
  ffi_arg result = 0;
  // libffi takes the interface without const, and only reads it.
  ffi_call((ffi_cif *)(uintptr_t)&function->interface, function->address, &result, arguments);
  return result;
}

int parameter_with(const struct function *function, enum role role) {
  for (int i = 0; i < function->parameter_count; i++) {
    if (function->parameters[i].role == role) return i;
  }
  return -1;
}

static const char *last_error(void) {
  return (const char *)(uintptr_t)invoke(function_named("mixtral_last_error"), NULL);
}

void call_print(const struct call *call) {
  static const char *const ways[] = {
      "is", "a handle with these bits changed", "freed", "of kind", "misaligned", "text", "element",
      "field", "array of field", "struct_size", "callback", "elements", "NULL with length", "length",
      "capacity is what is needed +", "capacity"};
  printf("%s(", call->function->name);
  for (int i = 0; i < call->choice_count; i++) {
    const struct variant *one = call->choices[i].variant;
    printf("%s%s: %s", i ? "; " : "", call->function->parameters[call->choices[i].parameter].name,
        ways[one->way]);
    for (; one; one = one->inner) {
      printf(" [%s %s 0x%llx %zu]", ways[one->way], one->field ? one->field->name : "",
          (unsigned long long)one->bits, one->place);
      if (one->text) printf(" %.40s", one->text);
    }
  }
  fputs(") ", stdout);
}

void wrong(const struct call *call, const char *format, ...) {
  if (failures++ >= MOST_FAILURES) return;
  fputs("WRONG ", stdout);
  call_print(call);
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  const char *name = status_name(call->status);
  printf(" (%s: %s)\n", name ? name : "no status", last_error());
}

/// The length of one character of well-formed UTF-8, 0 when it is none.
static int character(const uint8_t *at) {
  static const struct {
    uint8_t first, last, least, most;
    int length;
  } forms[] = {
      {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
      {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
      {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
  for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
    if (*at < forms[i].first || *at > forms[i].last) continue;
    if (forms[i].length > 1 && (at[1] < forms[i].least || at[1] > forms[i].most)) return 0;
    for (int j = 2; j < forms[i].length; j++) {
      if ((at[j] & 0xc0) != 0x80) return 0;
    }
    return forms[i].length;
  }
  return 0;
}

static bool is_utf8(const char *text) {
  const uint8_t *at = (const uint8_t *)text;
  while (*at) {
    int length = character(at);
    if (!length) return false;
    at += length;
  }
  return true;
}

static bool is_sentence(const char *text) {
  return text && *text && strlen(text) <= LONGEST_SENTENCE && is_utf8(text) && !strchr(text, '\n');
}

// ---- Results

static bool is_zero(const struct block *block) {
  for (size_t i = 0; i < block->size; i++) {
    if (block->bytes[i]) return false;
  }
  return true;
}

static void check_needed(const struct call *call, const struct block *block) {
  uint64_t count;
  memcpy(&count, block->bytes, sizeof count);
  uint64_t capacity = call->values[parameter_with(call->function, CAPACITY)].bits;
  if (call->status == 0 && count > capacity) wrong(call, "more was written than there is room");
  if (call->status == status_named("BUFFER_TOO_SMALL") && count <= capacity)
    wrong(call, "needs %llu of %llu", (unsigned long long)count, (unsigned long long)capacity);
  if (block_unchanged(block, 0)) wrong(call, "the needed count is not written");
  if (call->status == status_named("INVALID_HANDLE") && count) wrong(call, "the count is not 0");
}

/// Checks what was written of a buffer: nothing when it was too small or an argument was wrong.
static void check_buffer(const struct call *call, const struct block *block, size_t element) {
  static const char *const untouched[] = {
      "BUFFER_TOO_SMALL", "INVALID_ARGUMENT", "INVALID_HANDLE",
      "LIMIT_EXCEEDED",   "CONTEXT_FULL",     "BUSY"};
  if (call->status == 0) {
    uint64_t count;
    memcpy(&count, call->blocks[parameter_with(call->function, NEEDED)]->bytes, sizeof count);
    if (!block_unchanged(block, count * element)) wrong(call, "more was written than was needed");
  }
  for (size_t i = 0; i < sizeof untouched / sizeof *untouched; i++) {
    if (call->status == status_named(untouched[i]) && !block_unchanged(block, 0))
      wrong(call, "the buffer was written to");
  }
}

static void check_results(const struct call *call, int index) {
  const struct block *block = call->blocks[index];
  for (int i = 0; i < call->choice_count; i++) {
    enum way way = call->choices[i].variant->way;
    bool own = call->choices[i].parameter == index;
    if (way == IMPOSSIBLE || (own && way == MISALIGNED)) return;
  }
  const struct parameter *parameter = &call->function->parameters[index];
  bool is_status = !strcmp(parameter->type.base, "mixtral_status");
  for (size_t i = 0; i + sizeof(int32_t) <= block->size; i += sizeof(int32_t)) {
    int32_t status;
    memcpy(&status, block->bytes + i, sizeof status);
    if (is_status && !status_name(status)) wrong(call, "result %zu is no status: %d", i / sizeof status, status);
  }
}

static void check_description(const struct call *call, const struct block *block) {
  if (memcmp(block->bytes, block->copy, 4)) wrong(call, "struct_size was changed");
  if (call->status && !block_unchanged(block, 0)) wrong(call, "the struct was written to");
  if (!call->status && block->size > 4 && block_unchanged(block, 4)) wrong(call, "nothing was filled");
}

static void check_outputs(const struct call *call) {
  for (int i = 0; i < call->function->parameter_count; i++) {
    const struct parameter *parameter = &call->function->parameters[i];
    const struct block *block = call->blocks[i];
    if (!block) continue;
    switch (parameter->role) {
      case NEW_HANDLE: case RESULT:
        if (call->status && !is_zero(block)) wrong(call, "%s is not 0", parameter->name);
        if (!call->status && block_unchanged(block, 0)) wrong(call, "%s is not written", parameter->name);
        break;
      case NEEDED: check_needed(call, block); break;
      case BUFFER: check_buffer(call, block, parameter->type.size); break;
      case RESULTS: check_results(call, i); break;
      case DESCRIPTION: check_description(call, block); break;
      default:
        if (!block_unchanged(block, 0)) wrong(call, "%s was written to", parameter->name);
    }
  }
}

/// Blocks that no parameter points at are pointed at by what one points at, and only read.
static void check_nested(const struct call *call) {
  for (int i = call->memory; i < memory_used(); i++) {
    const struct block *block = memory_block(i);
    bool own = false;
    for (int j = 0; j < call->function->parameter_count; j++) own |= call->blocks[j] == block;
    if (!own && !block_unchanged(block, 0)) wrong(call, "an array in a struct was written to");
  }
}

static void check_status(const struct call *call) {
  if (status_name(call->status)) tally[call->function - described.functions][call->status]++;
  if (!status_name(call->status)) {
    wrong(call, "%d is no status", call->status);
  } else if (!(call->function->statuses >> call->status & 1)) {
    wrong(call, "is not among the statuses of the description");
  } else if (!status_expected(call)) {
    wrong(call, "is not what the arguments lead to");
  }
  if (call->status && !is_sentence(last_error())) wrong(call, "no sentence");
}

// ---- What a call leaves

static void use_made(const struct call *call, int kind, uint64_t handle) {
  const struct variant *variant = call->choice_count ? call->choices[0].variant : NULL;
  if (!variant || outermost) return;
  int status = use_object(kind, handle);
  if (variant->way != CALLED_BACK) return;
  int expected = plan.returns ? status_named("CANCELLED") : 0;
  if (plan.doing == WRITES_NAN) expected = status_named("NUMERIC");
  if (status != expected) wrong(call, "its use returned %s", status_name(status));
}

static void give_back(const struct call *call, uint64_t *keep) {
  int made = parameter_with(call->function, NEW_HANDLE);
  if (made >= 0 && call->blocks[made] && call->status == 0) {
    uint64_t handle;
    memcpy(&handle, call->blocks[made]->bytes, sizeof handle);
    if (keep) *keep = handle;
    else use_made(call, call->function->parameters[made].type.handle, handle);
    if (!keep && free_object(handle)) wrong(call, "what it made is not freed");
  }
  bool calls_back = call->choice_count && call->choices[0].variant->way == CALLED_BACK;
  bool takes = calls_back && takes_memory(call->choices[0].variant->field->type.callback);
  if (calls_back && !plan.invoked && !takes) wrong(call, "the callback is never called");
  if (calls_back && lent) wrong(call, "%ld blocks are not given back", lent);
  if (calls_back && plan.returns && plan.invoked > 1) wrong(call, "the callback is called once more");
  // Where the call was to free it, it is stale now.
  if (call->spare) free_object(call->spare);
  for (int i = 0; i < call->choice_count; i++) {
    const struct variant *one = call->choices[i].variant;
    if (one->way == IS_TEXT && !one->place) unlink(one->text);
  }
  unlink(world.made);
}

int call_run(struct call *call, uint64_t *keep) {
  const struct call *outer = outermost, *before = current;
  call_build(call);
  if (!outer) outermost = call;
  current = call;
  call->returned = invoke(call->function, call->values);
  call->status = call->function->statuses ? (int32_t)call->returned : 0;
  if (!memory_guards_intact(call->memory)) wrong(call, "memory beside what was given was written to");
  check_nested(call);
  check_outputs(call);
  if (call->function->statuses) check_status(call);
  else if (call->function->returns.depth && !is_utf8((const char *)(uintptr_t)call->returned))
    wrong(call, "no text");
  outermost = outer;
  give_back(call, keep);
  current = before;
  memory_release(call->memory);
  return call->status;
}

int call_valid(const struct function *function, struct call *call, uint64_t *keep) {
  static const struct variant asks = {.way = NO_ROOM, .place = 1, .expected = ANY};
  bool lenient = call->lenient;
  int capacity = parameter_with(function, CAPACITY);
  size_t needed = 0;
  if (capacity >= 0) {
    *call = (struct call){.function = function, .choices = {{capacity, &asks}}, .choice_count = 1,
                          .lenient = lenient};
    int status = call_run(call, NULL);
    if (status && status != status_named("BUFFER_TOO_SMALL")) return status;
    memcpy(&needed, call->blocks[parameter_with(function, NEEDED)]->bytes, sizeof needed);
  }
  *call = (struct call){.function = function, .needed = needed, .lenient = lenient};
  return call_run(call, keep);
}
