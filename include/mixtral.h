/*
 * libmixtral: quantised Mistral and Mixtral models inside your own program.
 *
 * This header is the whole public surface. The five verbs: load, tokenize, step, sample, free.
 *
 *   mixtral_load(&model, "model.gguf", NULL);
 *   mixtral_session_create(&session, model, NULL);
 *   mixtral_sampler_create(&sampler, NULL);
 *   mixtral_tokenize(&count, tokens, capacity, model, text, size, MIXTRAL_TOKENIZE_BOS);
 *   mixtral_step(session, tokens, count);
 *   mixtral_sample(&token, session, sampler);
 *   mixtral_free(sampler); mixtral_free(session); mixtral_free(model);
 *
 * Rules that hold for every function:
 *
 * Status.    A function returns MIXTRAL_OK (0) or one of the statuses below, and then
 *            mixtral_last_error() is one sentence: what, where, the value, what is allowed.
 * Outputs    come first. On any error handles, counts, sizes, tokens, positions and seeds are NULL or 0 (a needed
 *            size excepted); what a buffer holds then does not count, and mixtral_info and mixtral_state are
 *            as they were.
 * Buffers    are (count, buffer, capacity). The count needed is always written; a buffer that is too
 *            small is left alone and the status is BUFFER_TOO_SMALL; NULL with capacity 0 asks.
 * Text       is UTF-8 bytes with a length, never NUL-terminated on the way in, except paths and keys.
 * Options    start with struct_size = sizeof(the struct). Zero in any field is the default; NULL is
 *            all defaults. A larger struct of a later release is accepted while its tail is zero, a smaller
 *            one of an older release as it is: it ends with one of the fields, and those that it lacks are
 *            the default. The same holds for structs that are filled.
 * Handles    are checked: NULL, stale, foreign and wrong-kind handles are INVALID_HANDLE. They are
 *            never dereferenced. A model that is freed lives on unseen until its last session goes.
 * Threads.   Any handle may be used from any thread. One session or sampler in two calls at once is
 *            BUSY for the second. Sessions of one model may be used from many threads.
 * Callbacks  run on the calling thread, during the call. They may call anything except on the object
 *            that is running (BUSY); allocate and release only mixtral_free and mixtral_cancel (else BUSY).
 *            Non-zero stops the call with CANCELLED. A callback returns: after one that leaves by longjmp or
 *            an exception the objects of its call stay BUSY, and its thread when it was allocate or release.
 * Stack.     A call needs up to 64 KiB of its thread's stack, besides what its callbacks need.
 * Memory.    The caller's memory is never kept after a call returns, except a callback and its user
 *            pointer, until the object that holds them is freed.
 * Results    are the same bits for every instruction set, thread count, batch and machine.
 *
 * What the library cannot protect against: pointers that are wild, sizes that lie, other code that
 * overwrites its memory, a smaller stack, and the end of a thread within a call (pthread_cancel). Nothing is
 * printed, no environment is needed, and no signal is handled unless mixtral_guard_mappings asks for it.
 */
#ifndef MIXTRAL_H
#define MIXTRAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------ Statuses */

typedef int32_t mixtral_status;

enum {
  MIXTRAL_OK = 0,
  MIXTRAL_INVALID_ARGUMENT = 1,  /* NULL, out of range, NaN, a wrong struct_size */
  MIXTRAL_INVALID_HANDLE = 2,    /* NULL, freed, foreign, or of another kind */
  MIXTRAL_NOT_FOUND = 3,         /* no such file, no such metadata key */
  MIXTRAL_IO = 4,                /* the system refused to open or read */
  MIXTRAL_MALFORMED = 5,         /* the file's content is wrong; the sentence says which field */
  MIXTRAL_UNSUPPORTED = 6,       /* well-formed, but not a model this library runs */
  MIXTRAL_LIMIT_EXCEEDED = 7,    /* beyond one of the library's own ceilings */
  MIXTRAL_OUT_OF_MEMORY = 8,
  MIXTRAL_CONTEXT_FULL = 9,      /* the session has no room for the tokens */
  MIXTRAL_BUFFER_TOO_SMALL = 10, /* the needed count was written */
  MIXTRAL_CANCELLED = 11,        /* by mixtral_cancel or by a callback */
  MIXTRAL_BUSY = 12,             /* the object is in use by another call */
  MIXTRAL_CHANGED = 13,          /* the file is no longer what was opened */
  MIXTRAL_NUMERIC = 14,          /* NaN or infinity where a finite number is needed */
  MIXTRAL_FORKED = 15,           /* a handle of the parent process, used after fork */
  MIXTRAL_INTERNAL = 16          /* an invariant of the library was false: please report */
};

