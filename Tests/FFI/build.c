// The arguments of one call: valid ones, but for those that a boundary value was chosen for.
#include "harness.h"

#include <string.h>

/// Room for what other arguments than the valid ones need more.
enum { LARGEST_STRUCT = 4096, MORE_ROOM = 2048 };

static const struct variant *chosen(const struct call *call, int parameter) {
  for (int i = 0; i < call->choice_count; i++) {
    if (call->choices[i].parameter == parameter) return call->choices[i].variant;
  }
  return NULL;
}

static bool is(const struct variant *variant, enum way way) { return variant && variant->way == way; }

static void point(struct call *call, int parameter, struct block *block) {
  call->blocks[parameter] = block;
  call->values[parameter].pointer = block->bytes;
}

// ---- Structs

/// An array that a field points at, and the field with its length.
static void build_field_array(
    struct call *call, const struct field *field, uint8_t *at, const struct variant *variant) {
  const struct type *type = &field->type;
  const struct variant *inner = variant ? variant->inner : NULL;
  uint64_t count = is(inner, SHORTER) ? inner->bits : natural_count(call->function, type, field->name);
  uint64_t told = is(inner, ABSENT) || is(inner, IMPOSSIBLE) ? inner->bits : count;
  uint8_t *bytes = NULL;
  if (!is(inner, ABSENT)) {
    bytes = block_new(count * type->size, type->alignment, is(inner, MISALIGNED))->bytes;
    if (type->kind != STRUCT) natural_array(type, bytes, count);
    for (uint64_t i = 0; type->kind == STRUCT && i < count; i++)
      record_build(call, type->structure, bytes + i * type->size, true, &inner, inner ? 1 : 0);
    if (is(inner, ELEMENT) && count)
      memcpy(bytes + (count - 1) * type->size, &inner->bits, type->size);
  }
  memcpy(at + field->offset, &bytes, sizeof bytes);
  memcpy(at + field->length->offset, &told, field->length->size);
}

static void apply(
    const struct structure *structure, uint8_t *at, const struct variant *variant) {
  const struct field *field = variant->field;
  if (variant->way == OF_FIELD) memcpy(at + field->offset, &variant->bits, field->size);
  if (variant->way != CALLED_BACK) return;
  memcpy(at + field->offset, &field->type.callback->code, field->size);
  for (size_t i = 0; i < structure->field_count; i++) {
    const uint64_t *user = &user_value;
    const struct field *other = &structure->fields[i];
    if (!strcmp(other->name, "user")) memcpy(at + other->offset, &user, sizeof user);
    // A host that gives memory takes it back.
    bool pair = other->type.kind == CALLBACK && takes_memory(other->type.callback);
    if (pair && gives_memory(field->type.callback))
      memcpy(at + other->offset, &other->type.callback->code, other->size);
  }
  plan = (struct plan){.returns = (int32_t)variant->bits, .doing = (enum doing)variant->place};
}

void record_build(
    struct call *call, const struct structure *structure, uint8_t *at, bool arrays,
    const struct variant *const *variants, int count) {
  memset(at, 0, structure->size);
  for (size_t i = 0; i < structure->field_count; i++) {
    const struct field *field = &structure->fields[i];
    uint64_t value = natural_field(structure, field);
    const struct variant *own = NULL;
    for (int j = 0; j < count; j++) {
      if (variants[j]->way == FIELD_POINTER && variants[j]->field == field) own = variants[j];
    }
    if (field->length && (arrays || own)) build_field_array(call, field, at, own);
    else if (value) memcpy(at + field->offset, &value, field->size);
  }
  for (int i = 0; i < count; i++) apply(structure, at, variants[i]);
}

static void build_struct(struct call *call, int index) {
  const struct parameter *parameter = &call->function->parameters[index];
  const struct structure *structure = parameter->type.structure;
  const struct variant *variants[MOST_CHOICES];
  uint8_t whole[LARGEST_STRUCT] = {0};
  size_t size = structure->size;
  int count = 0;
  for (int i = 0; i < call->choice_count; i++) {
    if (call->choices[i].parameter == index) variants[count++] = call->choices[i].variant;
  }
  if (count && variants[0]->way == PASS) {
    call->values[index].bits = variants[0]->bits;
    return;
  }
  record_build(call, structure, whole, parameter->role == RECORD, variants, count);
  // A struct that the library is to fill is not zero before.
  if (parameter->role == DESCRIPTION) memset(whole + 4, GARBAGE, sizeof whole - 4);
  if (count && variants[0]->way == STRUCT_SIZE) {
    uint64_t told = variants[0]->bits;
    if (told <= LARGEST_STRUCT) size = told < 4 ? 4 : told;
    memcpy(whole, &told, 4);
    if (variants[0]->place) whole[size - 1] = 1;
  }
  point(call, index, block_new(size, structure->alignment, count && variants[0]->way == MISALIGNED));
  memcpy(call->blocks[index]->bytes, whole, size);
}

// ---- Handles

static uint64_t handle_of(uint64_t live, int kind, const struct variant *variant) {
  if (!variant) return live;
  switch (variant->way) {
    case PASS: return variant->bits;
    case FLIPPED: return live ^ variant->bits;
    case STALE: return world.stale[kind];
    case OTHER_KIND: return world.live[variant->place];
    default: return live;
  }
}

