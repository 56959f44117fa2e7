// Mapped files that are cut, and the guard of mixtral_guard_mappings: guard WAY MODEL PACKED PROMPT GREEDY
//
//   cut     guarded, a step reads what is no longer there, for cuts to nothing and to the middle
//   storm   the same, cut by another thread at any moment of a step, again and again
//   bare    without the guard the process ends (by SIGBUS)
//   before  without the guard a file that was cut before a call is seen
//   others  a SIGBUS that is not the library's goes where it would have gone
//   toggle  on and off, and handlers of the host that come between
//   masks   what worker threads hold back
//
// MODEL is packed to PACKED. PROMPT and GREEDY are lists of ids: what follows the prompt by another engine.
// Exits with 0 when nothing is wrong.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <mixtral.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *model_path, *packed;
static mixtral_token prompt[256], greedy[256];
static size_t prompt_count, greedy_count;

#define NEED(what)                                                                     \
  do {                                                                                 \
    if (what) break;                                                                   \
    fprintf(stderr, "%d: %s (%s)\n", __LINE__, #what, mixtral_last_error());           \
    _exit(1);                                                                          \
  } while (0)
#define OK(call) NEED((call) == MIXTRAL_OK)

// ---- What the library is told of a file. The program's own function comes before the C library's.

static struct stat whole;
static atomic_int pretends;

/// While `pretends`, the packed file is always as it was: a step begins, and meets the cut on its way.
int fstat(int file, struct stat *status) {
  int code = fstatat(file, "", status, AT_EMPTY_PATH);
  if (code == 0 && atomic_load(&pretends) && status->st_ino == whole.st_ino) *status = whole;
  return code;
}

// ---- Models

static mixtral_model *load(const char *path, uint32_t map) {
  mixtral_load_options options = {.struct_size = sizeof options, .threads = 3, .map = map};
  mixtral_model *model;
  OK(mixtral_load(&model, path, &options));
  return model;
}

static mixtral_model *load_packed(void) {
  mixtral_pack_options options = {.struct_size = sizeof options, .overwrite = 1};
  OK(mixtral_model_pack(packed, model_path, &options));
  NEED(stat(packed, &whole) == 0);
  return load(packed, 1);
}

static mixtral_session *new_session(mixtral_model *model) {
  mixtral_session *session;
  OK(mixtral_session_create(&session, model, NULL));
  return session;
}

static uint64_t position(mixtral_session *session) {
  uint64_t position;
  OK(mixtral_session_position(&position, session));
  return position;
}

static void check_goldens(mixtral_model *model) {
  mixtral_session *session = new_session(model);
  OK(mixtral_step(session, prompt, prompt_count));
  for (size_t i = 0; i < greedy_count; i++) {
    mixtral_token token;
    OK(mixtral_sample(&token, session, NULL));
    NEED(token == greedy[i]);
    OK(mixtral_step(session, &token, 1));
  }
  OK(mixtral_free(session));
}

static float *logits(mixtral_session *session, size_t *count) {
  OK(mixtral_logits(count, NULL, 0, session) == MIXTRAL_BUFFER_TOO_SMALL ? MIXTRAL_OK : 1);
  float *values = calloc(*count, sizeof *values);
  OK(mixtral_logits(count, values, *count, session));
  return values;
}

static void cut(off_t size) {
  mixtral_model *other = load(model_path, 0), *model = load_packed();
  mixtral_session *session = new_session(model), *second = new_session(model);
  OK(mixtral_step(session, prompt, prompt_count));
  size_t count;
  float *before = logits(session, &count);
  atomic_store(&pretends, 1);
  NEED(truncate(packed, size) == 0);
  // A state names the weights, of which some are gone.
  size_t needed;
  char *state = malloc(1 << 24);
  NEED(mixtral_session_save(&needed, state, 1 << 24, session) == MIXTRAL_CHANGED);
  NEED(strstr(mixtral_last_error(), "while it was mapped"));
  NEED(mixtral_step(session, greedy, 1) == MIXTRAL_CHANGED);
  NEED(strstr(mixtral_last_error(), "while it was mapped"));
  OK(mixtral_free(model));

  // A fault that a step meets first, of two sessions at once.
  model = (atomic_store(&pretends, 0), load_packed());
  mixtral_session *sessions[2] = {new_session(model), new_session(model)};
  OK(mixtral_step(sessions[0], prompt, prompt_count));
  atomic_store(&pretends, 1);
  NEED(truncate(packed, size) == 0);
  mixtral_input inputs[2] = {{greedy, 1}, {prompt, prompt_count}};
  mixtral_status statuses[2] = {0, 0};
  NEED(mixtral_step_many(sessions, inputs, 2, statuses) == MIXTRAL_CHANGED);
  NEED(statuses[0] == MIXTRAL_CHANGED && statuses[1] == MIXTRAL_CHANGED);
  // As they were, and usable for all that needs no weights.
  NEED(position(sessions[0]) == prompt_count && position(sessions[1]) == 0);
  float *after = logits(sessions[0], &count);
  NEED(memcmp(before, after, count * sizeof *before) == 0);
  mixtral_token token;
  OK(mixtral_sample(&token, sessions[0], NULL));
  NEED(token == greedy[0]);
  // Not for the model's life, whatever becomes of the file.
  NEED(truncate(packed, whole.st_size) == 0);
  for (int i = 0; i < 3; i++) NEED(mixtral_step(sessions[0], greedy, 1) == MIXTRAL_CHANGED);
  OK(mixtral_session_rewind(sessions[0], 0));
  NEED(mixtral_step(sessions[0], prompt, 1) == MIXTRAL_CHANGED);
  atomic_store(&pretends, 0);

  check_goldens(other);
  mixtral_model *anew = load_packed();
  check_goldens(anew);
  void *all[] = {sessions[0], sessions[1], model, session, second, anew, other};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) OK(mixtral_free(all[i]));
  free(before), free(after), free(state);
}

