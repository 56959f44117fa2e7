/* A description of a model: info MODEL. */
#include <inttypes.h>
#include <mixtral.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(mixtral_status status) {
  if (status == MIXTRAL_OK) return;
  fprintf(stderr, "%s: %s\n", mixtral_status_name(status), mixtral_last_error());
  exit(1);
}

int main(int argc, char **argv) {
  static const char *const isa_names[] = {"auto", "reference", "avx2", "avx512"};
  if (argc < 2) return fprintf(stderr, "usage: info MODEL\n"), 1;
  mixtral_model *model = NULL;
  mixtral_info info;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  check(mixtral_load(&model, argv[1], NULL));
  check(mixtral_model_info(model, &info));

  printf("library        %s\n", mixtral_version());
  printf("layers         %" PRIu32 "\n", info.layers);
  printf("hidden width   %" PRIu32 "\n", info.hidden_width);
  printf("heads          %" PRIu32 " of %" PRIu32 ", %" PRIu32 " for keys and values\n", info.heads,
         info.head_width, info.kv_heads);
  printf("feed-forward   %" PRIu32 "\n", info.feed_forward_width);
  if (info.experts)
    printf("experts        %" PRIu32 ", %" PRIu32 " a token\n", info.experts, info.experts_used);
  printf("vocabulary     %" PRIu32 "\n", info.vocabulary);
  printf("context        %" PRIu32 "\n", info.context_length);
  if (info.sliding_window)
    printf("window         %" PRIu32 "\n", info.sliding_window);
  else
    printf("window         none\n");
  printf("parameters     %" PRIu64 ", %" PRIu64 " a token\n", info.parameters,
         info.active_parameters);
  printf("bytes          %" PRIu64 " in the file, %" PRIu64 " in memory, %" PRIu64 " scratch\n",
         info.file_size, info.weight_size, info.scratch_size);
  printf("cache          %" PRIu64 " bytes a position\n", info.cache_size_per_position);
  printf("threads        %" PRIu32 "\n", info.threads);
  if (info.isa < sizeof isa_names / sizeof *isa_names)
    printf("instructions   %s\n", isa_names[info.isa]);

  size_t size = 0; /* NULL with capacity 0 asks for the size */
  mixtral_status status = mixtral_model_metadata(&size, NULL, 0, model, NULL);
  if (status != MIXTRAL_BUFFER_TOO_SMALL) check(status);
  char *json = (char *)malloc(size + 1);
  if (!json) return fprintf(stderr, "out of memory\n"), 1;
  check(mixtral_model_metadata(&size, json, size, model, NULL));
  printf("metadata       ");
  fwrite(json, 1, size, stdout);
  printf("\n");
  free(json);
  check(mixtral_free(model));
  return 0;
}
