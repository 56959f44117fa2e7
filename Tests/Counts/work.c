/* A fixed amount of work whose instructions are counted: MODEL PROMPT DECODE, one thread, AVX2. */
#include <stdio.h>
#include <stdlib.h>

#include "mixtral.h"

static void need(mixtral_status status) {
  if (status) {
    fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
    exit(1);
  }
}

int main(int count, char **arguments) {
  mixtral_load_options options = {0};
  mixtral_model *model;
  mixtral_session *session;
  mixtral_token tokens[256];
  int prompt, decode;
  if (count != 4) return 2;
  prompt = atoi(arguments[2]);
  decode = atoi(arguments[3]);
  if (prompt < 0 || prompt > 256 || decode < 0 || decode > 256) return 2;
  options.struct_size = sizeof options;
  options.threads = 1;
  options.isa = MIXTRAL_ISA_AVX2;
  for (int i = 0; i < 256; i++) tokens[i] = 300 + i * 7919 % 31000;
  need(mixtral_load(&model, arguments[1], &options));
  need(mixtral_session_create(&session, model, NULL));
  if (prompt > 0) need(mixtral_step(session, tokens, (size_t)prompt));
  for (int i = 0; i < decode; i++) need(mixtral_step(session, tokens + i, 1));
  need(mixtral_free(session));
  need(mixtral_free(model));
  return 0;
}
