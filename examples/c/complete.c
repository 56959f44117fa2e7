/* A completion, written while it is made: complete MODEL PROMPT [TOKENS [TEMPERATURE]]. */
#define _POSIX_C_SOURCE 200112L
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(mixtral_status status) {
  if (status == MIXTRAL_OK) return;
  fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
  exit(1);
}

static double seconds(void) {
  struct timespec now;
  return clock_gettime(CLOCK_MONOTONIC, &now) ? 0 : (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Writes what one token (or, with count 0, the end of the text) completes. */
static void show(mixtral_detokenizer *detokenizer, const mixtral_token *token, size_t count) {
  char piece[1024]; /* longer than the pieces of any tokenizer in use; else the call says so */
  size_t size;
  check(mixtral_detokenizer_next(&size, piece, sizeof piece, detokenizer, token, count));
  fwrite(piece, 1, size, stdout);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: complete MODEL PROMPT [TOKENS [TEMPERATURE]]\n"), 1;
  const long limit = argc > 3 ? strtol(argv[3], NULL, 10) : 128;
  mixtral_model *model = NULL; /* every function sets what it creates, NULL on errors */
  mixtral_session *session = NULL;
  mixtral_sampler *sampler = NULL;
  mixtral_detokenizer *detokenizer = NULL;
  static mixtral_sampler_options options; /* static: all zero, and zero is the default */
  options.struct_size = sizeof options;
  options.temperature = argc > 4 ? strtof(argv[4], NULL) : 0; /* 0: always the likeliest token */
  check(mixtral_load(&model, argv[1], NULL));
  check(mixtral_session_create(&session, model, NULL));
  check(mixtral_sampler_create(&sampler, &options));
  check(mixtral_detokenizer_create(&detokenizer, model, MIXTRAL_DETOKENIZE_CONTINUE));

  size_t ends = 0; /* NULL with capacity 0 asks for the count */
  mixtral_model_stop_tokens(&ends, NULL, 0, model);
  mixtral_token *end = (mixtral_token *)calloc(ends + 1, sizeof *end);
  if (!end) return 1;
  check(mixtral_model_stop_tokens(&ends, end, ends, model));
  size_t count = 0, size = strlen(argv[2]);
  mixtral_tokenize(&count, NULL, 0, model, argv[2], size, MIXTRAL_TOKENIZE_BOS);
  mixtral_token *prompt = (mixtral_token *)calloc(count + 1, sizeof *prompt);
  if (!prompt) return 1;
  check(mixtral_tokenize(&count, prompt, count, model, argv[2], size, MIXTRAL_TOKENIZE_BOS));
  check(mixtral_step(session, prompt, count));
  free(prompt);
  const double start = seconds();
  long made = 0;
  for (mixtral_token token; made < limit; made++) {
    check(mixtral_sample(&token, session, sampler));
    size_t i = 0;
    while (i < ends && end[i] != token) i++;
    if (i < ends) break;
    show(detokenizer, &token, 1);
    check(mixtral_step(session, &token, 1));
  }
  show(detokenizer, NULL, 0);
  fprintf(stderr, "\n%ld tokens, %.2f tokens/s\n", made, (double)made / (seconds() - start));
  free(end);
  check(mixtral_free(detokenizer));
  check(mixtral_free(sampler));
  check(mixtral_free(session));
  check(mixtral_free(model));
  return 0;
}
