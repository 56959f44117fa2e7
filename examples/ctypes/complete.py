"""A greedy completion by ctypes alone: complete.py MODEL PROMPT TOKENS.

The package `mixtral` (bindings/python) is the comfortable way; this shows what an FFI needs.
"""

import contextlib
import ctypes
import os
import sys
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_float,
    c_int32,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)


class MixtralError(Exception):
    """The name of a status and the library's sentence."""


library = ctypes.CDLL("libmixtral.so.1")


def check(status, function, arguments):
    if status:
        name, sentence = status_name(status), last_error()
        raise MixtralError(f"{name.decode()}: {sentence.decode()}")


def plain(name, result, *types):
    """Without argtypes ctypes would pass a handle as a C int, which cuts it in half."""
    found = getattr(library, name)
    found.restype, found.argtypes = result, types
    return found


def function(name, *types):
    """A function that raises what its status says."""
    found = plain(name, c_int32, *types)
    found.errcheck = check
    return found


# Made by `make abi` from include/mixtral.abi.json.
TOKENIZE_BOS = 1
DETOKENIZE_CONTINUE = 2

Handle = c_uint64  # a number that only the library understands


class SamplerOptions(ctypes.Structure):
    """mixtral_sampler_options; what is not used here stands together."""

    _fields_ = [
        ("struct_size", c_uint32),
        ("top_k", c_uint32),
        ("temperature", c_float),
        ("top_p_to_random_seed", c_uint32 * 9),
        ("seed_to_user", c_uint64 * 5),
    ]


status_name = plain("mixtral_status_name", c_char_p, c_int32)
last_error = plain("mixtral_last_error", c_char_p)
load = function("mixtral_load", POINTER(Handle), c_char_p, c_void_p)
model_stop_tokens = function(
    "mixtral_model_stop_tokens", POINTER(c_size_t), POINTER(c_int32), c_size_t, Handle
)
session_create = function("mixtral_session_create", POINTER(Handle), Handle, c_void_p)
sampler_create = function("mixtral_sampler_create", POINTER(Handle), POINTER(SamplerOptions))
detokenizer_create = function("mixtral_detokenizer_create", POINTER(Handle), Handle, c_uint32)
tokenize = function(
    "mixtral_tokenize",
    POINTER(c_size_t),
    POINTER(c_int32),
    c_size_t,
    Handle,
    c_char_p,
    c_size_t,
    c_uint32,
)
detokenizer_next = function(
    "mixtral_detokenizer_next",
    POINTER(c_size_t),
    c_char_p,
    c_size_t,
    Handle,
    POINTER(c_int32),
    c_size_t,
)
step = function("mixtral_step", Handle, POINTER(c_int32), c_size_t)
sample = function("mixtral_sample", POINTER(c_int32), Handle, Handle)
free = function("mixtral_free", Handle)
# End of what `make abi` made.


def complete(path: str, prompt: bytes, limit: int) -> None:
    with contextlib.ExitStack() as stack:

        def create(function, *arguments) -> Handle:
            handle = Handle()
            function(byref(handle), *arguments)
            stack.callback(free, handle)
            return handle

        model = create(load, os.fsencode(path), None)
        options = SamplerOptions(ctypes.sizeof(SamplerOptions), temperature=0)  # 0: greedy
        session = create(session_create, model, None)
        sampler = create(sampler_create, byref(options))
        detokenizer = create(detokenizer_create, model, DETOKENIZE_CONTINUE)

        ends = (c_int32 * 64)()  # more ends than models have; else the call says so
        count = c_size_t()
        model_stop_tokens(byref(count), ends, len(ends), model)
        ends = ends[: count.value]

        # A token is at least a byte; a few more for what belongs before and after a text.
        tokens = (c_int32 * (len(prompt) + 8))()
        tokenize(byref(count), tokens, len(tokens), model, prompt, len(prompt), TOKENIZE_BOS)
        step(session, tokens, count)

        piece = ctypes.create_string_buffer(1024)
        size, token = c_size_t(), c_int32()

        def write(count: int) -> None:
            detokenizer_next(byref(size), piece, len(piece), detokenizer, byref(token), count)
            sys.stdout.buffer.write(piece.raw[: size.value])
            sys.stdout.buffer.flush()

        for _ in range(limit):
            sample(byref(token), session, sampler)
            if token.value in ends:
                break
            write(1)
            step(session, byref(token), 1)
        write(0)  # ends the text: what was held back of a character


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: complete.py MODEL PROMPT TOKENS")
    try:
        complete(sys.argv[1], os.fsencode(sys.argv[2]), int(sys.argv[3]))
    except MixtralError as error:
        sys.exit(str(error))