/** The name of a status without its prefix, such as "MALFORMED"; "UNKNOWN" for other numbers.
 *  A static string. Cannot fail. Any thread. Since 0.1. */
const char *mixtral_status_name(mixtral_status status);

/** The sentence of the calling thread's last failing call, or "" when none failed. UTF-8, at most
 *  1023 bytes; valid until this thread's next failing call. Cannot fail. Since 0.1. */
const char *mixtral_last_error(void);

/** "major.minor.patch", a static string. Cannot fail. Any thread. Since 0.1. */
const char *mixtral_version(void);

/** Rises whenever a program built against an earlier header would break. Cannot fail. Since 0.1. */
uint32_t mixtral_abi_version(void);

/* -------------------------------------------------------------------------------------- Models */

typedef struct mixtral_model mixtral_model;
typedef struct mixtral_session mixtral_session;
typedef struct mixtral_sampler mixtral_sampler;
typedef struct mixtral_detokenizer mixtral_detokenizer;

/** A token id, in [0, vocabulary size). -1 means none. */
typedef int32_t mixtral_token;

enum {
  MIXTRAL_ISA_AUTO = 0,      /* the best that this processor runs */
  MIXTRAL_ISA_REFERENCE = 1, /* plain code that defines the bits; slow */
  MIXTRAL_ISA_AVX2 = 2,      /* AVX2, FMA, F16C */
  MIXTRAL_ISA_AVX512 = 3,    /* AVX-512 F, BW, CD, DQ, VL, VNNI */
  MIXTRAL_ISA_AVXVNNI = 4,   /* AVX2 and AVX-VNNI */
  MIXTRAL_ISA_NEON = 5,      /* arm64: every processor has it */
  MIXTRAL_ISA_DOTPROD = 6,   /* arm64: dot products of bytes, Armv8.2 and later */
  MIXTRAL_ISA_I8MM = 7       /* arm64: these of unsigned and signed bytes, Armv8.6 and later */
};

enum {
  MIXTRAL_LOG_INFO = 0,
  MIXTRAL_LOG_WARNING = 1 /* no error, and yet worth a look: fewer threads than asked for, unused tensors */
};

typedef struct mixtral_load_options {
  uint32_t struct_size;
  uint32_t threads;       /* 1..512; 0: the processors that affinity and CPU quotas of all cgroups allow, rounded down */
  uint32_t isa;           /* MIXTRAL_ISA_*; one the processor lacks is UNSUPPORTED */
  uint32_t experts_used;  /* experts per token, 1..experts; 0: as the file says */
  int64_t sliding_window; /* positions a token sees, itself included; 0: as the file says; -1: off */
  uint32_t batch;         /* rows computed in one pass, 1..4096; 0: 512. Larger: more memory */
  uint32_t map;           /* 1: the weights of a packed file are mapped, see mixtral_model_pack; 0: read */
  /** Called while loading with bytes packed so far and in all; non-zero ends with CANCELLED. */
  int32_t (*progress)(uint64_t done, uint64_t total, void *user);
  void *user; /* given to each callback */
  /** Gives `size` bytes (more than 0) whose address is a multiple of `alignment`, or NULL, which is
   *  OUT_OF_MEMORY for the call; another address is given back, INVALID_ARGUMENT. What they hold does not
   *  matter. Called for the weights, buffers and cache pages of the model and its sessions, by calls that load,
   *  create, fork, step, save and restore; what is small comes from malloc. NULL: the library maps memory
   *  itself. Set both of allocate and release, or none. */
  void *(*allocate)(uint64_t size, uint64_t alignment, void *user);
  /** Takes back a block, once, with the size it was asked with: on the thread of the call that needed it
   *  last, so on any, mixtral_free among them. None comes after the model and its sessions are freed and
   *  calls that ran on them have returned. After INTERNAL some may never come. */
  void (*release)(void *block, uint64_t size, void *user);
  /** Called while loading with sentences for a log, UTF-8 of `size` bytes and a NUL, valid during the call:
   *  the file, shape, types, unused tensors, window, kernels, threads, memory. `level` is one of
   *  MIXTRAL_LOG_*; non-zero ends with CANCELLED. The words may change from release to release. */
  int32_t (*log)(uint32_t level, const char *text, uint64_t size, void *user);
} mixtral_load_options;