// ---- At any moment

static atomic_int is_stepping;

static void *cut_later(void *pauses) {
  while (!atomic_load(&is_stepping)) sched_yield();
  for (size_t i = 0; i < (size_t)pauses; i++) __builtin_ia32_pause();
  NEED(truncate(packed, (size_t)pauses % 2 ? 0 : whole.st_size / 3) == 0);
  return NULL;
}

static void storm(void) {
  mixtral_model *other = load(model_path, 0);
  for (size_t i = 0; i < 60; i++) {
    pthread_t thread;
    mixtral_model *model = load_packed();
    mixtral_session *session = new_session(model);
    // Every third is seen when a step begins, if it does not come within one.
    atomic_store(&pretends, i % 3 != 0);
    atomic_store(&is_stepping, 0);
    NEED(pthread_create(&thread, NULL, cut_later, (void *)(i * 701)) == 0);
    mixtral_status status = MIXTRAL_OK;
    uint64_t fed = 0;
    while (status == MIXTRAL_OK) {
      atomic_store(&is_stepping, 1);
      OK(mixtral_session_rewind(session, 0));
      fed = 0;
      for (int j = 0; j < 4 && status == MIXTRAL_OK; j++) {
        status = mixtral_step(session, prompt, prompt_count);
        if (status == MIXTRAL_OK) fed += prompt_count;
      }
    }
    NEED(status == MIXTRAL_CHANGED);
    NEED(position(session) == fed);
    NEED(pthread_join(thread, NULL) == 0);
    atomic_store(&pretends, 0);
    OK(mixtral_free(session));
    OK(mixtral_free(model));
  }
  check_goldens(other);
  OK(mixtral_free(other));
}

static void before(void) {
  mixtral_model *model = load_packed();
  mixtral_session *session = new_session(model);
  static char state[1 << 24];
  size_t needed;
  OK(mixtral_step(session, prompt, prompt_count));
  NEED(truncate(packed, whole.st_size / 2) == 0);
  NEED(mixtral_step(session, greedy, 1) == MIXTRAL_CHANGED);
  NEED(mixtral_session_save(&needed, state, sizeof state, session) == MIXTRAL_CHANGED);
  NEED(position(session) == prompt_count);
  OK(mixtral_free(session));
  OK(mixtral_free(model));
}

// ---- Faults and signals of others

static char *page;
static sigjmp_buf back;
static volatile sig_atomic_t seen;
static void *volatile told_address;
static volatile sig_atomic_t told_code;
static sigset_t blocked;

/// A page of a file that is empty, at `address` or anywhere.
static char *missing_page(void *address) {
  int file = memfd_create("empty", 0);
  char *page = mmap(address, 4096, PROT_READ, MAP_SHARED | (address ? MAP_FIXED : 0), file, 0);
  NEED(file >= 0 && page != MAP_FAILED);
  close(file);
  return page;
}

static void fault(void) { (void)*(volatile char *)(page + 7); }

