/* The declarations of release 0.1. */
#ifndef MIXTRAL_H
#define MIXTRAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t mixtral_status;

enum {
  MIXTRAL_OK = 0,
  MIXTRAL_INVALID_ARGUMENT = 1,
  MIXTRAL_INVALID_HANDLE = 2,
  MIXTRAL_NOT_FOUND = 3,
  MIXTRAL_IO = 4,
  MIXTRAL_MALFORMED = 5,
  MIXTRAL_UNSUPPORTED = 6,
  MIXTRAL_LIMIT_EXCEEDED = 7,
  MIXTRAL_OUT_OF_MEMORY = 8,
  MIXTRAL_CONTEXT_FULL = 9,
  MIXTRAL_BUFFER_TOO_SMALL = 10,
  MIXTRAL_CANCELLED = 11,
  MIXTRAL_BUSY = 12,
  MIXTRAL_CHANGED = 13,
  MIXTRAL_NUMERIC = 14,
  MIXTRAL_FORKED = 15,
  MIXTRAL_INTERNAL = 16
};

const char *mixtral_status_name(mixtral_status status);

const char *mixtral_last_error(void);

const char *mixtral_version(void);

uint32_t mixtral_abi_version(void);

typedef struct mixtral_model mixtral_model;
typedef struct mixtral_session mixtral_session;
typedef struct mixtral_sampler mixtral_sampler;
typedef struct mixtral_detokenizer mixtral_detokenizer;

typedef int32_t mixtral_token;

enum {
  MIXTRAL_ISA_AUTO = 0,
  MIXTRAL_ISA_REFERENCE = 1,
  MIXTRAL_ISA_AVX2 = 2,
  MIXTRAL_ISA_AVX512 = 3,
  MIXTRAL_ISA_AVXVNNI = 4
};

typedef struct mixtral_load_options {
  uint32_t struct_size;
  uint32_t threads;
  uint32_t isa;
  uint32_t experts_used;
  int64_t sliding_window;
  uint32_t batch;
  uint32_t map;

  int32_t (*progress)(uint64_t done, uint64_t total, void *user);
  void *user;
} mixtral_load_options;

mixtral_status mixtral_load(mixtral_model **model, const char *path, const mixtral_load_options *options);

typedef struct mixtral_pack_options {
  uint32_t struct_size;
  uint32_t threads;
  uint32_t overwrite;
  uint32_t reserved;

  int32_t (*progress)(uint64_t done, uint64_t total, void *user);
  void *user;
} mixtral_pack_options;

mixtral_status mixtral_model_pack(const char *target, const char *source, const mixtral_pack_options *options);

typedef struct mixtral_info {
  uint32_t struct_size;
  uint32_t layers;
  uint32_t hidden_width;
  uint32_t heads;
  uint32_t kv_heads;
  uint32_t head_width;
  uint32_t feed_forward_width;
  uint32_t experts;
  uint32_t experts_used;
  uint32_t vocabulary;
  uint32_t context_length;
  uint32_t sliding_window;
  mixtral_token bos_token;
  mixtral_token eos_token;
  mixtral_token unknown_token;
  mixtral_token padding_token;
  uint32_t threads;
  uint32_t isa;
  uint32_t batch;
  uint32_t tied_embeddings;
  float rope_base;
  float norm_epsilon;
  uint64_t parameters;
  uint64_t active_parameters;
  uint64_t file_size;
  uint64_t weight_size;
  uint64_t scratch_size;
  uint64_t cache_size_per_position;
  uint32_t tensors;
  uint32_t unused_tensors;
} mixtral_info;

mixtral_status mixtral_model_info(mixtral_model *model, mixtral_info *info);

mixtral_status mixtral_model_metadata(size_t *size, char *buffer, size_t capacity, mixtral_model *model, const char *key);