/**
 * Loads a GGUF model (version 2 or 3, one file or the first of a split set) of architecture `llama`:
 * Mistral, Mixtral and their fine-tunes. The weights are read once and packed; afterwards the file is
 * neither open nor mapped, but for a packed one with `map`.
 *
 * A model that cannot fit is OUT_OF_MEMORY before its weights are read, with the bytes needed (weights and
 * buffers) and the bytes allowed: what the memory limits of all cgroups (version 1 and 2, swap included) leave, all
 * that the machine has, and what RLIMIT_AS leaves. What is merely not free now is a warning of the log. A host that
 * gives the memory itself (`allocate`) is not asked. Cache pages of sessions come on top, as they grow.
 *
 * @param model    receives the handle; free it with mixtral_free.
 * @param path     NUL-terminated bytes of the path.
 * @param options  NULL for the defaults.
 * @return OK; INVALID_ARGUMENT, NOT_FOUND, IO, MALFORMED (file, field, value, allowed range),
 *         UNSUPPORTED, LIMIT_EXCEEDED, OUT_OF_MEMORY, CHANGED, CANCELLED.
 * Threads: any; starts `threads` - 1 workers that belong to the model. Since 0.1.
 */
mixtral_status mixtral_load(mixtral_model **model, const char *path, const mixtral_load_options *options);

typedef struct mixtral_pack_options {
  uint32_t struct_size;
  uint32_t threads;   /* 1..512; 0: as of mixtral_load_options */
  uint32_t overwrite; /* 1: a file at `target` is replaced; 0: it is INVALID_ARGUMENT */
  uint32_t reserved;  /* 0 */
  /** Called while packing with bytes written so far and in all; non-zero ends with CANCELLED. */
  int32_t (*progress)(uint64_t done, uint64_t total, void *user);
  void *user;
} mixtral_pack_options;

/**
 * Writes a packed file: the same model with its weights as they lie in memory, for mixtral_load alone.
 *
 * Loaded with `map` 1 it is ready in milliseconds, and processes that map the same file share its pages.
 * Whoever maps it promises to leave it in place: pages of a file that is cut while it is mapped raise
 * SIGBUS, if mixtral_guard_mappings is not on; one that was written to, or cut, before a step or during it, is
 * CHANGED, also when its time of writing was put back. (Not seen is what is written within a few milliseconds of
 * the load, or put back beside a change of permissions or names; setting its times or attributes counts as
 * writing.) Replacing it by a rename is safe. Loaded without `map` it is read, and then nothing of it is needed
 * any more.
 *
 * @param target   NUL-terminated bytes of the path to write; written beside it under another name and
 *                 renamed when complete. What is replaced must be a regular file that may be written to; its
 *                 permissions, owner and access list stay, and symbolic links lead to the new file.
 * @param source   the path of a GGUF model, one file or the first of a split set, not packed.
 * @param options  NULL for the defaults.
 * @return OK; INVALID_ARGUMENT (also: `target` exists, is `source` or a pipe, socket, device or folder, or
 *         `source` is packed), NOT_FOUND, IO,
 *         MALFORMED, UNSUPPORTED, LIMIT_EXCEEDED, OUT_OF_MEMORY, CHANGED, CANCELLED. On an error nothing is
 *         left at `target` that was not there.
 * Threads: any. Since 0.1.
 */
mixtral_status mixtral_model_pack(const char *target, const char *source, const mixtral_pack_options *options);

/**
 * Makes a mapped file that is cut, or that a disk or network no longer gives, a status instead of a SIGBUS.
 *
 * With `on` 1 the library handles SIGBUS for the whole process. A fault in one of its own mapped files, in any
 * thread and of any model, earlier or later, is then no end: zeros take the place of the file, what was
 * computed with them is dropped, and the step returns CHANGED, its session as it was before. Every later step
 * of that model is CHANGED too: free it and load the file anew. Any other SIGBUS goes to the handler that was
 * there before, or has its default effect. Only the host's program should ask for this, not a library within it,
 * and not while another thread changes the handler of SIGBUS.
 *
 * With `on` 0 the handler of before comes back; models stay as they are.
 *
 * @param on  1 or 0; saying again what is so already is OK.
 * @return OK; INVALID_ARGUMENT; BUSY (other code has handled SIGBUS since: nothing is changed, whether it
 *         hands faults on is its choice), IO (the system refused). Until asked, and after a return to 0, no
 *         signal is handled.
 * Threads: any. A forked child inherits it. Since 0.1.
 */