static void mend(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  seen++;
  told_address = info->si_addr;
  told_code = info->si_code;
  pthread_sigmask(SIG_BLOCK, NULL, &blocked);
  mmap(page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void leave(int number) {
  seen += number == SIGBUS;
  siglongjmp(back, 1);
}

static void handle(struct sigaction action) { NEED(sigaction(SIGBUS, &action, NULL) == 0); }

static void with_information(void) {
  struct sigaction action = {.sa_sigaction = mend, .sa_flags = SA_SIGINFO};
  sigaddset(&action.sa_mask, SIGUSR1);
  handle(action);
  OK(mixtral_guard_mappings(1));
  fault();
  NEED(seen == 1 && told_address == page + 7 && told_code == BUS_ADRERR);
  NEED(sigismember(&blocked, SIGUSR1) && sigismember(&blocked, SIGBUS));
  pthread_sigmask(SIG_BLOCK, NULL, &blocked);
  NEED(!sigismember(&blocked, SIGUSR1) && !sigismember(&blocked, SIGBUS));
  raise(SIGBUS);
  NEED(seen == 2 && told_code == SI_TKILL);
  _exit(0);
}

static void that_leaves_once(void) {
  handle((struct sigaction){.sa_handler = leave, .sa_flags = (int)SA_RESETHAND | SA_NODEFER});
  OK(mixtral_guard_mappings(1));
  // No mask is restored: the handler was not to hold its signal back.
  if (!sigsetjmp(back, 0)) fault();
  pthread_sigmask(SIG_BLOCK, NULL, &blocked);
  NEED(seen == 1 && !sigismember(&blocked, SIGBUS));
  fault();
  _exit(2);
}

static void by_default(void) {
  OK(mixtral_guard_mappings(1));
  fault();
  _exit(2);
}

static void by_default_sent(void) {
  OK(mixtral_guard_mappings(1));
  kill(getpid(), SIGBUS);
  _exit(2);
}

static void ignored(void) {
  handle((struct sigaction){.sa_handler = SIG_IGN});
  OK(mixtral_guard_mappings(1));
  fault();
  _exit(2);
}

static void ignored_sent(void) {
  handle((struct sigaction){.sa_handler = SIG_IGN});
  OK(mixtral_guard_mappings(1));
  kill(getpid(), SIGBUS);
  raise(SIGBUS);
  _exit(0);
}

static void where_a_model_was(void) {
  OK(mixtral_guard_mappings(1));
  mixtral_model *model = load_packed();
  char line[512], *base = NULL;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, maps)) {
    if (strstr(line, packed)) base = (char *)strtoul(line, NULL, 16);
  }
  fclose(maps);
  NEED(base != NULL);
  OK(mixtral_free(model));
  page = missing_page(base);
  fault();
  _exit(2);
}

static void others(void) {
  static const struct {
    void (*what)(void);
    int ends;  // the signal, or 0
  } cases[] = {
      {with_information, 0}, {that_leaves_once, SIGBUS}, {by_default, SIGBUS},
      {by_default_sent, SIGBUS}, {ignored, SIGBUS}, {ignored_sent, 0},
      {where_a_model_was, SIGBUS},
  };
  page = missing_page(NULL);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int status;
    pid_t child = fork();
    if (child == 0) cases[i].what();
    NEED(waitpid(child, &status, 0) == child);
    if (cases[i].ends ? WIFSIGNALED(status) && WTERMSIG(status) == cases[i].ends
                      : WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    fprintf(stderr, "case %zu of others: status %x\n", i, status);
    _exit(1);
  }
}

// ---- On and off

static struct sigaction now(void) {
  struct sigaction now;
  NEED(sigaction(SIGBUS, NULL, &now) == 0);
  return now;
}

static void *turn(void *unused) {
  for (int i = 0; i < 500; i++) {
    OK(mixtral_guard_mappings(1));
    OK(mixtral_guard_mappings(i % 2));
  }
  return unused;
}

