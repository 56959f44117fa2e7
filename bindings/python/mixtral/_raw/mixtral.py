"""include/mixtral.h in ctypes, and nothing else. Written by `make abi`.

Every name is the header's. Each function has its argument types and its result type set. `CDLL` is
used, so other Python threads run during every call. A handle is an address that is never followed.
"""

from __future__ import annotations

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)

from .._library import declare

# Statuses

mixtral_status = c_int32

MIXTRAL_OK = 0
MIXTRAL_INVALID_ARGUMENT = 1
MIXTRAL_INVALID_HANDLE = 2
MIXTRAL_NOT_FOUND = 3
MIXTRAL_IO = 4
MIXTRAL_MALFORMED = 5
MIXTRAL_UNSUPPORTED = 6
MIXTRAL_LIMIT_EXCEEDED = 7
MIXTRAL_OUT_OF_MEMORY = 8
MIXTRAL_CONTEXT_FULL = 9
MIXTRAL_BUFFER_TOO_SMALL = 10
MIXTRAL_CANCELLED = 11
MIXTRAL_BUSY = 12
MIXTRAL_CHANGED = 13
MIXTRAL_NUMERIC = 14
MIXTRAL_FORKED = 15
MIXTRAL_INTERNAL = 16

mixtral_status_name = declare("mixtral_status_name", c_char_p, mixtral_status)
mixtral_last_error = declare("mixtral_last_error", c_char_p)
mixtral_version = declare("mixtral_version", c_char_p)
mixtral_abi_version = declare("mixtral_abi_version", c_uint32)

# Models

mixtral_model = c_void_p
mixtral_session = c_void_p
mixtral_sampler = c_void_p
mixtral_detokenizer = c_void_p

mixtral_token = c_int32

MIXTRAL_ISA_AUTO = 0
MIXTRAL_ISA_REFERENCE = 1
MIXTRAL_ISA_AVX2 = 2
MIXTRAL_ISA_AVX512 = 3
MIXTRAL_ISA_AVXVNNI = 4
MIXTRAL_ISA_NEON = 5
MIXTRAL_ISA_DOTPROD = 6
MIXTRAL_ISA_I8MM = 7

MIXTRAL_LOG_INFO = 0
MIXTRAL_LOG_WARNING = 1

progress_callback = CFUNCTYPE(c_int32, c_uint64, c_uint64, c_void_p)
allocate_callback = CFUNCTYPE(c_void_p, c_uint64, c_uint64, c_void_p)
release_callback = CFUNCTYPE(None, c_void_p, c_uint64, c_void_p)
log_callback = CFUNCTYPE(c_int32, c_uint32, c_char_p, c_uint64, c_void_p)


class mixtral_load_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_uint32),
        ("isa", c_uint32),
        ("experts_used", c_uint32),
        ("sliding_window", c_int64),
        ("batch", c_uint32),
        ("map", c_uint32),
        ("progress", progress_callback),
        ("user", c_void_p),
        ("allocate", allocate_callback),
        ("release", release_callback),
        ("log", log_callback),
    ]


mixtral_load = declare(
    "mixtral_load", mixtral_status, POINTER(mixtral_model), c_char_p, POINTER(mixtral_load_options)
)


class mixtral_pack_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_uint32),
        ("overwrite", c_uint32),
        ("reserved", c_uint32),
        ("progress", progress_callback),
        ("user", c_void_p),
    ]


mixtral_model_pack = declare(
    "mixtral_model_pack", mixtral_status, c_char_p, c_char_p, POINTER(mixtral_pack_options)
)

mixtral_guard_mappings = declare("mixtral_guard_mappings", mixtral_status, c_uint32)


class mixtral_info(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("layers", c_uint32),
        ("hidden_width", c_uint32),
        ("heads", c_uint32),
        ("kv_heads", c_uint32),
        ("head_width", c_uint32),
        ("feed_forward_width", c_uint32),
        ("experts", c_uint32),
        ("experts_used", c_uint32),
        ("vocabulary", c_uint32),
        ("context_length", c_uint32),
        ("sliding_window", c_uint32),
        ("bos_token", mixtral_token),
        ("eos_token", mixtral_token),
        ("unknown_token", mixtral_token),
        ("padding_token", mixtral_token),
        ("threads", c_uint32),
        ("isa", c_uint32),
        ("batch", c_uint32),
        ("tied_embeddings", c_uint32),
        ("rope_base", c_float),
        ("norm_epsilon", c_float),
        ("parameters", c_uint64),
        ("active_parameters", c_uint64),
        ("file_size", c_uint64),
        ("weight_size", c_uint64),
        ("scratch_size", c_uint64),
        ("cache_size_per_position", c_uint64),
        ("tensors", c_uint32),
        ("unused_tensors", c_uint32),
    ]


mixtral_model_info = declare(
    "mixtral_model_info", mixtral_status, mixtral_model, POINTER(mixtral_info)
)

mixtral_model_metadata = declare(
    "mixtral_model_metadata",
    mixtral_status,
    POINTER(c_size_t),
    POINTER(c_char),
    c_size_t,
    mixtral_model,
    c_char_p,
)

mixtral_model_stop_tokens = declare(
    "mixtral_model_stop_tokens",
    mixtral_status,
    POINTER(c_size_t),
    POINTER(mixtral_token),
    c_size_t,
    mixtral_model,
)

# Text

MIXTRAL_TOKENIZE_BOS = 1
MIXTRAL_TOKENIZE_SPECIAL = 2
MIXTRAL_TOKENIZE_CONTINUE = 4

MIXTRAL_DETOKENIZE_SPECIAL = 1
MIXTRAL_DETOKENIZE_CONTINUE = 2