mixtral_status mixtral_guard_mappings(uint32_t on);

/** Filled by mixtral_model_info. Sizes in bytes, widths in values, -1 for a token that is absent. */
typedef struct mixtral_info {
  uint32_t struct_size;
  uint32_t layers;
  uint32_t hidden_width;
  uint32_t heads;
  uint32_t kv_heads;
  uint32_t head_width;
  uint32_t feed_forward_width; /* of one expert, when there are experts */
  uint32_t experts;            /* 0: dense */
  uint32_t experts_used;
  uint32_t vocabulary;         /* logits per position */
  uint32_t context_length;     /* positions the model was made for */
  uint32_t sliding_window;     /* in force; 0: none */
  mixtral_token bos_token;
  mixtral_token eos_token;
  mixtral_token unknown_token;
  mixtral_token padding_token;
  uint32_t threads;
  uint32_t isa;                /* MIXTRAL_ISA_*, never AUTO */
  uint32_t batch;
  uint32_t tied_embeddings;    /* 1: the output matrix is the embedding */
  float rope_base;
  float norm_epsilon;
  uint64_t parameters;         /* weights in all */
  uint64_t active_parameters;  /* weights used for one token */
  uint64_t file_size;          /* of all parts */
  uint64_t weight_size;        /* resident, packed */
  uint64_t scratch_size;       /* resident, shared by all sessions */
  uint64_t cache_size_per_position; /* of an F16 cache */
  uint32_t tensors;
  uint32_t unused_tensors;     /* in the file, not part of the model */
} mixtral_info;

/** Describes the model. @param info its struct_size must be set by the caller.
 *  @return OK; INVALID_HANDLE, INVALID_ARGUMENT. Threads: any. Since 0.1. */
mixtral_status mixtral_model_info(mixtral_model *model, mixtral_info *info);

/**
 * Metadata of the file as JSON text.
 *
 * @param size  receives the bytes of the text (no NUL is written).
 * @param key   a GGUF key such as "general.name" (its value as JSON: a quoted string, a number, …), or
 *              NULL: one object of all keys, arrays of more than 64 elements cut to
 *              {"type": …, "count": …}, and under "tensors" the count and bytes of each tensor type (a key
 *              of the file that is spelled so is read by its name). Nothing of the text is kept: it is
 *              written into the buffer, and counted, by each call.
 * @return OK; INVALID_HANDLE, NOT_FOUND, BUFFER_TOO_SMALL, INVALID_ARGUMENT, OUT_OF_MEMORY. Threads: any.
 * Since 0.1.
 */
mixtral_status mixtral_model_metadata(size_t *size, char *buffer, size_t capacity, mixtral_model *model, const char *key);

/**
 * The tokens that end an answer, in rising order: those that the file names as ends of a text, an answer
 * or a message (eos, eot, eom), and the control tokens spelled as such ends ("</s>", "<|im_end|>",
 * "<|endoftext|>", …). Generation stops where one of them is chosen. Perhaps none.
 *
 * @param count  receives the ids there are; buffer holds `capacity` ids.
 * @return OK; INVALID_HANDLE, INVALID_ARGUMENT, BUFFER_TOO_SMALL. Threads: any. Since 0.1.
 */
mixtral_status mixtral_model_stop_tokens(size_t *count, mixtral_token *buffer, size_t capacity, mixtral_model *model);

/* ---------------------------------------------------------------------------------------- Text */

enum {
  MIXTRAL_TOKENIZE_BOS = 1,       /* add what the file says belongs before (and after) a text */
  MIXTRAL_TOKENIZE_SPECIAL = 2,   /* "<s>", "[INST]", … in the text become control tokens: trusted text only */
  MIXTRAL_TOKENIZE_CONTINUE = 4,  /* the text continues another: no space is put in front */

  MIXTRAL_DETOKENIZE_SPECIAL = 1, /* write control tokens as their spelling instead of nothing */
  MIXTRAL_DETOKENIZE_CONTINUE = 2 /* the tokens continue others: strip no leading space */
};

