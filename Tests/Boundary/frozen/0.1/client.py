"""A Python program of release 0.1, over its own copy of the raw layer.

client.py MODEL COUNT TOKENS...  prints greedy tokens after a prompt, one a line.
"""

from __future__ import annotations

import ctypes
import sys

import _raw


def ok(status: int) -> None:
    assert status == _raw.MIXTRAL_OK, _raw.mixtral_last_error().decode()


def sized(structure: type[ctypes.Structure], **fields: object) -> ctypes.Structure:
    return structure(struct_size=ctypes.sizeof(structure), **fields)


def main(path: str, count: int, tokens: list[int]) -> None:
    calls = []
    model, session, sampler = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    progress = _raw.progress_callback(lambda done, total, user: calls.append(done) or 0)
    options = sized(_raw.mixtral_load_options, threads=2, progress=progress)
    ok(_raw.mixtral_load(ctypes.byref(model), path.encode(), ctypes.byref(options)))
    assert calls
    info = sized(_raw.mixtral_info)
    ok(_raw.mixtral_model_info(model, ctypes.byref(info)))
    assert info.threads == 2
    options = sized(_raw.mixtral_session_options, context=512)
    ok(_raw.mixtral_session_create(ctypes.byref(session), model, ctypes.byref(options)))
    ok(_raw.mixtral_step(session, (_raw.mixtral_token * len(tokens))(*tokens), len(tokens)))
    seen = []
    look = _raw.filter_callback(lambda logits, size, user: seen.append(size) or 0)
    options = sized(_raw.mixtral_sampler_options, filter=look)
    ok(_raw.mixtral_sampler_create(ctypes.byref(sampler), ctypes.byref(options)))
    for _ in range(count):
        token = _raw.mixtral_token()
        ok(_raw.mixtral_sample(ctypes.byref(token), session, sampler))
        ok(_raw.mixtral_step(session, ctypes.byref(token), 1))
        print(token.value)
    assert seen == [info.vocabulary] * count
    state = sized(_raw.mixtral_state)
    ok(_raw.mixtral_session_state(session, ctypes.byref(state)))
    assert state.position == len(tokens) + count
    for handle in (sampler, session, model):
        ok(_raw.mixtral_free(handle))
    assert _raw.mixtral_free(model) == _raw.MIXTRAL_INVALID_HANDLE


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), [int(one) for one in sys.argv[3:]])