static void build_any_handle(struct call *call, int index, const struct variant *variant) {
  int kind = is(variant, OTHER_KIND) ? (int)variant->place : any_kind();
  call->spare = make_object(kind);
  bool live = !variant || variant->way == OTHER_KIND;
  call->values[index].bits = live ? call->spare : handle_of(call->spare, kind, variant);
}

// ---- Arrays

static void build_length(struct call *call, int index, const struct variant *variant) {
  const struct function *function = call->function;
  for (int i = function->parameter_count; i-- > 0;) {
    const struct parameter *one = &function->parameters[i];
    if (one->length == index && one->role != RESULTS)
      call->elements[index] = natural_count(function, &one->type, one->name);
  }
  if (is(variant, SHORTER)) call->elements[index] = variant->bits;
  call->absent[index] = is(variant, ABSENT);
  bool told = is(variant, ABSENT) || is(variant, IMPOSSIBLE);
  call->values[index].bits = told ? variant->bits : call->elements[index];
}

static void change_element(
    struct call *call, const struct type *type, uint8_t *at, const struct variant *inner) {
  if (type->kind == STRUCT) {
    record_build(call, type->structure, at, true, &inner, 1);
  } else if (type->kind == HANDLE) {
    uint64_t bits = handle_of(world.live[type->handle], type->handle, inner);
    memcpy(at, &bits, sizeof bits);
  } else if (inner->way == FLIPPED) {
    *at ^= (uint8_t)inner->bits;
  } else {
    memcpy(at, &inner->bits, type->size);
  }
}

static void build_array(struct call *call, int index, const struct variant *variant) {
  const struct parameter *parameter = &call->function->parameters[index];
  const struct type *type = &parameter->type;
  size_t count = call->elements[parameter->length];
  if (is(variant, PASS) || call->absent[parameter->length]) return;
  point(call, index, block_new(count * type->size, type->alignment, is(variant, MISALIGNED)));
  uint8_t *bytes = call->blocks[index]->bytes;
  if (parameter->role == RESULTS) return;
  if (type->kind != STRUCT) natural_array(type, bytes, count);
  for (size_t i = 0; type->kind == STRUCT && i < count; i++)
    record_build(call, type->structure, bytes + i * type->size, true, NULL, 0);
  if (is(variant, ELEMENT) && variant->place < count)
    change_element(call, type, bytes + variant->place * type->size, variant->inner);
}

static void build_capacity(struct call *call, int index, const struct variant *variant) {
  uint64_t capacity = call->needed + MORE_ROOM;
  if (is(variant, NO_ROOM)) capacity = variant->bits;
  if (is(variant, ROOM)) capacity = call->needed + variant->bits;
  call->absent[index] = is(variant, NO_ROOM) && variant->place;
  call->elements[index] = call->absent[index] ? 0 : capacity;
  call->values[index].bits = capacity;
}

static void build_buffer(struct call *call, int index, const struct variant *variant) {
  const struct parameter *parameter = &call->function->parameters[index];
  const struct type *type = &parameter->type;
  if (call->absent[parameter->length]) return;
  size_t size = call->elements[parameter->length] * type->size;
  point(call, index, block_new(size, type->alignment, is(variant, MISALIGNED)));
}

static void build_text(struct call *call, int index, const struct variant *variant) {
  if (is(variant, PASS)) return;
  const char *text = is(variant, IS_TEXT)
                         ? variant->text
                         : natural_text(call->function, &call->function->parameters[index]);
  point(call, index, block_new(strlen(text) + 1, 1, false));
  memcpy(call->blocks[index]->bytes, text, strlen(text) + 1);
}

static void build_parameter(struct call *call, int index) {
  const struct parameter *parameter = &call->function->parameters[index];
  const struct variant *variant = chosen(call, index);
  union value *value = &call->values[index];
  switch (parameter->role) {
    case ONE_HANDLE:
      value->bits = handle_of(world.live[parameter->type.handle], parameter->type.handle, variant);
      break;
    case ANY_HANDLE: build_any_handle(call, index, variant); break;
    case NEW_HANDLE: case RESULT: case NEEDED:
      if (!is(variant, PASS))
        point(call, index, block_new(parameter->type.size, parameter->type.alignment, false));
      break;
    case HANDLES: case ARRAY: case RESULTS: build_array(call, index, variant); break;
    case BUFFER: build_buffer(call, index, variant); break;
    case OPTIONS: case DESCRIPTION: case RECORD: build_struct(call, index); break;
    case TEXT: build_text(call, index, variant); break;
    case FLAGS: case NUMBER:
      value->bits = variant ? variant->bits : natural_number(parameter);
      break;
    case LENGTH: case CAPACITY: case FUNCTION: case USER: break;
  }
}

void call_build(struct call *call) {
  memset(call->values, 0, sizeof call->values);
  memset(call->blocks, 0, sizeof call->blocks);
  call->memory = memory_used();
  call->spare = 0;
  for (int i = 0; i < call->function->parameter_count; i++) {
    enum role role = call->function->parameters[i].role;
    if (role == LENGTH) build_length(call, i, chosen(call, i));
    if (role == CAPACITY) build_capacity(call, i, chosen(call, i));
  }
  for (int i = 0; i < call->function->parameter_count; i++) build_parameter(call, i);
  memory_seal(call->memory);
}
