"""The state of its process that the library may not change, and calls that look after it."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import json
import math
import os
import pathlib
import re
import signal
import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

import mixtral
import pytest
from capi import assert_sentence, ids, message, ok, sized
from mixtral import _raw

TINY = pathlib.Path(__file__).resolve().parents[1] / "Oracle" / "tiny"
GOOD = TINY / "mixtral-tiny-f16.gguf"
_GOLDEN = json.loads((TINY / "mixtral-tiny.json").read_text())
# Enough of them that a wrong bit anywhere in the model would show.
_GREEDY = 8
# Against what hangs; nothing that passes comes near it.
_SECONDS = 600
_ERRNO = 77

# Shows where, and ends the process.
faulthandler.register(signal.SIGALRM, chain=True)

_mathematics = ctypes.CDLL("libm.so.6")
# The same library as the binding's, with an errno that is set before a call and kept after it.
_library = ctypes.CDLL(os.environ["MIXTRAL_LIBRARY"], use_errno=True)
_load = _library.mixtral_load
_load.restype = _raw.mixtral_status
_load.argtypes = _raw.mixtral_load.argtypes


class FloatingPoint(ctypes.Structure):
    """x86-64's fenv_t: what fegetenv writes."""

    _fields_ = [("x87", ctypes.c_uint16 * 14), ("mxcsr", ctypes.c_uint32)]


def floating_point() -> FloatingPoint:
    state = FloatingPoint()
    assert _mathematics.fegetenv(ctypes.byref(state)) == 0
    return state


@contextlib.contextmanager
def mxcsr(bits: int) -> Iterator[None]:
    """Bits of the host's control register that are set for a while."""
    before = floating_point()
    state = FloatingPoint.from_buffer_copy(before)
    state.mxcsr |= bits
    assert _mathematics.fesetenv(ctypes.byref(state)) == 0
    try:
        yield
        assert floating_point().mxcsr & ~0x3F == state.mxcsr & ~0x3F
    finally:
        _mathematics.fesetenv(ctypes.byref(before))


