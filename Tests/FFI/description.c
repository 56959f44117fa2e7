// Reading the description with jansson, and the call interfaces that follow from its types.
#include "description.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct description described;
static json_t *root;

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("harness: ", stdout);
  vprintf(format, arguments);
  va_end(arguments);
  putchar('\n');
  exit(2);
}

static const char *text(const json_t *object, const char *key) {
  const char *found = json_string_value(json_object_get(object, key));
  return found ? found : "";
}

static json_t *member(const char *list, const char *name) {
  size_t index;
  json_t *one;
  json_array_foreach(json_object_get(root, list), index, one) {
    if (!strcmp(text(one, "name"), name)) return one;
  }
  die("%s has no %s", list, name);
}

static int place(const char *word, const char *const *words, const char *what) {
  for (int i = 0; words[i]; i++) {
    if (!strcmp(word, words[i])) return i;
  }
  die("%s %s is not known", what, word);
}

int handle_named(const char *name) {
  for (size_t i = 0; i < described.handle_count; i++) {
    if (!strcmp(described.handles[i].name, name)) return (int)i;
  }
  die("no handle is named %s", name);
}

struct function *function_named(const char *name) {
  for (size_t i = 0; i < described.function_count; i++) {
    if (!strcmp(described.functions[i].name, name)) return &described.functions[i];
  }
  die("no function is named %s", name);
}

static const struct constant *status_constant(const char *name, int value) {
  for (size_t i = 0; i < described.constant_count; i++) {
    const struct constant *one = &described.constants[i];
    if (strcmp(one->group, "status")) continue;
    if (name ? !strcmp(one->name + strlen("MIXTRAL_"), name) : one->value == value) return one;
  }
  return NULL;
}

int status_named(const char *name) {
  const struct constant *found = status_constant(name, 0);
  if (!found) die("no status is named %s", name);
  return (int)found->value;
}

const char *status_name(int status) {
  const struct constant *found = status_constant(NULL, status);
  return found ? found->name + strlen("MIXTRAL_") : NULL;
}

uint64_t group_mask(const char *group) {
  uint64_t mask = 0;
  for (size_t i = 0; i < described.constant_count; i++) {
    if (!strcmp(described.constants[i].group, group)) mask |= (uint64_t)described.constants[i].value;
  }
  return mask;
}

bool group_has(const char *group, int64_t value) {
  for (size_t i = 0; i < described.constant_count; i++) {
    const struct constant *one = &described.constants[i];
    if (!strcmp(one->group, group) && one->value == value) return true;
  }
  return false;
}

static void read_type(const json_t *from, struct type *type) {
  static const char *const kinds[] = {"integer", "float", "handle", "struct", "void", "callback", NULL};
  type->base = text(from, "base");
  type->kind = (enum kind)place(text(from, "kind"), kinds, "kind");
  type->depth = (int)json_integer_value(json_object_get(from, "depth"));
  type->size = type->alignment = type->kind == VOID ? 1 : sizeof(void *);
  if (type->kind == INTEGER || type->kind == FLOAT) {
    json_t *scalar = member("scalars", type->base);
    type->size = type->alignment = (size_t)json_integer_value(json_object_get(scalar, "size"));
    type->is_signed = json_is_true(json_object_get(scalar, "signed"));
  } else if (type->kind == HANDLE) {
    type->handle = handle_named(type->base);
  }
  for (size_t i = 0; type->kind == STRUCT && i < described.structure_count; i++) {
    if (strcmp(described.structures[i].name, type->base)) continue;
    type->structure = &described.structures[i];
    type->size = type->structure->size;
    type->alignment = type->structure->alignment;
  }
  for (size_t i = 0; type->kind == CALLBACK && i < described.callback_count; i++) {
    if (!strcmp(described.callbacks[i].name, type->base)) type->callback = &described.callbacks[i];
  }
}

static ffi_type *ffi_of(const struct type *type) {
  if (type->depth > 0) return &ffi_type_pointer;
  if (type->kind == FLOAT) return type->size == 4 ? &ffi_type_float : &ffi_type_double;
  if (type->kind != INTEGER) die("%s is passed by value", type->base);
  switch (type->size) {
    case 1: return type->is_signed ? &ffi_type_sint8 : &ffi_type_uint8;
    case 4: return type->is_signed ? &ffi_type_sint32 : &ffi_type_uint32;
    case 8: return type->is_signed ? &ffi_type_sint64 : &ffi_type_uint64;
    default: die("%s has %zu bytes", type->base, type->size);
  }
}

static void prepare(
    ffi_cif *interface, ffi_type **types, const struct type *returns, const struct parameter *parameters,
    int count) {
  for (int i = 0; i < count; i++) types[i] = ffi_of(&parameters[i].type);
  bool nothing = returns->kind == VOID && returns->depth == 0;
  ffi_type *result = nothing ? &ffi_type_void : ffi_of(returns);
  if (ffi_prep_cif(interface, FFI_DEFAULT_ABI, (unsigned)count, result, types) != FFI_OK)
    die("ffi_prep_cif refused");
}

