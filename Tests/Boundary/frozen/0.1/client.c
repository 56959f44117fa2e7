/* A program of release 0.1: every function once, then greedy tokens after a prompt, one a line.
 * client MODEL PACKED COUNT TOKENS...  packs the model to PACKED and uses that. */
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(expression)                                                                   \
  do {                                                                                      \
    if (!(expression)) {                                                                    \
      fprintf(stderr, "line %d: %s: %s\n", __LINE__, #expression, mixtral_last_error());    \
      exit(1);                                                                              \
    }                                                                                       \
  } while (0)

enum { PROMPT = 256, VOCABULARY = 65536, TEXT = 1 << 20 };

static mixtral_token prompt[PROMPT];
static float logits[VOCABULARY];
static char text[TEXT];

static int32_t on_progress(uint64_t done, uint64_t total, void *user) {
  CHECK(done <= total);
  *(int *)user += 1;
  return 0;
}

static int32_t on_logits(float *all, uint64_t count, void *user) {
  CHECK(count > 0 && all != NULL);
  *(int *)user += 1;
  return 0;
}

static mixtral_model *load(const char *source, const char *target) {
  int calls = 0;
  mixtral_model *model;
  mixtral_pack_options packing = {sizeof packing, 1, 1, 0, on_progress, &calls};
  mixtral_load_options options = {sizeof options, 2, MIXTRAL_ISA_AUTO, 0, 0, 64, 1, on_progress, &calls};
  CHECK(mixtral_model_pack(target, source, &packing) == MIXTRAL_OK);
  CHECK(mixtral_load(&model, target, &options) == MIXTRAL_OK);
  CHECK(calls >= 2);
  return model;
}

static void describe(mixtral_model *model) {
  mixtral_info info = {sizeof info};
  size_t size;
  CHECK(mixtral_model_info(model, &info) == MIXTRAL_OK);
  CHECK(info.struct_size == sizeof info && info.threads == 2 && info.batch == 64);
  CHECK(info.vocabulary > 0 && info.vocabulary <= VOCABULARY && info.tensors > 0);
  CHECK(mixtral_model_metadata(&size, text, sizeof text, model, "general.architecture") == MIXTRAL_OK);
  CHECK(size == strlen("\"llama\"") && memcmp(text, "\"llama\"", size) == 0);
}

static void convert(mixtral_model *model) {
  const char *words = "a text";
  mixtral_token tokens[64];
  mixtral_detokenizer *detokenizer;
  size_t count, size, part;
  CHECK(mixtral_tokenize(&count, tokens, 64, model, words, strlen(words), 0) == MIXTRAL_OK);
  CHECK(mixtral_detokenize(&size, text, sizeof text, model, tokens, count, 0) == MIXTRAL_OK);
  CHECK(size == strlen(words) && memcmp(text, words, size) == 0);
  CHECK(mixtral_detokenizer_create(&detokenizer, model, 0) == MIXTRAL_OK);
  CHECK(mixtral_detokenizer_next(&size, text, sizeof text, detokenizer, tokens, count) == MIXTRAL_OK);
  CHECK(mixtral_detokenizer_next(&part, text + size, sizeof text - size, detokenizer, NULL, 0) == MIXTRAL_OK);
  CHECK(size + part == strlen(words) && memcmp(text, words, size + part) == 0);
  CHECK(mixtral_free(detokenizer) == MIXTRAL_OK);
}

static void step(mixtral_session *session, size_t count) {
  mixtral_session *fork;
  mixtral_state state = {sizeof state};
  mixtral_status status = -1;
  mixtral_input input = {prompt, count};
  uint64_t position;
  size_t written;
  CHECK(mixtral_step_many(&session, &input, 1, &status) == MIXTRAL_OK && status == MIXTRAL_OK);
  CHECK(mixtral_session_rewind(session, count - 1) == MIXTRAL_OK);
  CHECK(mixtral_step_logits(&written, logits, VOCABULARY, session, prompt + count - 1, 1) == MIXTRAL_OK);
  CHECK(mixtral_logits(&written, logits, VOCABULARY, session) == MIXTRAL_OK);
  CHECK(mixtral_session_position(&position, session) == MIXTRAL_OK && position == count);
  CHECK(mixtral_session_state(session, &state) == MIXTRAL_OK && state.position == count);
  CHECK(mixtral_session_fork(&fork, session) == MIXTRAL_OK);
  CHECK(mixtral_cancel(fork) == MIXTRAL_OK && mixtral_free(fork) == MIXTRAL_OK);
}

static void generate(mixtral_session *session, int count) {
  int calls = 0;
  mixtral_sampler *sampler;
  mixtral_candidate candidates[4];
  mixtral_token token;
  size_t found;
  mixtral_sampler_options options;
  memset(&options, 0, sizeof options);
  options.struct_size = sizeof options;
  options.report = 2;
  options.filter = on_logits;
  options.user = &calls;
  CHECK(mixtral_sampler_create(&sampler, &options) == MIXTRAL_OK);
  for (int i = 0; i < count; i++) {
    CHECK(mixtral_sample(&token, session, sampler) == MIXTRAL_OK);
    CHECK(mixtral_sample_report(&found, candidates, 4, sampler) == MIXTRAL_OK && found == 3);
    CHECK(candidates[0].token == token && candidates[1].token == token);
    CHECK(mixtral_step(session, &token, 1) == MIXTRAL_OK);
    printf("%d\n", (int)token);
  }
  CHECK(calls == count);
  CHECK(mixtral_free(sampler) == MIXTRAL_OK);
}

int main(int argc, char **argv) {
  mixtral_session *session;
  mixtral_session_options options = {sizeof options, 512, MIXTRAL_CACHE_F16, 0};
  size_t count = 0;
  if (argc < 5) return 2;
  while (count < PROMPT && (int)count + 4 < argc) {
    prompt[count] = (mixtral_token)atoi(argv[count + 4]);
    count++;
  }
  CHECK(mixtral_abi_version() == 1 && mixtral_version() != NULL);
  CHECK(strcmp(mixtral_last_error(), "") == 0);
  CHECK(strcmp(mixtral_status_name(MIXTRAL_CONTEXT_FULL), "CONTEXT_FULL") == 0);
  mixtral_model *model = load(argv[1], argv[2]);
  describe(model);
  convert(model);
  CHECK(mixtral_session_create(&session, model, &options) == MIXTRAL_OK);
  step(session, count);
  generate(session, atoi(argv[3]));
  CHECK(mixtral_free(session) == MIXTRAL_OK && mixtral_free(model) == MIXTRAL_OK);
  CHECK(mixtral_free(model) == MIXTRAL_INVALID_HANDLE && strlen(mixtral_last_error()) > 0);
  return 0;
}