/**
 * Turns text into token ids, exactly as the model's own tokenizer does (SentencePiece BPE with byte
 * fallback, or byte-level BPE). Bytes that are not UTF-8 become byte tokens and survive a round trip.
 * Without MIXTRAL_TOKENIZE_SPECIAL no text becomes a control token: one that the file gives this type, or that is
 * spelled as a mark of a chat ("<s>", "[INST]", "<|…|>", …) or as an end of an answer, whatever its type there.
 * Other pieces that the file says are user-defined are found in any text.
 *
 * @param count   receives the ids needed; buffer holds `capacity` ids.
 * @param text    `size` bytes, at most 1 GiB; NULL only with size 0. NUL bytes are text.
 * @param flags   MIXTRAL_TOKENIZE_*; 0: plain text, no BOS.
 *                BOS with SPECIAL adds no mark that the text brings: one that begins with "<s>" has one.
 * @return OK; INVALID_HANDLE, INVALID_ARGUMENT, BUFFER_TOO_SMALL, LIMIT_EXCEEDED, OUT_OF_MEMORY.
 * The time is linear in the text. Threads: any. Since 0.1.
 */
mixtral_status mixtral_tokenize(size_t *count, mixtral_token *buffer, size_t capacity, mixtral_model *model, const char *text,
                                size_t size, uint32_t flags);

/**
 * Turns token ids into bytes. The bytes of a character may be spread over tokens: text that is made
 * token by token goes through a mixtral_detokenizer, which holds back what is incomplete.
 *
 * @param size    receives the bytes needed; buffer holds `capacity` bytes, no NUL is written.
 * @param tokens  `count` ids in [0, vocabulary); NULL only with count 0.
 * @param flags   MIXTRAL_DETOKENIZE_*.
 * @return OK; INVALID_HANDLE, INVALID_ARGUMENT (names the index), BUFFER_TOO_SMALL.
 * Threads: any. Since 0.1.
 */
mixtral_status mixtral_detokenize(size_t *size, char *buffer, size_t capacity, mixtral_model *model, const mixtral_token *tokens,
                                  size_t count, uint32_t flags);

/** Creates a streaming detokenizer: tokens in, whole UTF-8 characters out. Free it with mixtral_free.
 *  @param flags MIXTRAL_DETOKENIZE_*. @return OK; INVALID_HANDLE, INVALID_ARGUMENT, OUT_OF_MEMORY. Since 0.1. */
mixtral_status mixtral_detokenizer_create(mixtral_detokenizer **detokenizer, mixtral_model *model, uint32_t flags);

/**
 * Feeds `count` tokens and writes the bytes that are now complete; at most 3 bytes are held back.
 * count 0 ends the text: what is held back is written as it is.
 * On BUFFER_TOO_SMALL nothing is consumed: call again with the same tokens and a larger buffer.
 *
 * @return OK; INVALID_HANDLE, INVALID_ARGUMENT, BUFFER_TOO_SMALL, BUSY. Since 0.1.
 */
mixtral_status mixtral_detokenizer_next(size_t *size, char *buffer, size_t capacity, mixtral_detokenizer *detokenizer,
                                        const mixtral_token *tokens, size_t count);

/* ------------------------------------------------------------------------------------ Sessions */

enum {
  MIXTRAL_CACHE_F16 = 0, /* half precision */
  MIXTRAL_CACHE_Q8_0 = 1 /* eight bits, a half-precision scale for 32 values: 53 % of the bytes */
};

typedef struct mixtral_session_options {
  uint32_t struct_size;
  uint32_t context;    /* most positions, 1..16777216; 0: the model's context_length */
  uint32_t cache_type; /* MIXTRAL_CACHE_* */
  uint32_t reserved;   /* 0 */
} mixtral_session_options;

/** Creates a conversation with a model. What it holds of its tokens grows with it, the cache in pages of 64
 *  positions: a large `context` costs nothing until it is used.
 *  @return OK; INVALID_HANDLE, INVALID_ARGUMENT, UNSUPPORTED (an option of a later release), LIMIT_EXCEEDED
 *          (more than 65,535 live objects), OUT_OF_MEMORY. Since 0.1. */
mixtral_status mixtral_session_create(mixtral_session **session, mixtral_model *model, const mixtral_session_options *options);

