// The boundary values of a parameter by its type and role, and what the header says of each.
#include "harness.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
enum { MOST_NUMBERS = 32 };

static const uint64_t lengths[] = {
    1, INT32_MAX, UINT32_MAX, UINT64_C(1) << 40, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};

static int ok, argument, handle, unsupported;

static void add(struct variants *variants, struct variant variant) {
  if ((variants->count & (variants->count - 1)) == 0) {
    size_t room = variants->count ? 2 * variants->count : 1;
    variants->list = realloc(variants->list, room * sizeof variant);
    if (!variants->list) die("no memory");
  }
  variants->list[variants->count++] = variant;
}

static void pass(struct variants *variants, uint64_t bits, int expected) {
  add(variants, (struct variant){.way = PASS, .bits = bits, .expected = expected});
}

// ---- Numbers

static const uint64_t integers[] = {
    0, 1, 2, INT8_MAX, UINT8_MAX, INT32_MAX, (uint64_t)INT32_MIN, UINT32_MAX, UINT32_MAX + UINT64_C(1),
    INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};

static const float floats[] = {
    0, -0.0f, 0.5f, 1, 1.0000001f, 2, 100, 100.00001f, -0.5f, -1, -100, -100.00001f, FLT_MIN, -FLT_MIN,
    FLT_TRUE_MIN, -FLT_TRUE_MIN, FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, NAN, -NAN};

/// Bits of the numbers to try: the extremes of each width, and what lies beside a range.
static size_t numbers_of(const struct type *type, const struct field *range, uint64_t *values) {
  size_t count = 0;
  for (size_t i = 0; type->kind == FLOAT && i < COUNT(floats); i++) {
    double wide = floats[i];
    values[count] = 0;
    memcpy(&values[count++], type->size == 4 ? (void *)&floats[i] : (void *)&wide, type->size);
  }
  if (type->kind == FLOAT) return count;
  uint64_t mask = type->size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * type->size) - 1;
  for (size_t i = 0; i < COUNT(integers); i++) values[count++] = integers[i] & mask;
  if (range && range->has_maximum) {
    uint64_t least = (uint64_t)(int64_t)range->minimum, most = (uint64_t)range->maximum;
    const uint64_t beside[] = {least - 1, least, least + 1, most - 1, most, most + 1};
    for (size_t i = 0; i < COUNT(beside); i++) values[count++] = beside[i] & mask;
  }
  return count;
}

static double number_of(const struct type *type, uint64_t bits) {
  float narrow;
  double wide;
  memcpy(&narrow, &bits, sizeof narrow);
  memcpy(&wide, &bits, sizeof wide);
  if (type->kind == FLOAT) return type->size == 4 ? narrow : wide;
  if (type->is_signed) return type->size == 4 ? (double)(int32_t)bits : (double)(int64_t)bits;
  return (double)bits;
}

/// The status that a field with this value leads to: ANY where the description names no range.
static int expected_of(const struct field *field, uint64_t bits) {
  double number = number_of(&field->type, bits);
  if (!strcmp(field->name, "reserved")) return bits ? argument : ok;
  if (*field->group) return group_has(field->group, (int64_t)number) ? ANY : argument;
  if (!strcmp(field->type.base, "mixtral_token"))
    return number < 0 || (!field->name[0] && number >= (double)world.vocabulary) ? argument : ANY;
  if (field->type.kind == FLOAT && isnan(number)) return argument;
  if (!field->has_minimum || number == 0) return ANY;
  bool inside = number >= field->minimum && (!field->has_maximum || number <= field->maximum);
  return inside && isfinite(number) ? ANY : argument;
}

static int expected_of_element(const struct type *type, uint64_t bits) {
  const struct field element = {.name = "", .group = "", .type = *type};
  return expected_of(&element, bits);
}

// ---- Structs

static void add_records(
    struct variants *variants, const struct structure *structure, bool arrays, bool nested);

static const struct variant *kept(struct variant variant) {
  struct variant *copy = malloc(sizeof variant);
  if (!copy) die("no memory");
  *copy = variant;
  return copy;
}

