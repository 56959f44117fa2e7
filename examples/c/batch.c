/* Several prompts at once, each matrix read once for all: batch MODEL TOKENS PROMPT... */
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(mixtral_status status) {
  if (status == MIXTRAL_OK) return;
  fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
  exit(1);
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count ? count : 1, size);
  if (!memory) fprintf(stderr, "out of memory\n"), exit(1);
  return memory;
}

typedef struct conversation {
  mixtral_session *session;
  mixtral_token *tokens; /* the prompt, then the answer */
  size_t prompt_count, count, fed;
  int done;
} conversation;

static void start(conversation *one, mixtral_model *model, const char *prompt, size_t limit) {
  const size_t size = strlen(prompt);
  size_t count = 0; /* NULL with capacity 0 asks for the count */
  mixtral_status status =
      mixtral_tokenize(&count, NULL, 0, model, prompt, size, MIXTRAL_TOKENIZE_BOS);
  if (status != MIXTRAL_BUFFER_TOO_SMALL) check(status);
  one->tokens = (mixtral_token *)allocate(count + limit, sizeof *one->tokens);
  check(mixtral_tokenize(&count, one->tokens, count, model, prompt, size, MIXTRAL_TOKENIZE_BOS));
  one->prompt_count = one->count = count;
  check(mixtral_session_create(&one->session, model, NULL));
}

static void finish(conversation *one, mixtral_model *model, const char *prompt) {
  const mixtral_token *answer = one->tokens + one->prompt_count;
  const size_t count = one->count - one->prompt_count;
  size_t size = 0;
  mixtral_status status =
      mixtral_detokenize(&size, NULL, 0, model, answer, count, MIXTRAL_DETOKENIZE_CONTINUE);
  if (status != MIXTRAL_BUFFER_TOO_SMALL) check(status);
  char *text = (char *)allocate(size, 1);
  check(mixtral_detokenize(&size, text, size, model, answer, count, MIXTRAL_DETOKENIZE_CONTINUE));
  printf("%s", prompt);
  fwrite(text, 1, size, stdout);
  printf("\n");
  free(text);
  free(one->tokens);
  check(mixtral_free(one->session));
}

static int is_among(mixtral_token token, const mixtral_token *ends, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (ends[i] == token) return 1;
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: batch MODEL TOKENS PROMPT...\n"), 1;
  const long tokens = strtol(argv[2], NULL, 10);
  const size_t limit = tokens > 0 ? (size_t)tokens : 0, all = (size_t)argc - 3;
  mixtral_model *model = NULL;
  mixtral_token ends[64]; /* more ends than models have; else the call says so */
  size_t end_count = 0;
  check(mixtral_load(&model, argv[1], NULL));
  check(mixtral_model_stop_tokens(&end_count, ends, sizeof ends / sizeof *ends, model));
  conversation *conversations = (conversation *)allocate(all, sizeof *conversations);
  mixtral_session **sessions = (mixtral_session **)allocate(all, sizeof *sessions);
  mixtral_input *inputs = (mixtral_input *)allocate(all, sizeof *inputs);
  mixtral_token *drawn = (mixtral_token *)allocate(all, sizeof *drawn);
  for (size_t i = 0; i < all; i++) start(&conversations[i], model, argv[3 + i], limit);

  for (size_t made = 0; made < limit; made++) {
    size_t live = 0; /* the conversations that have not ended, packed to the front */
    for (size_t i = 0; i < all; i++) {
      conversation *one = &conversations[i];
      if (one->done) continue;
      sessions[live] = one->session;
      inputs[live].tokens = one->tokens + one->fed;
      inputs[live++].count = one->count - one->fed;
      one->fed = one->count;
    }
    if (live == 0) break;
    check(mixtral_step_many(sessions, inputs, live, NULL));
    check(mixtral_sample_many(drawn, sessions, NULL, live, NULL)); /* NULL: always the likeliest token */
    for (size_t i = 0, next = 0; i < all; i++) {
      conversation *one = &conversations[i];
      if (one->done) continue;
      mixtral_token token = drawn[next++];
      one->done = is_among(token, ends, end_count);
      if (!one->done) one->tokens[one->count++] = token;
    }
  }
  for (size_t i = 0; i < all; i++) finish(&conversations[i], model, argv[3 + i]);
  free(drawn);
  free(inputs);
  free(sessions);
  free(conversations);
  check(mixtral_free(model));
  return 0;
}
