/* Opens, uses and closes a library many times and says what the process holds, after ten times and in the end:
 * reopen LIBRARY MODEL MODE TIMES. */
#include <dirent.h>
#include <dlfcn.h>
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int fine, const char *what) {
  if (fine) return;
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static int entries(const char *folder) {
  int count = 0;
  DIR *open = opendir(folder);
  check(open != NULL, folder);
  while (readdir(open)) count++;
  closedir(open);
  return count;
}

static void say_what_is_held(void) {
  char line[4096];
  long kilobytes = -1;
  int mappings = 0;
  FILE *file = fopen("/proc/self/smaps_rollup", "r");
  check(file != NULL, "no smaps_rollup");
  while (fgets(line, sizeof line, file)) sscanf(line, "Private_Dirty: %ld", &kilobytes);
  fclose(file);
  file = fopen("/proc/self/maps", "r");
  check(file != NULL, "no maps");
  while (fgets(line, sizeof line, file)) mappings++;
  fclose(file);
  printf("%ld %d %d %d\n", kilobytes, mappings, entries("/proc/self/task"), entries("/proc/self/fd"));
}

/* ISO C has no cast from an object's address to a function's. */
#define FIND(function) *(void **)&function = dlsym(library, "mixtral_" #function)

static void use(void *library, const char *path) {
  mixtral_model *model;
  mixtral_session *session;
  mixtral_token token = 5;
  mixtral_status (*load)(mixtral_model **, const char *, const mixtral_load_options *);
  mixtral_status (*session_create)(mixtral_session **, mixtral_model *, const mixtral_session_options *);
  mixtral_status (*step)(mixtral_session *, const mixtral_token *, size_t);
  mixtral_status (*sample)(mixtral_token *, mixtral_session *, mixtral_sampler *);
  mixtral_status (*free)(void *);
  FIND(load), FIND(session_create), FIND(step), FIND(sample), FIND(free);
  check(load(&model, path, NULL) == MIXTRAL_OK, "load");
  check(session_create(&session, model, NULL) == MIXTRAL_OK, "session_create");
  check(step(session, &token, 1) == MIXTRAL_OK, "step");
  check(sample(&token, session, NULL) == MIXTRAL_OK, "sample");
  check(free(session) == MIXTRAL_OK && free(model) == MIXTRAL_OK, "free");
}

int main(int argc, char **argv) {
  check(argc == 5, "usage: reopen LIBRARY MODEL MODE TIMES");
  const int times = atoi(argv[4]);
  for (int done = 1; done <= times; done++) {
    void *library = dlopen(argv[1], atoi(argv[3]));
    if (!library) check(0, dlerror());
    use(library, argv[2]);
    check(dlclose(library) == 0, "dlclose");
    if (done == 10 || done == times) say_what_is_held();
  }
  return 0;
}
