/* The five likeliest tokens at each place and their log-probabilities:
 * logprobs MODEL PROMPT [TOKENS]. */
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 5 };

static void check(mixtral_status status) {
  if (status == MIXTRAL_OK) return;
  fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
  exit(1);
}

/* Writes a token's text in quotes, with what is not plain ASCII as \xNN. */
static void show(mixtral_model *model, mixtral_token token) {
  const uint32_t flags = MIXTRAL_DETOKENIZE_SPECIAL | MIXTRAL_DETOKENIZE_CONTINUE;
  char piece[1024]; /* longer than the pieces of any tokenizer in use; else the call says so */
  size_t size = 0;
  check(mixtral_detokenize(&size, piece, sizeof piece, model, &token, 1, flags));
  putchar('"');
  for (size_t i = 0; i < size; i++) {
    const unsigned char byte = (unsigned char)piece[i];
    if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\')
      printf("\\x%02X", byte);
    else
      putchar(byte);
  }
  putchar('"');
}

static int is_among(mixtral_token token, const mixtral_token *ends, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (ends[i] == token) return 1;
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: logprobs MODEL PROMPT [TOKENS]\n"), 1;
  const long limit = argc > 3 ? strtol(argv[3], NULL, 10) : 8;
  mixtral_model *model = NULL;
  mixtral_session *session = NULL;
  mixtral_sampler *sampler = NULL;
  mixtral_sampler_options options; /* all zero: greedy */
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.report = TOP;
  check(mixtral_load(&model, argv[1], NULL));
  check(mixtral_session_create(&session, model, NULL));
  check(mixtral_sampler_create(&sampler, &options));
  mixtral_token ends[64]; /* more ends than models have; else the call says so */
  size_t end_count = 0;
  check(mixtral_model_stop_tokens(&end_count, ends, sizeof ends / sizeof *ends, model));

  size_t count = 0, size = strlen(argv[2]);
  mixtral_status status =
      mixtral_tokenize(&count, NULL, 0, model, argv[2], size, MIXTRAL_TOKENIZE_BOS);
  if (status != MIXTRAL_BUFFER_TOO_SMALL) check(status);
  mixtral_token *prompt = (mixtral_token *)malloc((count + 1) * sizeof *prompt);
  if (!prompt) return fprintf(stderr, "out of memory\n"), 1;
  check(mixtral_tokenize(&count, prompt, count, model, argv[2], size, MIXTRAL_TOKENIZE_BOS));
  check(mixtral_step(session, prompt, count));
  free(prompt);

  for (long made = 0; made < limit; made++) {
    mixtral_token token = 0;
    mixtral_candidate candidates[1 + TOP]; /* the token drawn, then the likeliest */
    check(mixtral_sample(&token, session, sampler));
    check(mixtral_sample_report(&count, candidates, 1 + TOP, sampler));
    show(model, token);
    printf("\n");
    for (size_t i = 1; i < count; i++) {
      printf("  %8.4f  %6d  ", (double)candidates[i].log_probability, (int)candidates[i].token);
      show(model, candidates[i].token);
      printf("\n");
    }
    if (is_among(token, ends, end_count)) break;
    check(mixtral_step(session, &token, 1));
  }
  check(mixtral_free(sampler));
  check(mixtral_free(session));
  check(mixtral_free(model));
  return 0;
}