/**
 * Feeds tokens at the session's next positions and computes the logits after the last one.
 *
 * @param tokens  `count` ids, each in [0, vocabulary); at least one. Any number: long prompts are cut
 *                into passes inside, with the same bits as any other cut. None is read when `count` is more
 *                than the context has room for.
 * @return OK; INVALID_HANDLE, INVALID_ARGUMENT (names the index), CONTEXT_FULL, OUT_OF_MEMORY, BUSY,
 *         CANCELLED, NUMERIC, FORKED, CHANGED or IO (the file of a mapped model). On an error the session is
 *         as it was before the call; only when a sliding window has already moved on does it stand at the
 *         last whole pass (mixtral_session_position says where), without logits.
 * Threads: sessions of one model take turns, pass by pass. Since 0.1.
 */
mixtral_status mixtral_step(mixtral_session *session, const mixtral_token *tokens, size_t count);

/** Tokens for one session of mixtral_step_many. */
typedef struct mixtral_input {
  const mixtral_token *tokens;
  uint64_t count; /* at least one */
} mixtral_input;

/**
 * Steps many sessions of one model together: each matrix is read once for all of them. Every session
 * gets the bits that it would get alone.
 *
 * @param sessions  `count` different sessions of one model, 1..4096.
 * @param inputs    `count` inputs, one a session.
 * @param statuses  `count` statuses, apart from the other arrays, or NULL. A session that cannot step
 *                  (CONTEXT_FULL, a bad token or input, BUSY, …) gets its own status and the others go on.
 *                  When nobody can, as for a session given twice, none is OK. With a count that is not
 *                  allowed, or in a place that is not, none is written.
 * @return OK when every session is OK; otherwise the first failing session's status, whose sentence
 *         names its index. INVALID_ARGUMENT without any step for a session given twice or of another model.
 * Threads: as mixtral_step. Since 0.1.
 */
mixtral_status mixtral_step_many(mixtral_session *const *sessions, const mixtral_input *inputs, size_t count,
                                 mixtral_status *statuses);

/**
 * Like mixtral_step, and writes the logits after every token, row by row: for scoring, perplexity and
 * checking a draft.
 *
 * @param written   receives the floats needed: count x vocabulary.
 * @param buffer    `capacity` floats, 4-byte aligned, apart from `tokens`.
 * @return as mixtral_step, and BUFFER_TOO_SMALL (the session is untouched), LIMIT_EXCEEDED (so many floats have no
 *         64-bit count). Since 0.1.
 */
mixtral_status mixtral_step_logits(size_t *written, float *buffer, size_t capacity, mixtral_session *session,
                                   const mixtral_token *tokens, size_t count);

/** Copies the logits after the last token: one float a token of the vocabulary.
 *  @return OK; INVALID_HANDLE, INVALID_ARGUMENT (nothing stepped yet), BUFFER_TOO_SMALL, BUSY. Since 0.1. */
mixtral_status mixtral_logits(size_t *count, float *buffer, size_t capacity, mixtral_session *session);

/** Tokens fed so far. @return OK; INVALID_HANDLE, INVALID_ARGUMENT, BUSY. Since 0.1. */
mixtral_status mixtral_session_position(uint64_t *position, mixtral_session *session);

/** Filled by mixtral_session_state. */
typedef struct mixtral_state {
  uint32_t struct_size;
  uint32_t context;        /* most positions */
  uint64_t position;       /* tokens fed so far */
  uint64_t first_position; /* oldest position still in the cache (more than 0 only with a sliding window) */
  uint64_t cache_size;     /* bytes of cache pages held; pages shared with forks count in each */
} mixtral_state;

/** Describes the session. @param state its struct_size must be set by the caller.
 *  @return OK; INVALID_HANDLE, INVALID_ARGUMENT, BUSY. Since 0.1. */
mixtral_status mixtral_session_state(mixtral_session *session, mixtral_state *state);

/**
 * Forgets all tokens from `position` on. The logits are gone until the next step.
 *
 * @param position  0..the current position. With a sliding window only as far back as the cache still
 *                  holds what the next token sees (or 0, which starts anew).
 * @return OK; INVALID_HANDLE, INVALID_ARGUMENT, BUSY. Since 0.1.
 */
mixtral_status mixtral_session_rewind(mixtral_session *session, uint64_t position);

/** Creates a second session that stands where the first does, logits included. Cache pages are shared
 *  until one of the two writes to them. @return OK; INVALID_HANDLE, OUT_OF_MEMORY, BUSY. Since 0.1. */
mixtral_status mixtral_session_fork(mixtral_session **copy, mixtral_session *session);

