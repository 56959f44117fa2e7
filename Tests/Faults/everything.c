// Every call of the header once, on objects that are made and freed here.
#include "everything.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static long refusals;

void wrong(const struct plan *plan, const char *what) {
  long hindered = plan->lift() + refusals;
  fprintf(stderr, "%s (%s)\n", what, mixtral_last_error());
  fflush(stderr);
  _exit(hindered ? WRONG : WRONG_ALONE);
}

/// After a refusal: `status` is the one expected, there is a sentence, and no result was left.
static void check_refusal(
    const struct plan *plan, const char *call, mixtral_status status, const void *result) {
  char text[256];
  refusals++;
  if (status != plan->allowed) {
    snprintf(text, sizeof text, "%s returned %s", call, mixtral_status_name(status));
    wrong(plan, text);
  }
  if (!*mixtral_last_error()) wrong(plan, "no sentence");
  if (result) wrong(plan, "a handle was left by a call that failed");
}

// A call that is refused is made again, and a third time with nothing in its way.
#define MUST(call, result)                                            \
  do {                                                                \
    mixtral_status status_ = (call);                                  \
    if (status_ == MIXTRAL_OK) break;                                 \
    check_refusal(plan, #call, status_, (const void *)(result));      \
    status_ = (call);                                                 \
    if (status_ == MIXTRAL_OK) break;                                 \
    check_refusal(plan, #call, status_, (const void *)(result));      \
    plan->lift();                                                     \
    if ((call) != MIXTRAL_OK) wrong(plan, #call " with no hindrance"); \
  } while (0)

static uint64_t position(const struct plan *plan, mixtral_session *session) {
  uint64_t position = 0;
  MUST(mixtral_session_position(&position, session), NULL);
  return position;
}

static void read_metadata(const struct plan *plan, mixtral_model *model) {
  static char json[65536];
  size_t size = 0;
  mixtral_info info = {.struct_size = sizeof info};
  MUST(mixtral_model_info(model, &info), NULL);
  MUST(mixtral_model_metadata(&size, json, sizeof json, model, "general.architecture"), NULL);
  if (size != 7 || memcmp(json, "\"llama\"", 7)) wrong(plan, "the architecture");
  MUST(mixtral_model_metadata(&size, json, sizeof json, model, NULL), NULL);
  if (size < 2 || json[0] != '{' || json[size - 1] != '}') wrong(plan, "the metadata");
}

static void convert_text(const struct plan *plan, mixtral_model *model) {
  const char *text = "And it came to pass, h\xc3\xa9!\xe2\x82\xac" "12";
  size_t length = strlen(text), count = 0, size = 0, written = 0;
  mixtral_token ids[128];
  MUST(mixtral_tokenize(&count, ids, 128, model, text, length, 0), NULL);
  char back[256];
  MUST(mixtral_detokenize(&size, back, sizeof back, model, ids, count, 0), NULL);
  if (size != length || memcmp(back, text, size)) wrong(plan, "the text after a round trip");
  mixtral_detokenizer *stream = NULL;
  MUST(mixtral_detokenizer_create(&stream, model, 0), stream);
  for (size_t i = 0; i <= count; i++) {
    // The last call gives no token, which ends the text.
    MUST(mixtral_detokenizer_next(
             &size, back + written, sizeof back - written, stream, ids + i, i < count),
         NULL);
    written += size;
  }
  if (written != length || memcmp(back, text, length)) wrong(plan, "the streamed text");
  if (mixtral_free(stream)) wrong(plan, "mixtral_free");
}

static void draw(const struct plan *plan, mixtral_session *session) {
  mixtral_logit_bias bias[2] = {{5, -1}, {3, 1}};
  mixtral_sampler_options options = {
      .struct_size = sizeof options, .temperature = 1, .top_k = 40, .top_p = 0.9f, .min_p = 0.01f,
      .typical_p = 0.9f, .repetition_penalty = 1.1f, .report = 4, .seed = 7, .bias = bias,
      .bias_count = 2};
  mixtral_sampler *sampler = NULL;
  mixtral_token token = -1;
  size_t count = 0;
  mixtral_candidate report[5];
  MUST(mixtral_sampler_create(&sampler, &options), sampler);
  MUST(mixtral_sample(&token, session, sampler), NULL);
  MUST(mixtral_sample_report(&count, report, 5, sampler), NULL);
  if (count != 5 || report[0].token != token) wrong(plan, "the report");
  if (mixtral_free(sampler)) wrong(plan, "mixtral_free");
}

/// A session that was saved to a file and one that was loaded from it go on alike.
static void save_and_load(const struct plan *plan, mixtral_model *model, mixtral_session *session) {
  static float logits[1 << 17], others[1 << 17];
  char path[600];
  size_t count = 0;
  mixtral_session *other = NULL;
  const mixtral_token *next = plan->greedy.ids;
  snprintf(path, sizeof path, "%s.state", plan->packed);
  MUST(mixtral_session_save_file(session, path), NULL);
  // Over what is there, whose permissions stay.
  struct stat status;
  if (chmod(path, 0640)) wrong(plan, "chmod");
  MUST(mixtral_session_save_file(session, path), NULL);
  if (stat(path, &status) || (status.st_mode & 0777) != 0640) wrong(plan, "the permissions of a replaced file");
  MUST(mixtral_session_create(&other, model, NULL), other);
  MUST(mixtral_session_load_file(other, path), NULL);
  if (position(plan, other) != position(plan, session)) wrong(plan, "the position of a saved session");
  MUST(mixtral_step_logits(&count, logits, 1 << 17, session, next, 1), NULL);
  MUST(mixtral_step_logits(&count, others, 1 << 17, other, next, 1), NULL);
  if (!count || memcmp(logits, others, count * sizeof(float))) wrong(plan, "a saved session's logits");
  if (mixtral_free(other)) wrong(plan, "mixtral_free");
  unlink(path);
}

/// Both sessions at once, then their logits after one more token each.
static void step_together(const struct plan *plan, mixtral_session *first, mixtral_session *second) {
  static float logits[1 << 17], others[1 << 17];
  const struct ids *prompt = &plan->prompt, *greedy = &plan->greedy;
  mixtral_session *both[2] = {first, second};
  mixtral_input inputs[2] = {{prompt->ids, prompt->count}, {greedy->ids, 1}};
  mixtral_status statuses[2];
  size_t count = 0;
  mixtral_status status = mixtral_step_many(both, inputs, 2, statuses);
  if (status) check_refusal(plan, "mixtral_step_many", status, NULL);
  for (int i = 0; i < 2; i++) {
    // Those that stepped have stepped; the others are asked again by themselves.
    if (position(plan, both[i]) == prompt->count + (uint64_t)i) continue;
    if (!status) wrong(plan, "the position after mixtral_step_many");
    MUST(mixtral_step(both[i], inputs[i].tokens, inputs[i].count), NULL);
  }
  MUST(mixtral_step_logits(&count, others, 1 << 17, first, greedy->ids, 1), NULL);
  MUST(mixtral_logits(&count, logits, 1 << 17, second), NULL);
  if (!count || memcmp(logits, others, count * sizeof(float))) wrong(plan, "the copy's logits");
}

/// A packed copy of the model, whose file is mapped, gives the first token of the original.
static void pack_and_map(const struct plan *plan) {
  mixtral_model *model = NULL;
  mixtral_session *session = NULL;
  mixtral_token token = -1;
  unlink(plan->packed);
  mixtral_pack_options pack = {.struct_size = sizeof pack, .threads = 2};
  MUST(mixtral_model_pack(plan->packed, plan->model, &pack), NULL);
  mixtral_load_options load = {.struct_size = sizeof load, .threads = 2, .map = 1};
  MUST(mixtral_load(&model, plan->packed, &load), model);
  MUST(mixtral_session_create(&session, model, NULL), session);
  MUST(mixtral_step(session, plan->prompt.ids, plan->prompt.count), NULL);
  MUST(mixtral_sample(&token, session, NULL), NULL);
  if (token != plan->greedy.ids[0]) wrong(plan, "a token of the packed model is not the reference's");
  if (mixtral_free(session) || mixtral_free(model)) wrong(plan, "mixtral_free");
}

long use_everything(const struct plan *plan) {
  mixtral_model *model = NULL;
  mixtral_session *session = NULL, *copy = NULL;
  mixtral_token token;
  refusals = 0;

  mixtral_load_options load = {.struct_size = sizeof load, .threads = 2, .user = (void *)plan,
                               .allocate = plan->allocate, .release = plan->release};
  MUST(mixtral_load(&model, plan->model, &load), model);
  read_metadata(plan, model);
  convert_text(plan, model);
  MUST(mixtral_session_create(&session, model, NULL), session);
  MUST(mixtral_step(session, plan->prompt.ids, plan->prompt.count), NULL);
  if (position(plan, session) != plan->prompt.count) wrong(plan, "the position of the prompt");
  draw(plan, session);
  MUST(mixtral_session_fork(&copy, session), copy);
  for (size_t i = 0; i < plan->greedy.count; i++) {
    MUST(mixtral_sample(&token, session, NULL), NULL);
    if (token != plan->greedy.ids[i]) wrong(plan, "a token is not the reference's");
    MUST(mixtral_step(session, &token, 1), NULL);
    if (position(plan, session) != plan->prompt.count + i + 1) wrong(plan, "the position");
  }
  save_and_load(plan, model, session);
  MUST(mixtral_session_rewind(session, 0), NULL);
  step_together(plan, session, copy);

  pack_and_map(plan);

  void *handles[] = {session, copy, model};
  for (int i = 0; i < 3; i++) {
    if (mixtral_free(handles[i])) wrong(plan, "mixtral_free");
  }
  return plan->lift() + refusals;
}
