/* A conversation with a ChatML model: chat MODEL [TEMPERATURE [TOP_P [SEED [SYSTEM]]]].
 * Each line of the standard input is a turn. Text of a person is tokenised plain: typed control
 * tokens stay text. Text between two control tokens is tokenised as one. */
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const SYSTEM =
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

static void check(mixtral_status status) {
  if (status == MIXTRAL_OK) return;
  fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
  exit(1);
}

static void *resize(void *memory, size_t size) {
  memory = realloc(memory, size ? size : 1);
  if (!memory) fprintf(stderr, "out of memory\n"), exit(1);
  return memory;
}

typedef struct list { /* the ids of the next step */
  mixtral_token *ids;
  size_t count;
} list;

static void append(list *list, mixtral_model *model, const char *text, uint32_t flags) {
  size_t count = 0; /* NULL with capacity 0 asks for the count */
  mixtral_status status = mixtral_tokenize(&count, NULL, 0, model, text, strlen(text), flags);
  if (status != MIXTRAL_BUFFER_TOO_SMALL) check(status);
  list->ids = (mixtral_token *)resize(list->ids, (list->count + count) * sizeof *list->ids);
  mixtral_token *end = list->ids + list->count;
  check(mixtral_tokenize(&count, end, count, model, text, strlen(text), flags));
  list->count += count;
}

static void message(list *list, mixtral_model *model, const char *role, const char *text) {
  char *plain = (char *)resize(NULL, strlen(role) + strlen(text) + 2);
  sprintf(plain, "%s\n%s", role, text);
  append(list, model, "<|im_start|>", MIXTRAL_TOKENIZE_SPECIAL | MIXTRAL_TOKENIZE_CONTINUE);
  append(list, model, plain, 0);
  free(plain);
}

/* Asks for a line and reads it, without its end; NULL at the end of the input. */
static char *read_line(void) {
  fputs("> ", stderr);
  size_t size = 0, capacity = 256;
  char *line = (char *)resize(NULL, capacity);
  int byte;
  while ((byte = getchar()) != EOF && byte != '\n') {
    if (size + 1 == capacity) line = (char *)resize(line, capacity *= 2);
    line[size++] = (char)byte;
  }
  line[size] = 0;
  if (byte != EOF || size) return line;
  free(line);
  return NULL;
}

static int is_in(const list *list, mixtral_token token) {
  for (size_t i = 0; i < list->count; i++)
    if (list->ids[i] == token) return 1;
  return 0;
}

static void answer(mixtral_model *model, mixtral_session *session, mixtral_sampler *sampler,
                   const list *ends) {
  mixtral_detokenizer *detokenizer = NULL;
  mixtral_token token = 0;
  char piece[1024]; /* longer than the pieces of any tokenizer in use; else the call says so */
  size_t size = 0;
  check(mixtral_detokenizer_create(&detokenizer, model, 0));
  for (;;) {
    check(mixtral_sample(&token, session, sampler));
    const int more = !is_in(ends, token);
    check(mixtral_detokenizer_next(&size, piece, sizeof piece, detokenizer, &token, more ? 1 : 0));
    fwrite(piece, 1, size, stdout);
    fflush(stdout);
    if (!more) break;
    check(mixtral_step(session, &token, 1));
  }
  printf("\n");
  check(mixtral_free(detokenizer));
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: chat MODEL [TEMPERATURE [TOP_P [SEED [SYSTEM]]]]\n");
    return 1;
  }
  mixtral_model *model = NULL;
  mixtral_session *session = NULL;
  mixtral_sampler *sampler = NULL;
  mixtral_sampler_options options;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.temperature = argc > 2 ? strtof(argv[2], NULL) : 0.7f;
  options.top_p = argc > 3 ? strtof(argv[3], NULL) : 0.9f;
  options.seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
  options.random_seed = argc <= 4;
  check(mixtral_load(&model, argv[1], NULL));
  check(mixtral_session_create(&session, model, NULL));
  check(mixtral_sampler_create(&sampler, &options));
  uint64_t seed = 0;
  check(mixtral_sampler_seed(&seed, sampler));

  const uint32_t control = MIXTRAL_TOKENIZE_SPECIAL | MIXTRAL_TOKENIZE_CONTINUE;
  list ends = {NULL, 0}; /* where an answer ends: <|im_end|>, and what else the model has */
  append(&ends, model, "<|im_end|>", control);
  if (ends.count != 1) return fprintf(stderr, "the vocabulary has no <|im_end|>\n"), 1;
  if (mixtral_model_stop_tokens(&ends.count, NULL, 0, model) == MIXTRAL_BUFFER_TOO_SMALL)
    ends.ids = (mixtral_token *)resize(ends.ids, ends.count * sizeof *ends.ids);
  check(mixtral_model_stop_tokens(&ends.count, ends.ids, ends.count, model));
  if (options.temperature > 0) fprintf(stderr, "seed %llu\n", (unsigned long long)seed);

  list turn = {NULL, 0};
  message(&turn, model, "system", argc > 5 ? argv[5] : SYSTEM);
  for (char *line = read_line(); line != NULL; line = read_line()) {
    /* Before a user's message the one before it ends: the system's, or the answer. */
    append(&turn, model, "<|im_end|>", control);
    append(&turn, model, "\n", 0);
    message(&turn, model, "user", line);
    append(&turn, model, "<|im_end|>", control);
    append(&turn, model, "\n", 0);
    message(&turn, model, "assistant", "");
    check(mixtral_step(session, turn.ids, turn.count));
    answer(model, session, sampler, &ends);
    turn.count = 0;
    free(line);
  }
  free(turn.ids);
  free(ends.ids);
  check(mixtral_free(sampler));
  check(mixtral_free(session));
  check(mixtral_free(model));
  return 0;
}
