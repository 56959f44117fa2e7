// The library with one thing wrong, and with functions that the harness has never heard of: what is
// not here comes from the library that this one is linked with.
#include "mixtral.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// ---- Additions

mixtral_status added_step(mixtral_session *session, const mixtral_token *tokens, size_t count) {
  return REAL(mixtral_step)(session, tokens, count);
}

mixtral_status added_tokenize(
    size_t *count, mixtral_token *buffer, size_t capacity, mixtral_model *model, const char *text,
    size_t size, uint32_t flags) {
  return REAL(mixtral_tokenize)(count, buffer, capacity, model, text, size, flags);
}

mixtral_status added_path(const char *path) { return path ? MIXTRAL_OK : MIXTRAL_INVALID_ARGUMENT; }

// ---- Faults

#if defined(WRONG_POSITION)
mixtral_status mixtral_session_position(uint64_t *position, mixtral_session *session) {
  mixtral_status status = REAL(mixtral_session_position)(position, session);
#if WRONG_POSITION == 1  // a number that is no status
  return status ? 99 : 0;
#elif WRONG_POSITION == 2  // a status that the header does not promise
  return status ? MIXTRAL_IO : 0;
#elif WRONG_POSITION == 3  // a handle that is none
  return session ? status : 0;
#else  // a result in spite of an error
  if (position && status) *position = 7;
  return status;
#endif
}
#elif defined(WRONG_STEP)
mixtral_status mixtral_step(mixtral_session *session, const mixtral_token *tokens, size_t count) {
  mixtral_status status = REAL(mixtral_step)(session, tokens, count);
#if WRONG_STEP == 1  // the caller's array is written to
  if (!status) *(mixtral_token *)tokens = 2;
#elif WRONG_STEP == 2  // the session is another one after an error
  if (status == MIXTRAL_INVALID_ARGUMENT) mixtral_session_rewind(session, 0);
#else  // the host dies
  if (count > 1u << 30) abort();
#endif
  return status;
}
#elif defined(WRONG_TOKENIZE)
mixtral_status mixtral_tokenize(
    size_t *count, mixtral_token *buffer, size_t capacity, mixtral_model *model, const char *text,
    size_t size, uint32_t flags) {
  mixtral_status status = REAL(mixtral_tokenize)(count, buffer, capacity, model, text, size, flags);
#if WRONG_TOKENIZE == 1  // before the buffer
  if (buffer && !status) buffer[-1] = 0;
#elif WRONG_TOKENIZE == 2  // behind the buffer
  if (buffer && !status) buffer[capacity] = 0;
#else  // beyond what was needed
  if (buffer && !status && *count < capacity) buffer[*count] = 0;
#endif
  return status;
}
#elif defined(IGNORED_TAIL)
mixtral_status mixtral_session_create(
    mixtral_session **session, mixtral_model *model, const mixtral_session_options *options) {
  mixtral_session_options known = {0};
  if (!options || options->struct_size <= sizeof known || options->struct_size > 4096)
    return REAL(mixtral_session_create)(session, model, options);
  known = *options;
  known.struct_size = sizeof known;
  return REAL(mixtral_session_create)(session, model, &known);
}
#elif defined(NO_CALLBACK)
mixtral_status mixtral_load(
    mixtral_model **model, const char *path, const mixtral_load_options *options) {
  if (!options || options->struct_size != sizeof *options || (uintptr_t)options % 8)
    return REAL(mixtral_load)(model, path, options);
  mixtral_load_options silent = *options;
  silent.progress = NULL;
  return REAL(mixtral_load)(model, path, &silent);
}
#elif defined(NO_SENTENCE)
const char *mixtral_last_error(void) { return NO_SENTENCE; }
#elif defined(LOST_OBJECT)
mixtral_status mixtral_session_fork(mixtral_session **copy, mixtral_session *session) {
  mixtral_session *lost;
  REAL(mixtral_session_fork)(&lost, session);
  return REAL(mixtral_session_fork)(copy, session);
}
#elif defined(LOST_FILE)
mixtral_status mixtral_session_load_file(mixtral_session *session, const char *path) {
  open("/dev/null", O_RDONLY);
  return REAL(mixtral_session_load_file)(session, path);
}
#elif defined(LEFT_FILE)
mixtral_status mixtral_session_save_file(mixtral_session *session, const char *path) {
  char name[] = "leftXXXXXX";
  close(mkstemp(name));
  return REAL(mixtral_session_save_file)(session, path);
}
#elif defined(LOST_THREAD)
static void *forever(void *unused) {
  for (;;) pause();
  return unused;
}

mixtral_status mixtral_session_fork(mixtral_session **copy, mixtral_session *session) {
  pthread_t thread;
  pthread_create(&thread, NULL, forever, NULL);
  return REAL(mixtral_session_fork)(copy, session);
}
#elif defined(OTHER_TOKEN)
mixtral_status mixtral_sample(
    mixtral_token *token, mixtral_session *session, mixtral_sampler *sampler) {
  mixtral_status status = REAL(mixtral_sample)(token, session, sampler);
  if (!status) *token ^= 1;
  return status;
}
#endif