/// The array that a field points at: absent, misplaced, and each field of its records.
static void add_array_field(
    struct variants *variants, const struct field *field, bool optional, bool nested) {
  struct variant one = {.way = FIELD_POINTER, .field = field, .expected = FAILS, .alone = nested};
  for (size_t i = 0; i < COUNT(lengths); i++) {
    one.inner = kept((struct variant){.way = ABSENT, .bits = lengths[i]});
    add(variants, one);
    if (lengths[i] < (uint64_t)INT64_MIN) continue;
    one.inner = kept((struct variant){.way = IMPOSSIBLE, .bits = lengths[i]});
    add(variants, one);
  }
  if (field->type.alignment > 1) {
    one.inner = kept((struct variant){.way = MISALIGNED});
    one.expected = argument;
    add(variants, one);
  }
  one.expected = optional ? ok : ANY;
  one.inner = kept((struct variant){.way = SHORTER, .bits = 0});
  add(variants, one);
  if (optional) {
    one.inner = kept((struct variant){.way = SHORTER, .bits = 1});
    add(variants, one);
  }
  struct variants records = {0};
  if (field->type.structure) add_records(&records, field->type.structure, false, true);
  uint64_t values[MOST_NUMBERS];
  size_t count = field->type.structure ? 0 : numbers_of(&field->type, NULL, values);
  for (size_t i = 0; i < count; i++) {
    int expected = expected_of_element(&field->type, values[i]);
    add(&records, (struct variant){.way = ELEMENT, .bits = values[i], .expected = expected});
  }
  for (size_t i = 0; i < records.count; i++) {
    one.inner = kept(records.list[i]);
    one.expected = records.list[i].expected;
    add(variants, one);
  }
  free(records.list);
}

static void add_field(
    struct variants *variants, const struct structure *structure, const struct field *field,
    bool arrays, bool nested) {
  uint64_t values[MOST_NUMBERS];
  struct variant one = {.way = OF_FIELD, .field = field, .alone = nested};
  for (size_t i = 0; i < structure->field_count; i++) {
    if (structure->fields[i].length == field) return;
  }
  if (field->length) {
    add_array_field(variants, field, !arrays, nested);
  } else if (field->type.kind == CALLBACK) {
    static const int32_t returned[] = {0, 1, -1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < COUNT(returned); i++) {
      add(variants, (struct variant){.way = CALLED_BACK, .field = field, .bits = (uint32_t)returned[i],
                                     .expected = ANY, .alone = true});
    }
    // A callback that gives memory may call nothing of the library but to free.
    const struct callback *callback = field->type.callback;
    one = (struct variant){.way = CALLED_BACK, .field = field, .place = CALLS_EVERYTHING, .alone = true};
    if (!gives_memory(callback) && !takes_memory(callback)) add(variants, one);
    one.place = WRITES_NAN;
    if (callback_array(callback) >= 0) add(variants, one);
  } else if (field->type.depth > 0) {
    one.expected = ok;
    one.bits = UINT64_MAX;
    add(variants, one);
  } else {
    size_t count = numbers_of(&field->type, field, values);
    for (size_t i = 0; i < count; i++) {
      one.bits = values[i];
      one.expected = expected_of(field, one.bits);
      add(variants, one);
    }
  }
}

static void add_records(
    struct variants *variants, const struct structure *structure, bool arrays, bool nested) {
  for (size_t i = 0; i < structure->field_count; i++) {
    const struct field *one = &structure->fields[i];
    if (strcmp(one->name, "struct_size")) add_field(variants, structure, one, arrays, nested);
  }
}

/// Whether a struct of this size ends within one of its fields.
static bool cuts_field(const struct structure *structure, size_t size) {
  for (size_t i = 0; i < structure->field_count; i++) {
    const struct field *field = &structure->fields[i];
    if (field->offset < size && size < field->offset + field->size) return true;
  }
  return false;
}

/// Every size up to some bytes more than this release knows, with and without something in the rest.
static void add_sizes(struct variants *variants, const struct structure *structure, bool filled) {
  const uint64_t wrong[] = {4097, INT32_MAX, (uint32_t)INT32_MIN, UINT32_MAX};
  struct variant one = {.way = STRUCT_SIZE, .alone = true};
  for (size_t size = 0; size <= structure->size + 16; size++) {
    one.bits = size;
    one.place = 0;
    one.expected = size < 4 || cuts_field(structure, size) ? argument : ok;
    add(variants, one);
    one.place = 1;
    one.expected = filled ? ok : unsupported;
    if (size > structure->size) add(variants, one);
  }
  one = (struct variant){.way = STRUCT_SIZE, .bits = 4096, .expected = ok};
  add(variants, one);
  for (size_t i = 0; i < COUNT(wrong); i++) {
    one.bits = wrong[i];
    one.expected = argument;
    add(variants, one);
  }
}

static void add_struct(struct variants *variants, const struct parameter *parameter) {
  pass(variants, 0, parameter->nullable ? ok : argument);
  if (parameter->type.alignment > 1)
    add(variants, (struct variant){.way = MISALIGNED, .expected = argument});
  if (parameter->type.structure->sized)
    add_sizes(variants, parameter->type.structure, parameter->role == DESCRIPTION);
  if (parameter->role != DESCRIPTION)
    add_records(variants, parameter->type.structure, parameter->role == RECORD, false);
}

