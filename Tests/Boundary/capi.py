"""Every function of the header by name: what its arguments are and a call that is valid.

Kinds of argument: "out" receives a result and may not be NULL; "pointer" may not be NULL; "optional"
may be; "number"; "buffer" with its capacity next; or the kind of handle, with "?" when NULL is
allowed. The tests of misuse take each valid call and break one thing.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
import tempfile
from typing import Any

from mixtral import _raw

KINDS: dict[str, tuple[str, ...]] = {
    "mixtral_load": ("out", "pointer", "optional"),
    "mixtral_model_pack": ("pointer", "pointer", "optional"),
    "mixtral_guard_mappings": ("number",),
    "mixtral_model_info": ("model", "pointer"),
    "mixtral_model_stop_tokens": ("out", "buffer", "number", "model"),
    "mixtral_model_metadata": ("out", "buffer", "number", "model", "optional"),
    "mixtral_tokenize": ("out", "buffer", "number", "model", "pointer", "number", "number"),
    "mixtral_detokenize": ("out", "buffer", "number", "model", "pointer", "number", "number"),
    "mixtral_detokenizer_create": ("out", "model", "number"),
    "mixtral_detokenizer_next": ("out", "buffer", "number", "detokenizer", "pointer", "number"),
    "mixtral_session_create": ("out", "model", "optional"),
    "mixtral_step": ("session", "pointer", "number"),
    "mixtral_step_many": ("pointer", "pointer", "number", "optional"),
    "mixtral_step_logits": ("out", "buffer", "number", "session", "pointer", "number"),
    "mixtral_logits": ("out", "buffer", "number", "session"),
    "mixtral_session_position": ("out", "session"),
    "mixtral_session_state": ("session", "pointer"),
    "mixtral_session_rewind": ("session", "number"),
    "mixtral_session_fork": ("out", "session"),
    "mixtral_session_save": ("out", "buffer", "number", "session"),
    "mixtral_session_load": ("session", "pointer", "number"),
    "mixtral_session_save_file": ("session", "pointer"),
    "mixtral_session_load_file": ("session", "pointer"),
    "mixtral_sampler_create": ("out", "optional"),
    "mixtral_sampler_seed": ("out", "sampler"),
    "mixtral_sample": ("out", "session", "sampler?"),
    "mixtral_sample_many": ("pointer", "pointer", "optional", "number", "optional"),
    "mixtral_sample_report": ("out", "buffer", "number", "sampler"),
    "mixtral_cancel": ("session",),
}
# These take anything: mixtral_free(handle), and what cannot fail.
WITHOUT_KINDS = {
    "mixtral_free",
    "mixtral_status_name",
    "mixtral_last_error",
    "mixtral_version",
    "mixtral_abi_version",
}
HANDLES = {"model", "session", "sampler", "detokenizer"}
CREATORS = {
    "mixtral_load",
    "mixtral_detokenizer_create",
    "mixtral_session_create",
    "mixtral_session_fork",
    "mixtral_sampler_create",
}
OPTIONS: dict[str, Any] = {
    "mixtral_load": _raw.mixtral_load_options,
    "mixtral_model_pack": _raw.mixtral_pack_options,
    "mixtral_session_create": _raw.mixtral_session_options,
    "mixtral_sampler_create": _raw.mixtral_sampler_options,
}
ARGUMENT = _raw.MIXTRAL_INVALID_ARGUMENT
HANDLE = _raw.MIXTRAL_INVALID_HANDLE
GARBAGE = 0x7B7B7B7B
TEXT = "hé!".encode()


def message() -> str:
    return _raw.mixtral_last_error().decode("utf-8")


def ok(status: int) -> None:
    assert status == _raw.MIXTRAL_OK, message()


def sized(structure: type[ctypes.Structure], **fields: Any) -> Any:
    return structure(struct_size=ctypes.sizeof(structure), **fields)


def ids(*values: int) -> Any:
    return (_raw.mixtral_token * len(values))(*values)


def cases(*kinds: str) -> list[tuple[str, int]]:
    """Each function with each of its arguments of these kinds."""
    return [
        (name, index) for name in KINDS for index, kind in enumerate(KINDS[name]) if kind in kinds
    ]


def assert_sentence(text: str) -> None:
    assert text
    assert "\n" not in text
    assert not text.endswith(".")
    assert len(text.encode()) <= 1023


def assert_results_are_zero(name: str, arguments: list[Any]) -> None:
    for kind, one in zip(KINDS[name], arguments):
        if kind == "out" and one is not None:
            assert not one.value, f"{name} left {one!r}"


class World:
    """An object of each kind, in a state in which every call is valid."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = os.fsencode(path)
        self.folder = tempfile.TemporaryDirectory()
        self.made = 0
        self.model = self._made(_raw.mixtral_load, self.path, None)
        info = sized(_raw.mixtral_info)
        ok(_raw.mixtral_model_info(self.model, ctypes.byref(info)))
        self.vocabulary: int = info.vocabulary
        self.session = self.new_session()
        options = sized(_raw.mixtral_sampler_options, report=3)
        self.sampler = self._made(_raw.mixtral_sampler_create, ctypes.byref(options))
        self.detokenizer = self._made(_raw.mixtral_detokenizer_create, self.model, 0)
        self.reset()

    def new_session(self, **options: int) -> int:
        structure = sized(_raw.mixtral_session_options, **options)
        return self._made(_raw.mixtral_session_create, self.model, ctypes.byref(structure))

    def new_target(self) -> bytes:
        """The path of a file that is not there."""
        self.made += 1
        return os.fsencode(f"{self.folder.name}/{self.made}.gguf")

    def state_buffer(self) -> list[Any]:
        """A buffer with the session's state, and its size."""
        size = ctypes.c_size_t()
        _raw.mixtral_session_save(ctypes.byref(size), None, 0, self.session)
        buffer = (ctypes.c_char * size.value)()
        ok(_raw.mixtral_session_save(ctypes.byref(size), buffer, len(buffer), self.session))
        return [buffer, len(buffer)]

    def saved_file(self) -> bytes:
        path = self.new_target()
        ok(_raw.mixtral_session_save_file(self.session, path))
        return path

    def tokens(self) -> Any:
        count = ctypes.c_size_t()
        buffer = (_raw.mixtral_token * 32)()
        ok(_raw.mixtral_tokenize(ctypes.byref(count), buffer, 32, self.model, TEXT, len(TEXT), 0))
        return ids(*buffer[: count.value])

    def reset(self) -> None:
        """The session at position 3, with logits; the sampler with a report."""
        ok(_raw.mixtral_session_rewind(self.session, 0))
        ok(_raw.mixtral_step(self.session, ids(1, 5, 9), 3))
        token = _raw.mixtral_token()
        ok(_raw.mixtral_sample(ctypes.byref(token), self.session, self.sampler))

    def position(self) -> int:
        position = ctypes.c_uint64()
        ok(_raw.mixtral_session_position(ctypes.byref(position), self.session))
        return position.value

    def close(self) -> None:
        for handle in (self.session, self.detokenizer, self.sampler, self.model):
            ok(_raw.mixtral_free(handle))
        self.folder.cleanup()

    def arguments(self, name: str) -> list[Any]:
        """Arguments of a call that succeeds. Results start as garbage."""
        size = ctypes.c_size_t(GARBAGE)
        handle = ctypes.c_void_p(GARBAGE)
        tokens = self.tokens()
        count = len(tokens)
        floats = (ctypes.c_float * (count * self.vocabulary))()
        characters = (ctypes.c_char * 65536)()
        sessions = (ctypes.c_void_p * 1)(self.session)
        inputs = (_raw.mixtral_input * 1)()
        inputs[0].tokens = ctypes.cast(tokens, ctypes.POINTER(_raw.mixtral_token))
        inputs[0].count = count
        made: dict[str, list[Any]] = {
            "mixtral_load": [handle, self.path, None],
            "mixtral_model_pack": [self.new_target(), self.path, None],
            "mixtral_guard_mappings": [0],
            "mixtral_model_info": [self.model, sized(_raw.mixtral_info)],
            "mixtral_model_stop_tokens": [size, ids(*[7] * 32), 32, self.model],
            "mixtral_model_metadata": [size, characters, 65536, self.model, None],
            "mixtral_tokenize": [size, ids(*[7] * 32), 32, self.model, TEXT, len(TEXT), 0],
            "mixtral_detokenize": [size, characters, 65536, self.model, tokens, count, 0],
            "mixtral_detokenizer_create": [handle, self.model, 0],
            "mixtral_detokenizer_next": [size, characters, 65536, self.detokenizer, tokens, count],
            "mixtral_session_create": [handle, self.model, None],
            "mixtral_step": [self.session, tokens, count],
            "mixtral_step_many": [sessions, inputs, 1, (_raw.mixtral_status * 1)()],
            "mixtral_step_logits": [size, floats, len(floats), self.session, tokens, count],
            "mixtral_logits": [size, floats, len(floats), self.session],
            "mixtral_session_position": [ctypes.c_uint64(GARBAGE), self.session],
            "mixtral_session_state": [self.session, sized(_raw.mixtral_state)],
            "mixtral_session_rewind": [self.session, 3],
            "mixtral_session_fork": [handle, self.session],
            "mixtral_session_save": [size, *self.state_buffer(), self.session],
            "mixtral_session_load": [self.session, *self.state_buffer()],
            "mixtral_session_save_file": [self.session, self.new_target()],
            "mixtral_session_load_file": [self.session, self.saved_file()],
            "mixtral_sampler_create": [handle, sized(_raw.mixtral_sampler_options)],
            "mixtral_sampler_seed": [ctypes.c_uint64(GARBAGE), self.sampler],
            "mixtral_sample": [_raw.mixtral_token(GARBAGE), self.session, self.sampler],
            "mixtral_sample_many": [
                *((_raw.mixtral_token * 1)(GARBAGE), sessions),
                *((ctypes.c_void_p * 1)(self.sampler), 1, (_raw.mixtral_status * 1)()),
            ],
            "mixtral_sample_report": [size, (_raw.mixtral_candidate * 9)(), 9, self.sampler],
            "mixtral_cancel": [self.session],
        }
        return made[name]

    def call(self, name: str, arguments: list[Any]) -> int:
        """Calls, passing results and structures by their address; frees what it creates."""
        passed = [
            ctypes.byref(one) if isinstance(one, (ctypes.Structure, ctypes._SimpleCData)) else one
            for one in arguments
        ]
        status: int = getattr(_raw, name)(*passed)
        if name in CREATORS and status == _raw.MIXTRAL_OK:
            ok(_raw.mixtral_free(arguments[0].value))
        return status

    def _made(self, create: Any, *arguments: Any) -> int:
        handle = ctypes.c_void_p()
        ok(create(ctypes.byref(handle), *arguments))
        assert handle.value
        return handle.value
