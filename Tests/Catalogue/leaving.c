// Ways in which a host's calls end early: it leaves, forks, jumps or is interrupted.
#define _GNU_SOURCE
#include "host.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_long rounds;

/// Steps, or with a word loads too, as long as the process lives.
static void *work(void *loads) {
  mixtral_model *model = load(2);
  while (1) {
    mixtral_session *session = open_session(model);
    CHECK(!mixtral_step(session, plan.prompt.ids, plan.prompt.count));
    CHECK(!mixtral_free(session));
    rounds++;
    if (!loads) continue;
    CHECK(!mixtral_free(model));
    model = load(2);
  }
  return NULL;
}

static void start_work(void *loads) {
  pthread_t thread;
  CHECK(!pthread_create(&thread, NULL, work, loads));
  while (rounds < 3) usleep(100);
}

static void use_late(void) { use_everything(&plan); }

/// Ends the process, with 3, while another thread is in a call.
int leave(const char *how) {
  if (!strcmp(how, "atexit")) CHECK(!atexit(use_late));
  start_work(NULL);
  if (!strcmp(how, "exit")) exit(3);
  if (!strcmp(how, "quick_exit")) quick_exit(3);
  if (!strcmp(how, "_exit")) _exit(3);
  return 3;
}

// ---- Fork at any moment of another thread's calls.

/// In a child: what its parent made is refused and freed, and it may begin anew.
static int live_as_child(mixtral_model *model, mixtral_session *session, int again) {
  uint64_t position = 0;
  mixtral_token token = 5;
  mixtral_session *other = NULL;
  mixtral_sampler *sampler = NULL;
  CHECK(mixtral_step(session, &token, 1) == MIXTRAL_FORKED);
  CHECK(mixtral_session_position(&position, session) == MIXTRAL_FORKED);
  CHECK(mixtral_session_create(&other, model, NULL) == MIXTRAL_FORKED);
  CHECK(!mixtral_free(session) && !mixtral_free(model));
  CHECK(!mixtral_sampler_create(&sampler, NULL) && !mixtral_free(sampler));
  if (again) use_everything(&plan);
  return 0;
}

int fork_often(const char *what) {
  enum { COUNT = 100 };
  mixtral_model *model = load(2);
  mixtral_session *session = open_session(model);
  start_work(strcmp(what, "load") ? NULL : model);
  for (int i = 0; i < COUNT; i++) {
    usleep((useconds_t)(i * 37 % 500));
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      _exit(live_as_child(model, session, i % 10 == 0));
    }
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  // The parent has noticed nothing.
  CHECK(!mixtral_step(session, plan.prompt.ids, plan.prompt.count));
  CHECK(!mixtral_free(session) && !mixtral_free(model));
  _exit(0);
}

// ---- A callback that does not return, or returns twice.

static jmp_buf outside;

static int32_t jump_from_progress(uint64_t done, uint64_t total, void *user) {
  (void)done, (void)total, (void)user;
  longjmp(outside, 1);
}

static pid_t child;
static int forked;

static int32_t fork_in_progress(uint64_t done, uint64_t total, void *stop) {
  if (!forked && done > total / 2) {
    forked = 1;
    child = fork();
    if (!child) alarm(20);
  }
  return stop && forked && !child;
}

/// A load that goes on in two processes: in the child, told to stop or not, its model is none.
int fork_in_load(void) {
  for (int stop = 0; stop < 2; stop++) {
    mixtral_model *model = NULL;
    mixtral_session *session = NULL;
    mixtral_load_options options = {.struct_size = sizeof options, .threads = 2,
        .progress = fork_in_progress, .user = stop ? &child : NULL};
    forked = 0;
    mixtral_status status = mixtral_load(&model, plan.model, &options);
    if (!child) {
      CHECK(status == (stop ? MIXTRAL_CANCELLED : MIXTRAL_OK));
      if (!stop) CHECK(mixtral_session_create(&session, model, NULL) == MIXTRAL_FORKED);
      CHECK(!mixtral_free(model));
      use_everything(&plan);
      _exit(0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    CHECK(!mixtral_session_create(&session, model, NULL));
    CHECK(!mixtral_free(session) && !mixtral_free(model));
  }
  return 0;
}

static int32_t jump(float *logits, uint64_t count, void *user) {
  (void)logits, (void)count, (void)user;
  longjmp(outside, 1);
}

/// Writes over the frames that nobody returned to, as a host's next calls do.
__attribute__((noinline)) static void write_over_frames(void) {
  volatile char stack[64 * 1024];
  for (size_t i = 0; i < sizeof stack; i++) stack[i] = 0x5a;
}

/// Leaves running calls by a jump: their objects stay as they were; all else goes on.
int jump_out(void) {
  mixtral_model *model = load(2);
  mixtral_session *session = open_session(model), *other = open_session(model);
  mixtral_sampler *sampler = NULL;
  mixtral_sampler_options options = {.struct_size = sizeof options, .filter = jump};
  mixtral_token token = 5;
  uint64_t position = 0;
  CHECK(!mixtral_sampler_create(&sampler, &options));
  CHECK(!mixtral_step(session, &token, 1) && !mixtral_step(other, &token, 1));
  if (!setjmp(outside)) {
    mixtral_sample(&token, session, sampler);
    fail("the callback returned");
  }
  mixtral_model *none = NULL;
  mixtral_load_options loading = {.struct_size = sizeof loading, .progress = jump_from_progress};
  mixtral_pack_options packing = {.struct_size = sizeof packing, .progress = jump_from_progress};
  if (!setjmp(outside)) mixtral_load(&none, plan.model, &loading);
  if (!setjmp(outside)) mixtral_model_pack(plan.packed, plan.model, &packing);
  CHECK(!none);
  write_over_frames();
  CHECK(!mixtral_session_position(&position, other) && position == 1);
  CHECK(mixtral_step(session, &token, 1) == MIXTRAL_BUSY);
  CHECK(mixtral_free(session) == MIXTRAL_BUSY && mixtral_free(sampler) == MIXTRAL_BUSY);
  CHECK(!mixtral_free(other) && !mixtral_free(model));
  use_everything(&plan);
  return 0;
}

// ---- Signals, whose handlers start again what they interrupt.

static volatile sig_atomic_t signals;
static void count_signal(int number) { signals += number != 0; }

int be_interrupted(void) {
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
  struct itimerval timer = {{0, 1000}, {0, 1000}};
  int numbers[] = {SIGALRM, SIGPROF, SIGINT};
  for (int i = 0; i < 3; i++) CHECK(!sigaction(numbers[i], &action, NULL));
  CHECK(!setitimer(ITIMER_REAL, &timer, NULL) && !setitimer(ITIMER_PROF, &timer, NULL));
  while (signals < 100) {
    use_everything(&plan);
    raise(SIGINT);
  }
  return 0;
}