// ---- Handles

/// Nothing, other kinds, and each bit of a live one but its slot, whose neighbour may be as alive.
static void add_handles(struct variants *variants, const struct parameter *parameter, bool any) {
  static const uint64_t strangers[] = {
      1, 2, 3, 0x1000, 0xffff, INT32_MAX, UINT32_MAX, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
  pass(variants, 0, parameter->nullable && parameter->role != HANDLES ? ok : handle);
  for (size_t i = 0; i < COUNT(strangers); i++) pass(variants, strangers[i], handle);
  for (int bit = 16; bit < 64; bit++) {
    add(variants, (struct variant){
                      .way = FLIPPED, .bits = UINT64_C(1) << bit, .expected = handle, .alone = true});
  }
  uint64_t random = 0x51ed;
  for (int i = 0; i < 16; i++) {
    random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    add(variants, (struct variant){.way = PASS, .bits = random, .expected = handle, .alone = true});
  }
  add(variants, (struct variant){.way = STALE, .expected = handle});
  for (size_t kind = 0; kind < described.handle_count; kind++) {
    if (!any && (int)kind == parameter->type.handle) continue;
    add(variants,
        (struct variant){.way = OTHER_KIND, .place = kind, .expected = any ? ANY : handle});
  }
}

// ---- Arrays, lengths, text

static void add_elements(
    struct variants *variants, const struct function *function, const struct parameter *parameter) {
  const struct type *type = &parameter->type;
  size_t count = natural_count(function, type, parameter->name);
  struct variants elements = {0};
  uint64_t values[MOST_NUMBERS];
  if (type->kind == HANDLE) {
    add_handles(&elements, parameter, false);
  } else if (type->kind == STRUCT) {
    add_records(&elements, type->structure, true, false);
  } else if (type->kind == VOID) {
    for (int i = 0; i < 32; i++) {
      add(variants, (struct variant){.way = ELEMENT, .place = count * (size_t)i / 32, .expected = FAILS,
                                     .inner = kept((struct variant){.way = FLIPPED, .bits = 1u << i % 8}),
                                     .alone = true});
    }
  } else {
    size_t found = numbers_of(type, NULL, values);
    if (!strcmp(type->base, "mixtral_token")) values[found++] = (uint64_t)world.vocabulary;
    for (size_t i = 0; i < found; i++) pass(&elements, values[i], expected_of_element(type, values[i]));
  }
  for (size_t i = 0; i < elements.count; i++) {
    // Where there need be no array of handles, there need not be each of them.
    struct variant *element = &elements.list[i];
    if (type->kind == HANDLE && parameter->nullable && element->way == PASS && !element->bits)
      element->expected = ok;
    struct variant one = {
        .way = ELEMENT, .expected = elements.list[i].expected, .inner = kept(elements.list[i])};
    one.alone = elements.list[i].alone;
    add(variants, one);
    one.place = count - 1;
    if (count > 1) add(variants, one);
  }
  free(elements.list);
}

static void add_array(
    struct variants *variants, const struct function *function, const struct parameter *parameter) {
  pass(variants, 0, parameter->nullable ? ok : argument);
  if (parameter->type.alignment > 1)
    add(variants, (struct variant){.way = MISALIGNED, .expected = argument});
  if (parameter->role != RESULTS) add_elements(variants, function, parameter);
}

/// The array whose length the parameter is.
static const struct parameter *array_of(const struct function *function, const struct parameter *length) {
  for (int i = 0; i < function->parameter_count; i++) {
    const struct parameter *one = &function->parameters[i];
    if (one->length == length - function->parameters && one->role != BUFFER) return one;
  }
  die("%s: %s is no array's length", function->name, length->name);
}

static void add_lengths(
    struct variants *variants, const struct function *function, const struct parameter *parameter) {
  const struct parameter *array = array_of(function, parameter);
  size_t count = natural_count(function, &array->type, array->name);
  bool handles = array->role == HANDLES, bytes = array->type.kind == VOID;
  struct variant one = {.way = SHORTER, .expected = handles ? argument : bytes ? FAILS : ANY};
  add(variants, one);
  for (size_t i = 1; i <= 16; i++) {
    one.bits = count * i / 17;
    if (count > 1 && one.bits) add(variants, one);
  }
  // A length of one more: a session twice, bytes behind a state.
  one.bits = count + 1;
  add(variants, one);
  add(variants, (struct variant){.way = ABSENT, .expected = array->empty ? ok : ANY});
  for (size_t i = 0; i < COUNT(lengths); i++) {
    add(variants, (struct variant){.way = ABSENT, .bits = lengths[i], .expected = FAILS});
    if (lengths[i] >= (uint64_t)INT64_MIN)
      add(variants, (struct variant){.way = IMPOSSIBLE, .bits = lengths[i], .expected = FAILS});
  }
  if (strstr(function->doc, "at most 1 GiB")) {
    const uint64_t more[] = {(UINT64_C(1) << 30) + 1, UINT64_C(1) << 40, INT64_MAX};
    for (size_t i = 0; i < COUNT(more); i++) {
      add(variants, (struct variant){.way = IMPOSSIBLE, .bits = more[i],
                                     .expected = status_named("LIMIT_EXCEEDED")});
    }
  }
}

static void add_capacities(struct variants *variants) {
  static const int64_t beside[] = {-1, 0, 1};
  for (size_t i = 0; i < COUNT(lengths); i++) {
    add(variants,
        (struct variant){.way = NO_ROOM, .place = 1, .bits = lengths[i], .expected = argument});
  }
  add(variants, (struct variant){.way = NO_ROOM, .place = 1, .expected = ANY});
  add(variants, (struct variant){.way = NO_ROOM, .expected = ANY});
  add(variants, (struct variant){.way = NO_ROOM, .bits = 1, .expected = ANY});
  for (size_t i = 0; i < COUNT(beside); i++)
    add(variants, (struct variant){.way = ROOM, .bits = (uint64_t)beside[i], .expected = ANY});
}

/// Files of other kinds, where one is read.
static void add_files(struct variants *variants, const char *natural) {
  const char *const files[] = {world.model, world.saved, world.damaged, world.empty};
  if (natural != world.model && natural != world.saved) return;
  for (size_t i = 0; i < COUNT(files); i++) {
    if (files[i] == natural) continue;
    add(variants, (struct variant){.way = IS_TEXT, .text = files[i], .place = 1, .expected = FAILS});
  }
}

static void add_texts(
    struct variants *variants, const struct function *function, const struct parameter *parameter) {
  static char longer[5001], longest[300001];
  memset(longer, 'a', sizeof longer - 1);
  memset(longest, 'b', sizeof longest - 1);
  static const char *const other[] = {
      "", "/", ".", "./", "..", "folder/", "no/such/folder", "\xff\xfe\x80", "a\nb\tc\x1b[31m",
      "%s%n%s", longer, longest};
  pass(variants, 0, parameter->nullable ? ok : argument);
  for (size_t i = 0; i < COUNT(other); i++)
    add(variants, (struct variant){.way = IS_TEXT, .text = other[i], .expected = ANY});
  add_files(variants, natural_text(function, parameter));
}

static void add_numbers(struct variants *variants, const struct parameter *parameter) {
  uint64_t values[MOST_NUMBERS];
  size_t count = numbers_of(&parameter->type, NULL, values);
  for (size_t i = 0; i < count; i++) pass(variants, values[i], ANY);
}

static void add_flags(struct variants *variants, const struct parameter *parameter) {
  uint64_t mask = group_mask(parameter->group);
  for (size_t bit = 0; bit < 8 * parameter->type.size; bit++)
    pass(variants, UINT64_C(1) << bit, mask >> bit & 1 ? ok : argument);
  pass(variants, mask, ok);
  pass(variants, UINT32_MAX, argument);
}

struct variants variants_of(const struct function *function, const struct parameter *parameter) {
  struct variants variants = {0};
  argument = status_named("INVALID_ARGUMENT");
  handle = status_named("INVALID_HANDLE");
  unsupported = status_named("UNSUPPORTED");
  switch (parameter->role) {
    case ONE_HANDLE: add_handles(&variants, parameter, false); break;
    case ANY_HANDLE: add_handles(&variants, parameter, true); break;
    case HANDLES: case ARRAY: case RESULTS: add_array(&variants, function, parameter); break;
    case NEW_HANDLE: case RESULT: case NEEDED: pass(&variants, 0, argument); break;
    case BUFFER:
      if (parameter->type.alignment > 1)
        add(&variants, (struct variant){.way = MISALIGNED, .expected = argument});
      break;
    case CAPACITY: add_capacities(&variants); break;
    case LENGTH: add_lengths(&variants, function, parameter); break;
    case OPTIONS: case DESCRIPTION: case RECORD: add_struct(&variants, parameter); break;
    case TEXT: add_texts(&variants, function, parameter); break;
    case NUMBER: add_numbers(&variants, parameter); break;
    case FLAGS: add_flags(&variants, parameter); break;
    case FUNCTION: case USER: die("%s: no valid value of %s is known", function->name, parameter->name);
  }
  return variants;
}