mixtral_tokenize = declare(
    "mixtral_tokenize",
    mixtral_status,
    POINTER(c_size_t),
    POINTER(mixtral_token),
    c_size_t,
    mixtral_model,
    c_char_p,
    c_size_t,
    c_uint32,
)

mixtral_detokenize = declare(
    "mixtral_detokenize",
    mixtral_status,
    POINTER(c_size_t),
    POINTER(c_char),
    c_size_t,
    mixtral_model,
    POINTER(mixtral_token),
    c_size_t,
    c_uint32,
)

mixtral_detokenizer_create = declare(
    "mixtral_detokenizer_create",
    mixtral_status,
    POINTER(mixtral_detokenizer),
    mixtral_model,
    c_uint32,
)

mixtral_detokenizer_next = declare(
    "mixtral_detokenizer_next",
    mixtral_status,
    POINTER(c_size_t),
    POINTER(c_char),
    c_size_t,
    mixtral_detokenizer,
    POINTER(mixtral_token),
    c_size_t,
)

# Sessions

MIXTRAL_CACHE_F16 = 0
MIXTRAL_CACHE_Q8_0 = 1


class mixtral_session_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("context", c_uint32),
        ("cache_type", c_uint32),
        ("reserved", c_uint32),
    ]


mixtral_session_create = declare(
    "mixtral_session_create",
    mixtral_status,
    POINTER(mixtral_session),
    mixtral_model,
    POINTER(mixtral_session_options),
)

mixtral_step = declare(
    "mixtral_step", mixtral_status, mixtral_session, POINTER(mixtral_token), c_size_t
)


class mixtral_input(Structure):
    _fields_ = [
        ("tokens", POINTER(mixtral_token)),
        ("count", c_uint64),
    ]


mixtral_step_many = declare(
    "mixtral_step_many",
    mixtral_status,
    POINTER(mixtral_session),
    POINTER(mixtral_input),
    c_size_t,
    POINTER(mixtral_status),
)

mixtral_step_logits = declare(
    "mixtral_step_logits",
    mixtral_status,
    POINTER(c_size_t),
    POINTER(c_float),
    c_size_t,
    mixtral_session,
    POINTER(mixtral_token),
    c_size_t,
)

mixtral_logits = declare(
    "mixtral_logits", mixtral_status, POINTER(c_size_t), POINTER(c_float), c_size_t, mixtral_session
)

mixtral_session_position = declare(
    "mixtral_session_position", mixtral_status, POINTER(c_uint64), mixtral_session
)


class mixtral_state(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("context", c_uint32),
        ("position", c_uint64),
        ("first_position", c_uint64),
        ("cache_size", c_uint64),
    ]


mixtral_session_state = declare(
    "mixtral_session_state", mixtral_status, mixtral_session, POINTER(mixtral_state)
)

mixtral_session_rewind = declare(
    "mixtral_session_rewind", mixtral_status, mixtral_session, c_uint64
)

mixtral_session_fork = declare(
    "mixtral_session_fork", mixtral_status, POINTER(mixtral_session), mixtral_session
)

mixtral_session_save = declare(
    "mixtral_session_save", mixtral_status, POINTER(c_size_t), c_void_p, c_size_t, mixtral_session
)

mixtral_session_load = declare(
    "mixtral_session_load", mixtral_status, mixtral_session, c_void_p, c_size_t
)

mixtral_session_save_file = declare(
    "mixtral_session_save_file", mixtral_status, mixtral_session, c_char_p
)

mixtral_session_load_file = declare(
    "mixtral_session_load_file", mixtral_status, mixtral_session, c_char_p
)

# Sampling


class mixtral_logit_bias(Structure):
    _fields_ = [
        ("token", mixtral_token),
        ("bias", c_float),
    ]


filter_callback = CFUNCTYPE(c_int32, POINTER(c_float), c_uint64, c_void_p)


class mixtral_sampler_options(Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("top_k", c_uint32),
        ("temperature", c_float),
        ("top_p", c_float),
        ("min_p", c_float),
        ("typical_p", c_float),
        ("repetition_penalty", c_float),
        ("frequency_penalty", c_float),
        ("presence_penalty", c_float),
        ("penalty_window", c_uint32),
        ("report", c_uint32),
        ("random_seed", c_uint32),
        ("seed", c_uint64),
        ("bias", POINTER(mixtral_logit_bias)),
        ("bias_count", c_uint64),
        ("filter", filter_callback),
        ("user", c_void_p),
    ]


mixtral_sampler_create = declare(
    "mixtral_sampler_create",
    mixtral_status,
    POINTER(mixtral_sampler),
    POINTER(mixtral_sampler_options),
)

mixtral_sampler_seed = declare(
    "mixtral_sampler_seed", mixtral_status, POINTER(c_uint64), mixtral_sampler
)

mixtral_sample = declare(
    "mixtral_sample", mixtral_status, POINTER(mixtral_token), mixtral_session, mixtral_sampler
)

mixtral_sample_many = declare(
    "mixtral_sample_many",
    mixtral_status,
    POINTER(mixtral_token),
    POINTER(mixtral_session),
    POINTER(mixtral_sampler),
    c_size_t,
    POINTER(mixtral_status),
)


class mixtral_candidate(Structure):
    _fields_ = [
        ("token", mixtral_token),
        ("logit", c_float),
        ("log_probability", c_float),
    ]


mixtral_sample_report = declare(
    "mixtral_sample_report",
    mixtral_status,
    POINTER(c_size_t),
    POINTER(mixtral_candidate),
    c_size_t,
    mixtral_sampler,
)

# Ending and freeing

mixtral_cancel = declare("mixtral_cancel", mixtral_status, c_void_p)
mixtral_free = declare("mixtral_free", mixtral_status, c_void_p)