static size_t read_parameters(const json_t *list, struct parameter *parameters, bool roles) {
  static const char *const names[] = {
      "handle", "any_handle", "handles", "new_handle", "result", "needed", "buffer", "capacity", "array",
      "length", "results", "options", "description", "record", "text", "callback", "user", "flags",
      "number", NULL};
  size_t count = json_array_size(list), index;
  if (count > MOST_PARAMETERS) die("a function has %zu parameters", count);
  json_t *one;
  json_array_foreach(list, index, one) {
    struct parameter *parameter = &parameters[index];
    parameter->name = text(one, "name");
    parameter->group = text(one, "group");
    parameter->length = -1;
    read_type(one, &parameter->type);
    if (!roles) continue;
    parameter->role = (enum role)place(text(one, "role"), names, "role");
    parameter->nullable = !strcmp(text(one, "nullable"), "yes");
    parameter->empty = !strcmp(text(one, "nullable"), "empty");
  }
  json_array_foreach(list, index, one) {
    for (size_t i = 0; i < count; i++) {
      if (*text(one, "length") && !strcmp(text(one, "length"), parameters[i].name))
        parameters[index].length = (int)i;
    }
  }
  return count;
}

static void read_structure(const json_t *from, struct structure *structure) {
  json_t *list = json_object_get(from, "fields"), *one;
  size_t index;
  json_array_foreach(list, index, one) {
    struct field *field = &structure->fields[index];
    json_t *minimum = json_object_get(one, "minimum"), *maximum = json_object_get(one, "maximum");
    *field = (struct field){
        .name = text(one, "name"), .group = text(one, "group"),
        .offset = (size_t)json_integer_value(json_object_get(one, "offset")),
        .size = (size_t)json_integer_value(json_object_get(one, "size")),
        .has_minimum = minimum, .minimum = json_number_value(minimum),
        .has_maximum = maximum, .maximum = json_number_value(maximum)};
    read_type(one, &field->type);
    if (field->size > structure->alignment) structure->alignment = field->size;
    for (size_t i = 0; *text(one, "length") && i < structure->field_count; i++) {
      if (!strcmp(text(json_array_get(list, i), "name"), text(one, "length")))
        field->length = &structure->fields[i];
    }
  }
}

static void read_function(const json_t *from, struct function *function) {
  function->name = text(from, "name");
  function->doc = text(from, "doc");
  read_type(json_object_get(from, "returns"), &function->returns);
  function->parameter_count =
      (int)read_parameters(json_object_get(from, "parameters"), function->parameters, true);
  size_t index;
  json_t *one;
  json_array_foreach(json_object_get(from, "statuses"), index, one) {
    int status = status_named(json_string_value(one));
    if (status >= MOST_STATUSES) die("%d is a status beyond what is counted", status);
    function->statuses |= UINT64_C(1) << status;
  }
  prepare(&function->interface, function->types, &function->returns, function->parameters,
      function->parameter_count);
}

static void *list(const char *name, size_t size, size_t *count) {
  *count = json_array_size(json_object_get(root, name));
  void *made = calloc(*count + 1, size);
  if (!made) die("no memory");
  return made;
}

/// Names first: types refer to what is described further on.
static void read_names(void) {
  described.constants = list("constants", sizeof(struct constant), &described.constant_count);
  described.handles = list("handles", sizeof(struct handle), &described.handle_count);
  described.structures = list("structs", sizeof(struct structure), &described.structure_count);
  described.callbacks = list("callbacks", sizeof(struct callback), &described.callback_count);
  described.functions = list("functions", sizeof(struct function), &described.function_count);
  size_t i;
  json_t *one;
  json_array_foreach(json_object_get(root, "constants"), i, one) {
    described.constants[i] = (struct constant){
        text(one, "name"), text(one, "group"), json_integer_value(json_object_get(one, "value"))};
  }
  json_array_foreach(json_object_get(root, "handles"), i, one) {
    described.handles[i].name = text(one, "name");
    described.handles[i].created_by =
        json_string_value(json_array_get(json_object_get(one, "created_by"), 0));
  }
  json_array_foreach(json_object_get(root, "structs"), i, one) {
    struct structure *structure = &described.structures[i];
    structure->name = text(one, "name");
    structure->size = (size_t)json_integer_value(json_object_get(one, "size"));
    structure->sized = json_is_true(json_object_get(one, "sized"));
    structure->field_count = json_array_size(json_object_get(one, "fields"));
    structure->fields = calloc(structure->field_count, sizeof(struct field));
  }
  json_array_foreach(json_object_get(root, "callbacks"), i, one) {
    described.callbacks[i].name = text(one, "name");
  }
}

void describe(const char *path) {
  json_error_t error;
  root = json_load_file(path, 0, &error);
  if (!root) die("%s: line %d: %s", path, error.line, error.text);
  read_names();
  size_t i;
  json_t *one;
  // Twice: the alignment of a struct is known when its fields are.
  for (int pass = 0; pass < 2; pass++) {
    json_array_foreach(json_object_get(root, "structs"), i, one) {
      read_structure(one, &described.structures[i]);
    }
  }
  json_array_foreach(json_object_get(root, "callbacks"), i, one) {
    struct callback *callback = &described.callbacks[i];
    read_type(json_object_get(one, "returns"), &callback->returns);
    callback->parameter_count =
        (int)read_parameters(json_object_get(one, "parameters"), callback->parameters, false);
    prepare(&callback->interface, callback->types, &callback->returns, callback->parameters,
        callback->parameter_count);
  }
  json_array_foreach(json_object_get(root, "functions"), i, one) {
    read_function(one, &described.functions[i]);
  }
}