def descriptors() -> dict[str, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        # The listing's own is gone again.
        with contextlib.suppress(FileNotFoundError):
            # Files without a name, such as those that take the output, change their numbers.
            found[name] = re.sub(r"#\d+", "#", os.readlink(f"/proc/self/fd/{name}"))
    return found


def signals() -> list[str]:
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    return [line for line in status if line.startswith(("SigBlk", "SigIgn", "SigCgt", "SigPnd"))]


def mappings() -> list[str]:
    return pathlib.Path("/proc/self/maps").read_text().splitlines()


def nameless() -> list[str]:
    """Mappings of no file: Python goes on loading modules."""
    return [line for line in mappings() if "/" not in line]


def mapped_models() -> list[str]:
    return [line for line in mappings() if line.endswith(".gguf")]


def thread_count() -> int:
    return len(os.listdir("/proc/self/task"))


def threads_settle_at(count: int) -> bool:
    """Whether there are as many: a thread is listed a little longer than it can be joined."""
    return any(thread_count() == count or time.sleep(0.001) for _ in range(5000))


def golden_tokens() -> None:
    """A good model still loads and says what transformers says."""
    with mixtral.Model(GOOD, threads=2) as model, model.session() as session:
        session.feed(_GOLDEN["ids"])
        tokens = []
        for _ in _GOLDEN["greedy"][:_GREEDY]:
            tokens.append(session.sample())
            session.feed(tokens[-1:])
    assert tokens == _GOLDEN["greedy"][:_GREEDY]


class Host:
    """The process before a case of a module; `check` is for after it."""

    # Stacks of ended threads, which libc keeps, and memory that Python asked for.
    SPARE_MAPPINGS = 24
    # Those before the first case of each module: what each case left would add up.
    _mappings: ClassVar[dict[str, int]] = {}

    def __init__(self, module: str) -> None:
        gc.collect()
        self.threads = thread_count()
        if module not in Host._mappings:
            golden_tokens()
            # Objects loaded by now are nobody's garbage: every collection would search it again.
            gc.freeze()
            Host._mappings[module] = len(nameless())
        self.most_mappings = Host._mappings[module] + Host.SPARE_MAPPINGS
        self.models = mapped_models()
        self.descriptors = descriptors()
        self.signals = signals()
        self.folder = os.getcwd()

    def check(self) -> None:
        golden_tokens()
        gc.collect()
        assert descriptors() == self.descriptors
        assert threads_settle_at(self.threads)
        assert signals() == self.signals
        assert os.getcwd() == self.folder
        assert len(nameless()) <= self.most_mappings
        assert mapped_models() == self.models


@contextlib.contextmanager
def unharmed(module: str, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Around a case: the process lives, says nothing, and is as it was."""
    host = Host(module)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
    host.check()
    assert capfd.readouterr() == ("", "")


def load(path: pathlib.Path | bytes, **fields: int) -> tuple[int, int | None, str]:
    """mixtral_load: its status, handle and, when it failed, sentence.

    errno and the floating-point state, its sticky flags too, are the host's before and after.
    """
    options = _raw.mixtral_load_options(ctypes.sizeof(_raw.mixtral_load_options), threads=1)
    for name, value in {"batch": 8, **fields}.items():
        setattr(options, name, value)
    handle = ctypes.c_void_p(0x7B7B)
    before, after = FloatingPoint(), FloatingPoint()
    ctypes.set_errno(_ERRNO)
    _mathematics.fegetenv(ctypes.byref(before))
    status = _load(ctypes.byref(handle), os.fsencode(path), ctypes.byref(options))
    _mathematics.fegetenv(ctypes.byref(after))
    assert ctypes.get_errno() == _ERRNO
    assert bytes(after) == bytes(before)
    assert (status == _raw.MIXTRAL_OK) == (handle.value is not None)
    return status, handle.value, _raw.mixtral_last_error().decode("utf-8") if status else ""


def refused(path: pathlib.Path | bytes, expected: int, *words: object, **fields: int) -> str:
    """The sentence of a load that fails with this status and says these words."""
    status, _, sentence = load(path, **fields)
    names = [_raw.mixtral_status_name(one).decode() for one in (status, expected)]
    assert names[0] == names[1], sentence
    assert_sentence(sentence)
    for word in words:
        assert str(word) in sentence, sentence
    return sentence


def loaded(path: pathlib.Path | bytes, **fields: int) -> int | None:
    """The handle of a model."""
    status, handle, sentence = load(path, **fields)
    assert status == _raw.MIXTRAL_OK, sentence
    return handle


def logits(path: pathlib.Path | bytes, tokens: Sequence[int], **fields: int) -> list[float]:
    """The finite logits after the tokens, fed in one step."""
    with Stepping(loaded(path, **fields)) as stepping:
        ok(stepping.step(*tokens))
        result = stepping.logits()
    assert all(map(math.isfinite, result))
    return result


class Stepping:
    """A session of a model that ends with it."""

    def __init__(self, model: int | None, **options: int) -> None:
        self.model = model
        info = sized(_raw.mixtral_info)
        ok(_raw.mixtral_model_info(model, ctypes.byref(info)))
        self.info = info
        handle = ctypes.c_void_p()
        made = sized(_raw.mixtral_session_options, **options)
        ok(_raw.mixtral_session_create(ctypes.byref(handle), model, ctypes.byref(made)))
        self.session = handle.value

    def __enter__(self) -> Stepping:
        return self

    def __exit__(self, *_: object) -> None:
        ok(_raw.mixtral_free(self.session))
        ok(_raw.mixtral_free(self.model))

    def step(self, *tokens: int) -> int:
        status: int = _raw.mixtral_step(self.session, ids(*tokens), len(tokens))
        return status

    def position(self) -> int:
        position = ctypes.c_uint64()
        ok(_raw.mixtral_session_position(ctypes.byref(position), self.session))
        return position.value

    def _logits(self) -> tuple[int, ctypes.Array[ctypes.c_float]]:
        count = ctypes.c_size_t()
        buffer = (ctypes.c_float * self.info.vocabulary)()
        status = _raw.mixtral_logits(ctypes.byref(count), buffer, len(buffer), self.session)
        return status, buffer

    def logits_status(self) -> tuple[int, list[float]]:
        status, values = self._logits()
        return status, list(values)

    def logits(self) -> list[float]:
        status, values = self.logits_status()
        ok(status)
        return values

    def logit_bits(self) -> bytes:
        status, values = self._logits()
        ok(status)
        return bytes(values)


def refused_step(stepping: Stepping, *tokens: int) -> None:
    """NUMERIC, and the session is as it was: nothing in it, no logits."""
    before = stepping.position(), stepping.logits_status()
    assert stepping.step(*tokens) == _raw.MIXTRAL_NUMERIC
    assert_sentence(message())
    assert (stepping.position(), stepping.logits_status()) == before
    if not before[0]:
        assert before[1][0] == _raw.MIXTRAL_INVALID_ARGUMENT