/**
 * Writes where the session stands into a buffer: tokens, cache, logits. Loaded again, the conversation goes on
 * with the same bits, on any machine and with any number of threads, kernels or sessions.
 *
 * @param size    receives the bytes needed, which only a step, a rewind or a load changes.
 * @param buffer  `capacity` bytes; on BUFFER_TOO_SMALL nothing is written. On other errors it holds no state.
 * @return OK; INVALID_HANDLE, INVALID_ARGUMENT, BUFFER_TOO_SMALL, OUT_OF_MEMORY, BUSY, CANCELLED, CHANGED (as a step).
 * The first time for a model all of its weights are read once, to name it in the state. Since 0.1.
 */
mixtral_status mixtral_session_save(size_t *size, void *buffer, size_t capacity, mixtral_session *session);

/**
 * Makes the session stand where a saved one stood. What it held before is gone; on an error it is as before.
 *
 * A state is of use to the model that made it: the same weights, whichever file they came from, the same
 * sliding window and experts per token; and to a session of the same cache_type with room for its tokens.
 * Its checksums find damage, not forgery: a state from a stranger can say what it likes, but harms nothing
 * beyond the session.
 *
 * @param state  `size` bytes that mixtral_session_save or mixtral_session_save_file wrote.
 * @return OK; INVALID_HANDLE, INVALID_ARGUMENT, MALFORMED (damaged, or of another model), UNSUPPORTED (of a
 *         later release, or another cache_type), CONTEXT_FULL, OUT_OF_MEMORY, BUSY, CANCELLED, CHANGED (as a step).
 * Since 0.1.
 */
mixtral_status mixtral_session_load(mixtral_session *session, const void *state, size_t size);

/**
 * As mixtral_session_save, into a file: written beside `path` under another name and renamed when complete,
 * over a file that is there. A new one is for its owner alone (mode 0600). One that is replaced must be a regular
 * file that may be written to; its permissions, owner and access list stay, and symbolic links lead to the new file.
 * Pipes, sockets, devices and folders are INVALID_ARGUMENT: what goes there comes from mixtral_session_save.
 *
 * @param path  NUL-terminated bytes of the path.
 * @return as mixtral_session_save except BUFFER_TOO_SMALL, and NOT_FOUND (the folder), IO; on an error what was at
 *         `path` is as it was.
 * Since 0.1.
 */
mixtral_status mixtral_session_save_file(mixtral_session *session, const char *path);

/** As mixtral_session_load, from a file. @return as mixtral_session_load, and NOT_FOUND, IO, CHANGED. Since 0.1. */
mixtral_status mixtral_session_load_file(mixtral_session *session, const char *path);

/* ------------------------------------------------------------------------------------ Sampling */

typedef struct mixtral_logit_bias {
  mixtral_token token;
  float bias; /* added to the logit; -infinity bans the token */
} mixtral_logit_bias;

/**
 * How to choose a token. All zero is greedy: the highest logit, ties to the lower id.
 * The order: filter callback, bias, penalties, then for temperature > 0: top-k, typical, top-p, min-p,
 * temperature, draw in the order of the ids. One draw takes one number of SplitMix64 started with `seed`, its upper 53 bits as a
 * fraction of 1: a seed gives the same tokens on every machine and in every release.
 */
typedef struct mixtral_sampler_options {
  uint32_t struct_size;
  uint32_t top_k;            /* keep the k most likely; 0: all */
  float temperature;         /* >= 0; 0: greedy */
  float top_p;               /* keep the fewest whose probabilities reach p; (0, 1]; 0: off */
  float min_p;               /* drop what is below p x the most likely one; [0, 1]; 0: off */
  float typical_p;           /* locally typical sampling; (0, 1]; 0: off */
  float repetition_penalty;  /* > 0: divides positive and multiplies negative logits of seen tokens; 0: off */
  float frequency_penalty;   /* [-100, 100]: x how often the token was seen, subtracted */
  float presence_penalty;    /* [-100, 100]: subtracted once for a seen token */
  uint32_t penalty_window;   /* the last n tokens of the session count as seen; 0: all */
  uint32_t report;           /* candidates kept for mixtral_sample_report, 0..vocabulary */
  uint32_t random_seed;      /* 1: the system draws the seed, see mixtral_sampler_seed, and `seed` is 0; 0: `seed` */
  uint64_t seed;             /* any number, 0 too */
  const mixtral_logit_bias *bias; /* `bias_count` entries, copied; no token twice */
  uint64_t bias_count;
  /** Called with the session's logits, which it may change; non-zero ends with CANCELLED. */
  int32_t (*filter)(float *logits, uint64_t count, void *user);
  void *user;
} mixtral_sampler_options;

