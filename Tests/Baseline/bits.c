/* bits MODEL ISA COUNT ID...: the table in use, the likeliest next tokens, a hash of all logits. */
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

static void check(mixtral_status status) {
  if (status == MIXTRAL_OK) return;
  fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
  exit(1);
}

/* Feeds tokens in one step; the logits after each of them go into the hash. */
static void feed(mixtral_session *session, const mixtral_token *tokens, size_t count,
                 size_t width) {
  size_t capacity = count * width, needed, i;
  float *logits = (float *)malloc(capacity * sizeof *logits);
  const unsigned char *bytes = (const unsigned char *)logits;
  if (!logits) exit(1);
  check(mixtral_step_logits(&needed, logits, capacity, session, tokens, count));
  for (i = 0; i < needed * sizeof *logits; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  free(logits);
}

int main(int argc, char **argv) {
  mixtral_model *model;
  mixtral_session *session;
  mixtral_token tokens[256];
  static mixtral_load_options options; /* static: all zero, and zero is the default */
  static mixtral_info info;
  int i;
  long count;
  if (argc < 5 || argc - 4 > 256) return fprintf(stderr, "usage: bits MODEL ISA COUNT ID...\n"), 2;
  options.struct_size = sizeof options;
  options.isa = (uint32_t)strtoul(argv[2], NULL, 10);
  info.struct_size = sizeof info;
  check(mixtral_load(&model, argv[1], &options));
  check(mixtral_model_info(model, &info));
  check(mixtral_session_create(&session, model, NULL));
  for (i = 4; i < argc; i++) tokens[i - 4] = (mixtral_token)strtol(argv[i], NULL, 10);
  feed(session, tokens, (size_t)(argc - 4), info.vocabulary);
  printf("%u\n", (unsigned)info.isa);
  for (count = strtol(argv[3], NULL, 10); count > 0; count--) {
    check(mixtral_sample(&tokens[0], session, NULL));
    feed(session, tokens, 1, info.vocabulary);
    printf("%d\n", (int)tokens[0]);
  }
  printf("%016llx\n", (unsigned long long)hash);
  check(mixtral_free(session));
  check(mixtral_free(model));
  return 0;
}
