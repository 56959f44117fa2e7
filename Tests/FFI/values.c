// Valid values: the few that the description cannot say, and the objects calls are made on.
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;

/// Paths and keys by their function, or by their name alone.
static const struct {
  const char *function, *parameter;
  const char **text;
} texts[] = {
    {"mixtral_session_save_file", "path", &world.made},
    {"mixtral_session_load_file", "path", &world.saved},
    {NULL, "path", &world.model},
    {NULL, "source", &world.model},
    {NULL, "target", &world.made},
    {NULL, "key", &world.text},
};

static const struct {
  const char *parameter;
  uint64_t value;
} numbers[] = {{"position", 3}, {"status", 0}};

/// The fields that are not zero in valid options.
static const struct {
  const char *structure, *field;
  uint64_t value;
} fields[] = {
    {"mixtral_load_options", "threads", 2},
    {"mixtral_pack_options", "threads", 2},
    {"mixtral_sampler_options", "report", 3},
};

/// The call that makes a new object useful for all others.
static const struct {
  const char *handle, *function;
} uses[] = {
    {"mixtral_session", "mixtral_step"},
    {"mixtral_sampler", "mixtral_sample"},
    {"mixtral_detokenizer", "mixtral_detokenizer_next"},
};

static const int32_t tokens[] = {1, 5, 9};
static const char text[] = "h\xc3\xa9!";
enum { MOST_LOGITS = 1 << 16 };
static float expected_logits[MOST_LOGITS], found_logits[MOST_LOGITS];

const char *natural_text(const struct function *function, const struct parameter *parameter) {
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (texts[i].function && strcmp(texts[i].function, function->name)) continue;
    if (!strcmp(texts[i].parameter, parameter->name)) return *texts[i].text;
  }
  die("%s: no valid value of %s is known", function->name, parameter->name);
}

uint64_t natural_number(const struct parameter *parameter) {
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (!strcmp(numbers[i].parameter, parameter->name)) return numbers[i].value;
  }
  return 0;
}

uint64_t natural_field(const struct structure *structure, const struct field *field) {
  if (!strcmp(field->name, "struct_size")) return structure->size;
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    if (!strcmp(fields[i].structure, structure->name) && !strcmp(fields[i].field, field->name))
      return fields[i].value;
  }
  return 0;
}

size_t natural_count(const struct function *function, const struct type *type, const char *name) {
  if (type->kind == HANDLE || type->kind == STRUCT) return 1;
  if (type->kind == VOID && !strcmp(name, "state")) return world.state_size;
  if (type->kind == VOID) die("%s: no valid value of %s is known", function->name, name);
  return type->size == 1 ? strlen(text) : sizeof tokens / sizeof *tokens;
}

void natural_array(const struct type *type, uint8_t *at, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint8_t *to = at + i * type->size;
    if (type->kind == HANDLE) {
      memcpy(to, &world.live[type->handle], sizeof(uint64_t));
    } else if (type->kind == VOID) {
      *to = i < world.state_size ? world.state[i] : 0;
    } else if (type->kind == INTEGER && type->size == 1) {
      *to = (uint8_t)text[i % strlen(text)];
    } else if (!strcmp(type->base, "mixtral_token")) {
      memcpy(to, &tokens[i % (sizeof tokens / sizeof *tokens)], sizeof *tokens);
    } else {
      memset(to, 0, type->size);
    }
  }
}

uint64_t make_object(int kind) {
  uint64_t handle = 0;
  struct call call = {0};
  const struct function *function = function_named(described.handles[kind].created_by);
  if (call_valid(function, &call, &handle) || !handle) die("no %s", described.handles[kind].name);
  return handle;
}

int use_object(int kind, uint64_t handle) {
  for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
    if (strcmp(uses[i].handle, described.handles[kind].name)) continue;
    struct call call = {.lenient = handle != world.live[kind]};
    uint64_t before = world.live[kind];
    world.live[kind] = handle;
    int status = call_valid(function_named(uses[i].function), &call, NULL);
    world.live[kind] = before;
    return status;
  }
  return 0;
}

