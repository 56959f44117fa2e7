"""A host process for test_loading.py: opens the library as its first argument says.

It asserts, and prints "ok". Plain ctypes, so that nothing but the loading is under test.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import pathlib
import shutil
import sys
from ctypes import byref, c_int32, c_size_t, c_uint32, c_uint64

INVALID_HANDLE = 2
ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "Tests" / "Oracle" / "tiny"


class Golden:
    """A tiny F16 model, ids and transformers' greedy tokens."""

    def __init__(self, name: str) -> None:
        golden = json.loads((TINY / f"{name}.json").read_text())
        self.path = os.fsencode(TINY / f"{name}-f16.gguf")
        self.ids, self.tokens = golden["ids"], golden["greedy"]


MIXTRAL, MISTRAL = Golden("mixtral-tiny"), Golden("mistral-tiny")


class Library:
    """A loaded copy of the library; handles are plain numbers."""

    def __init__(self, path: str, mode: int = os.RTLD_NOW) -> None:
        self.c = ctypes.CDLL(path, mode=mode)

    def call(self, name: str, *arguments: object) -> int:
        return getattr(self.c, f"mixtral_{name}")(*arguments)

    def make(self, name: str, *arguments: object) -> c_uint64:
        handle = c_uint64()
        assert self.call(name, byref(handle), *arguments) == 0, self.error()
        return handle

    def error(self) -> str:
        self.c.mixtral_last_error.restype = ctypes.c_char_p
        return self.c.mixtral_last_error().decode()

    def continues(self, golden: Golden) -> None:
        """Loads, generates, compares, frees."""
        model = self.make("load", golden.path, None)
        session = self.make("session_create", model, None)
        self.follows(session, golden)
        assert self.call("free", session) == self.call("free", model) == 0

    def follows(self, session: c_uint64, golden: Golden) -> None:
        ids, chosen, token = golden.ids, [], c_int32()
        for _ in golden.tokens:
            fed = (c_int32 * len(ids))(*ids)
            assert self.call("step", session, fed, c_size_t(len(ids))) == 0, self.error()
            assert self.call("sample", byref(token), session, None) == 0, self.error()
            ids = [token.value]
            chosen += ids
        assert chosen == golden.tokens

    def mark(self) -> int:
        """The number in all handles of this copy."""
        sampler = self.make("sampler_create", None)
        assert self.call("free", sampler) == 0
        return sampler.value >> 39


def flags(path: str, mode: str) -> None:
    Library(path, int(mode)).continues(MIXTRAL)


def copies(path: str, mode: str, folder: str) -> None:
    """Two copies of the file are two libraries: both work, neither knows the other's handles."""
    # A copy marks its handles with a number drawn out of 16383: three are almost never alike.
    names = [os.path.join(folder, f"{number}.so") for number in range(3)]
    one, *others = [Library(shutil.copy(path, name), int(mode)) for name in names]
    other = next(each for each in others if each.mark() != one.mark())

    model, its_own = (each.make("load", MIXTRAL.path, None) for each in (one, other))
    session = one.make("session_create", model, None)
    sampler = one.make("sampler_create", None)
    detokenizer = one.make("detokenizer_create", model, c_uint32(0))
    token, count, made, buffer = c_int32(5), c_size_t(), c_uint64(), (c_int32 * 64)()
    room, size, flags = c_size_t(64), c_size_t(1), c_uint32(0)
    for call in (
        ("model_metadata", byref(count), buffer, room, model, None),
        ("session_create", byref(made), model, None),
        ("detokenizer_create", byref(made), model, flags),
        ("tokenize", byref(count), buffer, room, model, b"x", size, flags),
        ("detokenize", byref(count), buffer, room, model, byref(token), size, flags),
        ("detokenizer_next", byref(count), buffer, room, detokenizer, byref(token), size),
        ("step", session, byref(token), size),
        ("sample", byref(token), session, sampler),
        ("session_fork", byref(made), session),
        ("cancel", session),
        *(("free", handle) for handle in (model, session, sampler, detokenizer)),
    ):
        assert other.call(*call) == INVALID_HANDLE, call
        assert other.error() and made.value == 0, call
    # Neither has noticed.
    one.follows(session, MIXTRAL)
    assert [one.call("free", each) for each in (detokenizer, sampler, session, model)] == [0] * 4
    assert other.call("free", its_own) == 0
    for each in (other, one):
        each.continues(MISTRAL)


def link(path: str, folder: str) -> None:
    """A second name of the same file is the same library."""
    name = os.path.join(folder, "another-name.so")
    os.symlink(path, name)
    one, other = Library(path), Library(name)
    model = one.make("load", MIXTRAL.path, None)
    session = other.make("session_create", model, None)
    one.follows(session, MIXTRAL)
    assert other.call("free", session) == one.call("free", model) == 0


def beside(path: str, mode: str, order: str, model: str, golden: str) -> None:
    """With llama.cpp in one scope of names: in turn, both choose the golden tokens."""
    mode, one = int(mode) | os.RTLD_GLOBAL, json.loads(golden)
    folder = pathlib.Path(importlib.util.find_spec("llama_cpp").origin).parent
    opening = {
        "mixtral": lambda: Library(path, mode),
        # The package then finds its library open.
        "llama": lambda: ctypes.CDLL(str(folder / "lib" / "libllama.so"), mode=mode),
    }
    library = {name: opening[name]() for name in order.split()}["mixtral"]
    from llama_cpp import Llama

    # Its words while it loads the model go to descriptor 2, and are not looked at.
    llama = Llama(model, n_ctx=256, n_threads=1, type_k=0, type_v=0, verbose=False)
    handle = library.make("load", os.fsencode(model), None)
    session, token = library.make("session_create", handle, None), c_int32()
    ours, theirs, fed = [], [], one["ids"]
    for _ in one["tokens"]:
        ids = (c_int32 * len(fed))(*fed)
        assert library.call("step", session, ids, c_size_t(len(fed))) == 0, library.error()
        llama.eval(fed)
        assert library.call("sample", byref(token), session, None) == 0, library.error()
        theirs.append(llama.sample(temp=0.0, repeat_penalty=1.0))
        ours.append(token.value)
        fed = [token.value]
    assert ours == one["tokens"] and theirs == one["tokens"]
    llama.close()
    assert library.call("free", session) == library.call("free", handle) == 0
    library.continues(MISTRAL)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
    print("ok")
