/* A long life in one process: soak MODEL SESSIONS LOADS SECONDS
 *
 * Creates and frees SESSIONS sessions that step, loads and frees the model LOADS times, then generates for
 * SECONDS with sampling, several sessions, rewinds and forks. Prints what the process holds as it goes, and
 * exits with 1 when it holds more at the end of a part than after the part's first tenth (or first report). */
#define _GNU_SOURCE
#include <dirent.h>
#include <malloc.h>
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void check(mixtral_status status) {
  if (status == MIXTRAL_OK) return;
  fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
  exit(2);
}

/// The memory, descriptors and threads that the process holds.
struct holding {
  long resident; /* KiB */
  long heap;     /* bytes in use */
  int files, threads;
};

static int entries(const char *folder) {
  int count = -2; /* . and .. */
  DIR *directory = opendir(folder);
  if (directory == NULL) return -1;
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

static struct holding weigh(void) {
  struct holding now = {0, 0, entries("/proc/self/fd"), entries("/proc/self/task")};
  long size = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &size, &now.resident) != 2) exit(2);
  fclose(file);
  now.resident *= sysconf(_SC_PAGESIZE) / 1024;
  now.heap = (long)mallinfo2().uordblks;
  return now;
}

static int worse = 0;

/// Prints a part's holding at its `done`-th of `all`; compares its end with its first tenth.
static void report(const char *part, long done, long all) {
  static struct holding early;
  static const char *before = "";
  struct holding now = weigh();
  int is_early = done * 10 <= all || part != before;
  before = part;
  printf("%-9s %8ld of %ld  resident %ld KiB  heap %ld B  files %d  threads %d\n", part, done, all,
         now.resident, now.heap, now.files, now.threads);
  fflush(stdout);
  if (is_early) early = now;
  if (done < all || is_early) return;
  /* The allocator's pools and pages touched for the first time settle within some hundred KiB. */
  if (now.resident > early.resident + 1024 || now.heap > early.heap + 65536 ||
      now.files > early.files || now.threads > early.threads) {
    printf("%s: holds more than before\n", part);
    worse = 1;
  }
}

static mixtral_model *load(const char *path) {
  mixtral_model *model = NULL;
  mixtral_load_options options = {.struct_size = sizeof options, .threads = 2};
  check(mixtral_load(&model, path, &options));
  return model;
}

static void create_and_free(mixtral_model *model, long count) {
  const mixtral_token prompt[] = {1, 2, 3};
  long i;
  for (i = 1; i <= count; i++) {
    mixtral_session *session = NULL;
    check(mixtral_session_create(&session, model, NULL));
    check(mixtral_step(session, prompt, 1 + (size_t)i % 3));
    check(mixtral_free(session));
    if (i % (count / 10) == 0) report("sessions", i, count);
  }
}

static void load_and_free(const char *path, long count) {
  long i;
  for (i = 1; i <= count; i++) {
    check(mixtral_free(load(path)));
    if (i % (count / 10) == 0) report("loads", i, count);
  }
}

enum { SESSIONS = 4, LENGTH = 200 };

/// A conversation: draws tokens, forks, goes back, and draws again from the copy.
static long converse(mixtral_model *model, unsigned seed) {
  mixtral_session *sessions[SESSIONS];
  mixtral_sampler *sampler = NULL;
  mixtral_detokenizer *text = NULL;
  mixtral_sampler_options options = {
      .struct_size = sizeof options, .temperature = 0.8f, .top_p = 0.95f, .seed = seed};
  const mixtral_token start = 1;
  long tokens = 0;
  int i, k;
  check(mixtral_sampler_create(&sampler, &options));
  check(mixtral_detokenizer_create(&text, model, 0));
  check(mixtral_session_create(&sessions[0], model, NULL));
  check(mixtral_step(sessions[0], &start, 1));
  for (i = 1; i < SESSIONS; i++) check(mixtral_session_fork(&sessions[i], sessions[0]));
  for (k = 0; k < LENGTH; k++) {
    mixtral_token drawn[SESSIONS];
    mixtral_input inputs[SESSIONS];
    char piece[256];
    size_t size;
    for (i = 0; i < SESSIONS; i++) {
      check(mixtral_sample(&drawn[i], sessions[i], sampler));
      inputs[i].tokens = &drawn[i];
      inputs[i].count = 1;
    }
    check(mixtral_step_many(sessions, inputs, SESSIONS, NULL));
    check(mixtral_detokenizer_next(&size, piece, sizeof piece, text, drawn, 1));
    if (k == LENGTH / 2) {
      check(mixtral_session_rewind(sessions[1], 1));
      check(mixtral_step(sessions[1], &start, 1));
    }
    tokens += SESSIONS;
  }
  for (i = 0; i < SESSIONS; i++) check(mixtral_free(sessions[i]));
  check(mixtral_free(text));
  check(mixtral_free(sampler));
  return tokens;
}

static void generate(mixtral_model *model, long seconds) {
  time_t start = time(NULL);
  long reported = 0, tokens = 0;
  unsigned seed = 0;
  while (reported < seconds) {
    long passed;
    tokens += converse(model, ++seed);
    passed = (long)(time(NULL) - start);
    if (passed < reported + (seconds + 19) / 20) continue;
    reported = passed < seconds ? passed : seconds;
    report("seconds", reported, seconds);
  }
  printf("%ld tokens generated\n", tokens);
}

int main(int count, char **words) {
  mixtral_model *model;
  if (count != 5) return fprintf(stderr, "usage: soak MODEL SESSIONS LOADS SECONDS\n"), 2;
  model = load(words[1]);
  create_and_free(model, atol(words[2]));
  check(mixtral_free(model));
  load_and_free(words[1], atol(words[3]));
  model = load(words[1]);
  generate(model, atol(words[4]));
  check(mixtral_free(model));
  return worse;
}