int free_object(uint64_t handle) {
  union value value = {.bits = handle};
  return (int)invoke(function_named("mixtral_free"), &value);
}

int any_kind(void) { return handle_named("mixtral_session"); }

static size_t read_logits(float *logits) {
  size_t count = 0;
  union value values[] = {
      {.pointer = &count}, {.pointer = logits}, {.bits = MOST_LOGITS},
      {.bits = world.live[any_kind()]}};
  return invoke(function_named("mixtral_logits"), values) ? 0 : count;
}

void world_refresh(void) {
  for (size_t kind = 0; kind < described.handle_count; kind++) {
    bool is_model = !strcmp(described.handles[kind].name, "mixtral_model");
    if (is_model && world.live[kind]) continue;
    if (world.live[kind] && free_object(world.live[kind]) == 0) world.stale[kind] = world.live[kind];
    world.live[kind] = make_object((int)kind);
    if (use_object((int)kind, world.live[kind])) die("a new object is of no use");
  }
}

bool world_unchanged(void) {
  uint64_t position = 0;
  union value values[] = {{.pointer = &position}, {.bits = world.live[any_kind()]}};
  if (invoke(function_named("mixtral_session_position"), values)) return false;
  size_t count = read_logits(found_logits);
  return position == sizeof tokens / sizeof *tokens && count
         && !memcmp(expected_logits, found_logits, count * sizeof(float));
}

static void write_file(const char *path, const uint8_t *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file)) die("%s is not written", path);
}

/// Makes the arguments of session_load and session_load_file, and files that no session is in.
static void save(void) {
  union value sizes[] = {
      {.pointer = &world.state_size}, {.bits = 0}, {.bits = 0}, {.bits = world.live[any_kind()]}};
  invoke(function_named("mixtral_session_save"), sizes);
  world.state = malloc(world.state_size);
  sizes[1].pointer = world.state;
  sizes[2].bits = world.state_size;
  if (invoke(function_named("mixtral_session_save"), sizes)) die("the session is not saved");
  union value path[] = {{.bits = world.live[any_kind()]}, {.pointer = (void *)(uintptr_t)world.saved}};
  if (invoke(function_named("mixtral_session_save_file"), path)) die("no file of the session");
  world.state[world.state_size / 2] ^= 1;
  write_file(world.damaged, world.state, world.state_size);
  world.state[world.state_size / 2] ^= 1;
  write_file(world.empty, world.state, 0);
}

static void read_vocabulary(void) {
  const struct function *function = function_named("mixtral_model_info");
  const struct structure *info = function->parameters[1].type.structure;
  uint32_t memory[256] = {(uint32_t)info->size};
  union value values[] = {{.bits = world.live[handle_named("mixtral_model")]}, {.pointer = memory}};
  if (invoke(function, values)) die("the model says nothing of itself");
  for (size_t i = 0; i < info->field_count; i++) {
    if (!strcmp(info->fields[i].name, "vocabulary"))
      world.vocabulary = memory[info->fields[i].offset / 4];
  }
}

void world_begin(const char *model) {
  world = (struct world){
      .model = model, .saved = "saved", .damaged = "damaged", .empty = "empty", .made = "made",
      .text = "general.architecture",
      .live = calloc(described.handle_count, sizeof(uint64_t)),
      .stale = calloc(described.handle_count, sizeof(uint64_t))};
  world_refresh();
  read_vocabulary();
  if (!read_logits(expected_logits)) die("no logits");
  save();
  for (size_t kind = 0; kind < described.handle_count; kind++) {
    world.stale[kind] = make_object((int)kind);
    if (free_object(world.stale[kind])) die("an object is not freed");
  }
}

void world_end(void) {
  for (size_t kind = 0; kind < described.handle_count; kind++) {
    if (free_object(world.live[kind])) die("an object is not freed");
  }
  free(world.live);
  free(world.stale);
  free(world.state);
}