enum {
  MIXTRAL_TOKENIZE_BOS = 1,
  MIXTRAL_TOKENIZE_SPECIAL = 2,
  MIXTRAL_TOKENIZE_CONTINUE = 4,

  MIXTRAL_DETOKENIZE_SPECIAL = 1,
  MIXTRAL_DETOKENIZE_CONTINUE = 2
};

mixtral_status mixtral_tokenize(size_t *count, mixtral_token *buffer, size_t capacity, mixtral_model *model, const char *text,
                                size_t size, uint32_t flags);

mixtral_status mixtral_detokenize(size_t *size, char *buffer, size_t capacity, mixtral_model *model, const mixtral_token *tokens,
                                  size_t count, uint32_t flags);

mixtral_status mixtral_detokenizer_create(mixtral_detokenizer **detokenizer, mixtral_model *model, uint32_t flags);

mixtral_status mixtral_detokenizer_next(size_t *size, char *buffer, size_t capacity, mixtral_detokenizer *detokenizer,
                                        const mixtral_token *tokens, size_t count);

enum {
  MIXTRAL_CACHE_F16 = 0,
  MIXTRAL_CACHE_Q8_0 = 1
};

typedef struct mixtral_session_options {
  uint32_t struct_size;
  uint32_t context;
  uint32_t cache_type;
  uint32_t reserved;
} mixtral_session_options;

mixtral_status mixtral_session_create(mixtral_session **session, mixtral_model *model, const mixtral_session_options *options);

mixtral_status mixtral_step(mixtral_session *session, const mixtral_token *tokens, size_t count);

typedef struct mixtral_input {
  const mixtral_token *tokens;
  uint64_t count;
} mixtral_input;

mixtral_status mixtral_step_many(mixtral_session *const *sessions, const mixtral_input *inputs, size_t count,
                                 mixtral_status *statuses);

mixtral_status mixtral_step_logits(size_t *written, float *buffer, size_t capacity, mixtral_session *session,
                                   const mixtral_token *tokens, size_t count);

mixtral_status mixtral_logits(size_t *count, float *buffer, size_t capacity, mixtral_session *session);

mixtral_status mixtral_session_position(uint64_t *position, mixtral_session *session);

typedef struct mixtral_state {
  uint32_t struct_size;
  uint32_t context;
  uint64_t position;
  uint64_t first_position;
  uint64_t cache_size;
} mixtral_state;

mixtral_status mixtral_session_state(mixtral_session *session, mixtral_state *state);

mixtral_status mixtral_session_rewind(mixtral_session *session, uint64_t position);

mixtral_status mixtral_session_fork(mixtral_session **copy, mixtral_session *session);

typedef struct mixtral_logit_bias {
  mixtral_token token;
  float bias;
} mixtral_logit_bias;

typedef struct mixtral_sampler_options {
  uint32_t struct_size;
  uint32_t top_k;
  float temperature;
  float top_p;
  float min_p;
  float typical_p;
  float repetition_penalty;
  float frequency_penalty;
  float presence_penalty;
  uint32_t penalty_window;
  uint32_t report;
  uint32_t reserved;
  uint64_t seed;
  const mixtral_logit_bias *bias;
  uint64_t bias_count;

  int32_t (*filter)(float *logits, uint64_t count, void *user);
  void *user;
} mixtral_sampler_options;

mixtral_status mixtral_sampler_create(mixtral_sampler **sampler, const mixtral_sampler_options *options);

mixtral_status mixtral_sample(mixtral_token *token, mixtral_session *session, mixtral_sampler *sampler);

typedef struct mixtral_candidate {
  mixtral_token token;
  float logit;
  float log_probability;
} mixtral_candidate;

mixtral_status mixtral_sample_report(size_t *count, mixtral_candidate *buffer, size_t capacity, mixtral_sampler *sampler);

mixtral_status mixtral_cancel(void *object);

mixtral_status mixtral_free(void *object);

#ifdef __cplusplus
}
#endif

#endif