static void toggle(void) {
  struct sigaction mine = {.sa_sigaction = mend, .sa_flags = SA_SIGINFO | SA_RESTART}, guard;
  sigaddset(&mine.sa_mask, SIGUSR2);
  handle(mine);
  OK(mixtral_guard_mappings(0));
  NEED(now().sa_sigaction == mend);
  NEED(mixtral_guard_mappings(2) == MIXTRAL_INVALID_ARGUMENT);
  OK(mixtral_guard_mappings(1));
  guard = now();
  NEED(guard.sa_sigaction != mend);
  OK(mixtral_guard_mappings(1));
  NEED(now().sa_sigaction == guard.sa_sigaction);

  // A handler that comes later stays, and so does the guard behind it.
  handle((struct sigaction){.sa_handler = leave});
  NEED(mixtral_guard_mappings(0) == MIXTRAL_BUSY);
  NEED(mixtral_guard_mappings(1) == MIXTRAL_BUSY);
  NEED(now().sa_handler == leave);
  handle(guard);
  OK(mixtral_guard_mappings(0));
  struct sigaction again = now();
  NEED(again.sa_sigaction == mend && again.sa_flags & SA_RESTART && again.sa_flags & SA_SIGINFO);
  NEED(sigismember(&again.sa_mask, SIGUSR2) && !sigismember(&again.sa_mask, SIGUSR1));
  OK(mixtral_guard_mappings(0));

  // Once nobody handles it any more there is nothing in the way.
  OK(mixtral_guard_mappings(1));
  handle((struct sigaction){.sa_handler = SIG_DFL});
  OK(mixtral_guard_mappings(0));
  NEED(now().sa_handler == SIG_DFL);
  OK(mixtral_guard_mappings(1));
  NEED(now().sa_sigaction == guard.sa_sigaction);
  OK(mixtral_guard_mappings(0));
  NEED(now().sa_handler == SIG_DFL);

  handle(mine);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) NEED(pthread_create(&threads[i], NULL, turn, NULL) == 0);
  for (int i = 0; i < 4; i++) NEED(pthread_join(threads[i], NULL) == 0);
  OK(mixtral_guard_mappings(0));
  NEED(now().sa_sigaction == mend);
}

static unsigned long held_back(const char *task) {
  char path[512], line[256];
  unsigned long mask = 0;
  snprintf(path, sizeof path, "/proc/self/task/%s/status", task);
  FILE *file = fopen(path, "r");
  NEED(file != NULL);
  while (fgets(line, sizeof line, file)) sscanf(line, "SigBlk: %lx", &mask);
  fclose(file);
  return mask;
}

/// Signals of a thread's own faults reach a handler of the host, and no others do.
static void masks(void) {
  unsigned long free_ones = 0;
  const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
  for (int i = 0; i < 6; i++) free_ones |= 1ul << (faults[i] - 1);
  // Signals that nobody can hold back, and those that the C library keeps from programs.
  free_ones |= 1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1) | 3ul << 31;
  mixtral_model *model = load(model_path, 0);
  DIR *tasks = opendir("/proc/self/task");
  int workers = 0;
  for (struct dirent *task; (task = readdir(tasks));) {
    if (task->d_name[0] == '.' || atoi(task->d_name) == getpid()) continue;
    // A thread begins with everything held back.
    for (int i = 0; held_back(task->d_name) != ~free_ones; i++) NEED(i < 1000 && !usleep(1000));
    workers++;
  }
  closedir(tasks);
  NEED(workers == 2);
  OK(mixtral_free(model));
}

static size_t parse(mixtral_token *tokens, char *text) {
  size_t count = 0;
  for (char *word = strtok(text, ","); word && count < 256; word = strtok(NULL, ",")) {
    tokens[count++] = (mixtral_token)strtol(word, NULL, 10);
  }
  return count;
}

int main(int count, char **words) {
  if (count != 6) return 2;
  const char *way = words[1];
  model_path = words[2];
  packed = words[3];
  prompt_count = parse(prompt, words[4]);
  greedy_count = parse(greedy, words[5]);
  alarm(100);
  if (!strcmp(way, "cut")) {
    OK(mixtral_guard_mappings(1));
    cut(0);
    cut(whole.st_size / 2);
  } else if (!strcmp(way, "storm")) {
    OK(mixtral_guard_mappings(1));
    storm();
  } else if (!strcmp(way, "bare")) {
    mixtral_session *session = new_session(load_packed());
    atomic_store(&pretends, 1);
    NEED(truncate(packed, 0) == 0);
    mixtral_step(session, prompt, prompt_count);
  } else if (!strcmp(way, "before")) {
    before();
  } else if (!strcmp(way, "others")) {
    others();
  } else if (!strcmp(way, "toggle")) {
    toggle();
  } else if (!strcmp(way, "masks")) {
    masks();
  } else {
    return 2;
  }
  return 0;
}
