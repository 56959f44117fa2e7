/* Likeliest tokens after given ones: greedy MODEL ISA COUNT ID... Prints the table in use and the tokens. */
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>

static void check(mixtral_status status) {
  if (status == MIXTRAL_OK) return;
  fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  mixtral_model *model;
  mixtral_session *session;
  mixtral_token token;
  static mixtral_load_options options; /* static: all zero, and zero is the default */
  static mixtral_info info;
  long count;
  int i;
  if (argc < 5) return fprintf(stderr, "usage: greedy MODEL ISA COUNT ID...\n"), 2;
  options.struct_size = sizeof options;
  options.isa = (uint32_t)strtoul(argv[2], NULL, 10);
  info.struct_size = sizeof info;
  check(mixtral_load(&model, argv[1], &options));
  check(mixtral_model_info(model, &info));
  check(mixtral_session_create(&session, model, NULL));
  for (i = 4; i < argc; i++) {
    token = (mixtral_token)strtol(argv[i], NULL, 10);
    check(mixtral_step(session, &token, 1));
  }
  printf("%u\n", (unsigned)info.isa);
  for (count = strtol(argv[3], NULL, 10); count > 0; count--) {
    check(mixtral_sample(&token, session, NULL));
    check(mixtral_step(session, &token, 1));
    printf("%d\n", (int)token);
  }
  check(mixtral_free(session));
  check(mixtral_free(model));
  return 0;
}