/** Creates a sampler. It may serve any session, of any model, one call at a time.
 *  @return OK; INVALID_ARGUMENT (names the field and its range), UNSUPPORTED (an option of a later release),
 *          LIMIT_EXCEEDED, OUT_OF_MEMORY. Since 0.1. */
mixtral_status mixtral_sampler_create(mixtral_sampler **sampler, const mixtral_sampler_options *options);

/** The seed that the sampler's random numbers began with: that of its options, or the one that was drawn. A
 *  sampler that is created with it draws the same tokens again.
 *  @return OK; INVALID_HANDLE, INVALID_ARGUMENT, BUSY. Threads: any. Since 0.1. */
mixtral_status mixtral_sampler_seed(uint64_t *seed, mixtral_sampler *sampler);

/** Chooses the next token from the session's logits; does not feed it.
 *  @param sampler NULL: greedy.
 *  @return OK; INVALID_HANDLE, INVALID_ARGUMENT (nothing stepped yet; a bias beyond the vocabulary),
 *          NUMERIC (every token is banned, or a NaN), CANCELLED (by the filter), OUT_OF_MEMORY, BUSY. Since 0.1. */
mixtral_status mixtral_sample(mixtral_token *token, mixtral_session *session, mixtral_sampler *sampler);

/**
 * Chooses the next tokens of many sessions of one model together, on the model's threads. Every session gets the
 * token that mixtral_sample would choose.
 *
 * @param tokens    receives `count` tokens, 0 where there is none; apart from the other arrays.
 * @param sessions  `count` different sessions of one model, 1..4096.
 * @param samplers  `count` different samplers, one a session, NULL in the place of one: greedy; or NULL: all greedy.
 * @param statuses  `count` statuses, apart from the other arrays, or NULL. A session that has no token (nothing
 *                  stepped yet, NUMERIC, BUSY, …) gets its own status and the others go on; otherwise as of
 *                  mixtral_step_many.
 * @return OK when every session is OK; otherwise the first failing session's status, whose sentence names its
 *         index: INVALID_HANDLE, INVALID_ARGUMENT, NUMERIC, CANCELLED, OUT_OF_MEMORY, BUSY. INVALID_ARGUMENT with no
 *         token at all for a session or a sampler given twice or a session of another model.
 * Threads: draws take a turn of the model, as a pass does. Filter callbacks run before it, one after another on
 *         the calling thread; the sessions and samplers of the call are BUSY for them. Since 0.1.
 */
mixtral_status mixtral_sample_many(mixtral_token *tokens, mixtral_session *const *sessions,
                                   mixtral_sampler *const *samplers, size_t count, mixtral_status *statuses);

typedef struct mixtral_candidate {
  mixtral_token token;
  float logit;           /* of the model, before filter, bias, penalties and temperature */
  float log_probability; /* natural logarithm, of the same */
} mixtral_candidate;

/** What the last draw saw: first the token drawn, then the `report` most likely ones, best first.
 *  @return OK; INVALID_HANDLE, INVALID_ARGUMENT (nothing drawn, or report is 0), BUFFER_TOO_SMALL, BUSY. Since 0.1. */
mixtral_status mixtral_sample_report(size_t *count, mixtral_candidate *buffer, size_t capacity, mixtral_sampler *sampler);

/* ----------------------------------------------------------------------------- Ending and freeing */

/** Ends a step, a save or a load that runs on this session, from any thread, with CANCELLED, within a layer's time.
 *  Nothing happens when none runs, and other calls are not ended: they are short. @param object a mixtral_session.
 *  @return OK; INVALID_HANDLE. Threads: any; with a session that is not freed meanwhile also in a signal handler,
 *  where no other function may be called. Since 0.1. */
mixtral_status mixtral_cancel(void *object);

/** Frees any object of this library. NULL is OK; a second time is INVALID_HANDLE. Works from any thread, in
 *  any order. @return OK; INVALID_HANDLE; BUSY (a call runs on it; nothing is freed). Since 0.1. */
mixtral_status mixtral_free(void *object);

#ifdef __cplusplus
}
#endif

#endif /* MIXTRAL_H */
