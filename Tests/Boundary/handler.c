/* A signal handler that cancels, while the thread that it interrupts looks up handles and while it steps.
 *   handler MODEL COUNT
 * Prints "cancels COUNT others 0 steps N": what the handler got in COUNT signals and more, and how many steps were
 * CANCELLED; at the end what the handler gets for a freed session. */
#include <mixtral.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

enum { LENGTH = 1000 };
static mixtral_session *session;
static volatile sig_atomic_t cancels, others;

static void on_alarm(int number) {
  (void)number;
  if (mixtral_cancel(session) == MIXTRAL_OK) {
    cancels++;
  } else {
    others++;
  }
}

static void every(int microseconds) {
  struct itimerval interval = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_REAL, &interval, NULL);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  mixtral_model *model;
  mixtral_load_options options = {.struct_size = sizeof options, .threads = 1};
  if (mixtral_load(&model, argv[1], &options)) return 2;
  if (mixtral_session_create(&session, model, NULL)) return 2;
  mixtral_token tokens[LENGTH];
  for (int i = 0; i < LENGTH; i++) tokens[i] = 1 + i % 900;
  signal(SIGALRM, on_alarm);

  uint64_t position;
  every(150);
  while (cancels + others < atoi(argv[2])) {
    if (mixtral_session_position(&position, session) != MIXTRAL_OK) return 3;
  }
  /* Cancels between steps are forgotten, and those within one end it. */
  long steps = 0;
  every(2000);
  while (steps < 20) {
    mixtral_status status = mixtral_step(session, tokens, LENGTH);
    if (status == MIXTRAL_CANCELLED) steps++;
    else if (status != MIXTRAL_OK) return 4;
    if (mixtral_session_rewind(session, 0) != MIXTRAL_OK) return 5;
  }
  every(0);
  printf("cancels %s others %d steps %ld\n", cancels >= atoi(argv[2]) ? "all" : "few", (int)others, steps);
  if (mixtral_step(session, tokens, 3) != MIXTRAL_OK) return 6;

  /* Once it is freed, its handle is refused, also when another session has its place. */
  mixtral_session *freed = session;
  if (mixtral_free(session) != MIXTRAL_OK || mixtral_cancel(freed) != MIXTRAL_INVALID_HANDLE) return 7;
  for (int i = 0; i < 3; i++) {
    if (mixtral_session_create(&session, model, NULL)) return 8;
    if (mixtral_cancel(freed) != MIXTRAL_INVALID_HANDLE || mixtral_cancel(session) != MIXTRAL_OK) return 9;
    if (mixtral_free(session) != MIXTRAL_OK) return 10;
  }
  if (mixtral_cancel(model) != MIXTRAL_INVALID_HANDLE || mixtral_cancel(NULL) != MIXTRAL_INVALID_HANDLE) return 11;
  return mixtral_free(model) == MIXTRAL_OK ? 0 : 12;
}
