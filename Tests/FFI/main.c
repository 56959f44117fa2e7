// Calls every function of the description with every boundary value of every parameter.
//
//   harness DESCRIPTION LIBRARY MODEL PROMPT GREEDY [FUNCTION]
//
// PROMPT and GREEDY are lists of ids: what another engine says of the model. With FUNCTION only that one
// is called so. Works in the folder that it is started in. Prints what went wrong, and a line for each
// function: its calls with boundary values, and how often each status was seen in all calls of it. Exits
// with 0 when nothing went wrong.
#include "harness.h"

#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_IDS = 1024 };

static void *library;
static long calls;

static void open_library(const char *path) {
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) die("%s", dlerror());
  for (size_t i = 0; i < described.function_count; i++) {
    void *address = dlsym(library, described.functions[i].name);
    if (!address) die("%s", dlerror());
    memcpy(&described.functions[i].address, &address, sizeof address);
  }
}

// ---- Every value of one function

/// Of several sessions those that can step do, whatever the status of the others is.
static bool others_go_on(const struct call *call) {
  int handles = parameter_with(call->function, HANDLES);
  return handles >= 0 && call->choice_count > 1
         && call->elements[call->function->parameters[handles].length] > 1;
}

static void count_call(struct call *call) {
  calls++;
  call_run(call, NULL);
  if (!takes_objects(call->function)) return;
  if (call->status == 0 || others_go_on(call)) world_refresh();
  else if (!world_unchanged()) wrong(call, "the session is not as it was");
}

static void run(struct call call, const struct choice *choices, int count) {
  for (int i = 0; i < count; i++) call.choices[i] = choices[i];
  call.choice_count = count;
  count_call(&call);
}

/// A file is read or written by what gets that far.
static bool is_slow(const struct function *function) {
  for (int i = 0; i < function->parameter_count; i++) {
    const struct parameter *one = &function->parameters[i];
    if (one->role == TEXT && !one->nullable) return true;
  }
  return false;
}

static bool go_together(const struct choice *one, const struct choice *other) {
  if (one->variant->alone || other->variant->alone) return false;
  if (one->parameter != other->parameter) return true;
  return one->variant->way == OF_FIELD && other->variant->way == OF_FIELD
         && one->variant->field != other->variant->field;
}

static void run_all(const struct function *function, struct choice *choices, size_t count) {
  struct call call = {0};
  if (call_valid(function, &call, NULL)) die("%s: its valid call fails", function->name);
  world_refresh();
  struct call begin = {.function = function, .needed = call.needed};
  run(begin, NULL, 0);
  for (size_t i = 0; i < count; i++) run(begin, &choices[i], 1);
  bool slow = is_slow(function);
  for (size_t i = 0; i < count; i++) {
    for (size_t j = i + 1; j < count; j++) {
      struct choice both[] = {choices[i], choices[j]};
      bool refused = both[0].variant->expected > 0 || both[1].variant->expected > 0;
      if (go_together(&both[0], &both[1]) && (refused || !slow)) run(begin, both, 2);
    }
  }
}

/// @return the calls made.
static long exercise(const struct function *function) {
  struct choice *choices = NULL;
  size_t count = 0;
  calls = 0;
  for (int i = 0; i < function->parameter_count; i++) {
    struct variants variants = variants_of(function, &function->parameters[i]);
    choices = realloc(choices, (count + variants.count + 1) * sizeof *choices);
    if (!choices) die("no memory");
    for (size_t j = 0; j < variants.count; j++)
      choices[count++] = (struct choice){i, &variants.list[j]};
  }
  run_all(function, choices, count);
  free(choices);
  return calls;
}

static void print_line(const struct function *function, long made) {
  printf("%s calls %ld", function->name, made);
  for (int i = 0; i < MOST_STATUSES; i++) {
    long seen = tally[function - described.functions][i];
    if (seen) printf(" %s %ld", status_name(i), seen);
  }
  putchar('\n');
}

// ---- What holds before and after

static size_t entries(const char *folder) {
  DIR *directory = opendir(folder);
  size_t count = 0;
  if (!directory) die("%s is not there", folder);
  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

static void expect(bool holds, const char *what) {
  if (holds) return;
  failures++;
  printf("WRONG %s\n", what);
}

/// A joined thread may be listed for a moment.
static void wait_for_threads(size_t threads) {
  for (int i = 0; i < 1000 && entries("/proc/self/task") != threads; i++) usleep(1000);
}

static void check_names(void) {
  const struct function *function = function_named("mixtral_status_name");
  for (int64_t status = -2; status < MOST_STATUSES; status++) {
    union value value = {.bits = (uint64_t)status};
    const char *name = (const char *)(uintptr_t)invoke(function, &value);
    const char *known = status < 0 ? NULL : status_name((int)status);
    expect(!strcmp(name, known ? known : "UNKNOWN"), "mixtral_status_name");
  }
}

static size_t read_ids(const char *text, int32_t *ids) {
  size_t count = 0;
  for (char *end; *text && count < MOST_IDS; text = *end ? end + 1 : end)
    ids[count++] = (int32_t)strtol(text, &end, 10);
  return count;
}

/// After all that: a model is loaded and says what another engine says.
static void check_tokens(const char *prompt, const char *greedy) {
  int32_t ids[MOST_IDS], expected[MOST_IDS], token = -1;
  size_t count = read_ids(prompt, ids), expected_count = read_ids(greedy, expected);
  int kind = handle_named("mixtral_session");
  uint64_t session = make_object(kind);
  union value step[] = {{.bits = session}, {.pointer = ids}, {.bits = count}};
  union value sample[] = {{.pointer = &token}, {.bits = session}, {.bits = 0}};
  for (size_t i = 0; i < expected_count; i++) {
    expect(invoke(function_named("mixtral_step"), step) == 0, "the step in the end");
    expect(invoke(function_named("mixtral_sample"), sample) == 0, "the sample in the end");
    expect(token == expected[i], "a token is not the reference's");
    step[1].pointer = &token;
    step[2].bits = 1;
  }
  expect(expected_count > 0 && free_object(session) == 0, "the session in the end");
}

/// The header names how many objects can live: so many more can be made when none does.
static void check_no_object_lives(void) {
  enum { MOST_OBJECTS = 65535 };
  static uint64_t handles[MOST_OBJECTS + 1];
  const struct function *create = function_named("mixtral_sampler_create");
  size_t count = 0;
  int status = 0;
  while (count <= MOST_OBJECTS && !status) {
    union value values[] = {{.pointer = &handles[count]}, {.bits = 0}};
    status = (int)invoke(create, values);
    if (!status) count++;
  }
  expect(count == MOST_OBJECTS && status == status_named("LIMIT_EXCEEDED"), "an object still lives");
  while (count > 0) expect(free_object(handles[--count]) == 0, "a sampler is not freed");
}

static void died(int signal) {
  printf("WRONG %s in ", strsignal(signal));
  if (current) call_print(current);
  putchar('\n');
  fflush(stdout);
  _exit(3);
}

int main(int count, char **words) {
  if (count < 6) die("harness DESCRIPTION LIBRARY MODEL PROMPT GREEDY [FUNCTION]");
  for (int *one = (int[]){SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, 0}; *one; one++)
    signal(*one, died);
  describe(words[1]);
  callbacks_begin();
  open_library(words[2]);
  tally = calloc(described.function_count, sizeof *tally);
  size_t files = entries("/proc/self/fd"), threads = entries("/proc/self/task");
  world_begin(words[3]);
  size_t left = entries(".");
  long *made = calloc(described.function_count, sizeof *made);
  for (size_t i = 0; i < described.function_count; i++) {
    if (words[6] && strcmp(words[6], described.functions[i].name)) continue;
    made[i] = exercise(&described.functions[i]);
    expect(entries(".") == left, "a file is left");
  }
  world_end();
  check_names();
  world_begin(words[3]);
  check_tokens(words[4], words[5]);
  world_end();
  wait_for_threads(threads);
  expect(entries("/proc/self/task") == threads, "a thread still runs");
  expect(entries("/proc/self/fd") == files, "a file is still open");
  check_no_object_lives();
  expect(dlclose(library) == 0, "dlclose");
  for (size_t i = 0; i < described.function_count; i++) print_line(&described.functions[i], made[i]);
  return failures ? 1 : 0;
}
