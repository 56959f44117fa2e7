"""Exceptions that arise where a callback begins: they come out as themselves, C gets a defined result, and
nothing is printed. A signal during C is seen at the entry of the next Python function, from Python 3.11 on
before its first line."""

from __future__ import annotations

import ctypes
import os
import pathlib
import signal
import subprocess
import sys

import mixtral
import pytest
from mixtral import _callbacks, _raw

from capi import sized


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """C code during which a signal comes."""
    path = tmp_path_factory.mktemp("host") / "interrupting.so"
    source = pathlib.Path(__file__).with_name("interrupting.c")
    subprocess.run(
        ["cc", "-std=c11", "-D_GNU_SOURCE", "-O0", "-shared", "-fPIC", "-o", path, source],
        check=True,
    )
    host = ctypes.CDLL(str(path))
    host.call_allocate.restype = ctypes.c_void_p
    host.call_release.argtypes = [_raw.release_callback, ctypes.c_void_p]
    return host


@pytest.fixture
def unraised(monkeypatch):
    """The exceptions that ctypes would print."""
    told = []
    monkeypatch.setattr("sys.unraisablehook", told.append)
    return told


class TimedOut(Exception):
    pass


@pytest.fixture(params=[KeyboardInterrupt, TimedOut])
def arising(request):
    """The exception of the handler of SIGINT."""

    def handler(_number, _frame):
        raise request.param

    before = signal.signal(signal.SIGINT, handler)
    yield request.param
    signal.signal(signal.SIGINT, before)


def never(*_):
    raise AssertionError("the callback's function was called")


@pytest.mark.parametrize(
    ("name", "callback"),
    [
        ("progress", lambda: _callbacks.progress_callback(never)),
        ("progress", lambda: _callbacks.progress_callback(None)),
        ("log", lambda: _callbacks.log_callback(never)),
        ("filter", lambda: _callbacks.filter_callback(never, [None])),
    ],
)
def test_a_signal_before_a_callback(host, unraised, arising, name, callback):
    callback = callback()
    results = []

    def call():
        results.append(getattr(host, f"call_{name}")(callback))
        return _raw.MIXTRAL_OK

    for _ in range(3):
        with pytest.raises(arising):
            _callbacks.run(call)
    assert results == [1, 1, 1]
    assert not unraised


class Blocks:
    def __init__(self) -> None:
        self.released = []

    allocate = never

    def release(self, address, size):
        self.released.append((address, size))


def test_a_signal_before_allocate_and_release(host, unraised, arising):
    blocks = Blocks()
    allocate, release = _callbacks.allocator_callbacks(blocks)
    results = []

    def call_allocate():
        results.append(host.call_allocate(allocate))
        return _raw.MIXTRAL_OK

    def call_release():
        host.call_release(release, 4096)
        return _raw.MIXTRAL_OK

    for call in (call_allocate, call_release):
        with pytest.raises(arising):
            _callbacks.run(call)
    assert results == [None]
    # The block is taken back all the same, once.
    assert blocks.released == [(4096, 64)]
    assert not unraised


def test_ctrl_c_while_a_model_is_loaded(host, unraised, arising, mixtral_tiny):
    """The next progress callback of the load sees it, and the load ends."""
    told = []

    def progress(done, total):
        told.append(done)

    callback = _callbacks.progress_callback(progress)
    calls = ctypes.c_int32()
    options = sized(
        _raw.mixtral_load_options,
        threads=1,
        progress=callback,
        user=ctypes.addressof(calls),
        allocate=ctypes.cast(host.interrupted_allocate, _raw.allocate_callback),
        release=ctypes.cast(host.give_back, _raw.release_callback),
    )
    model = ctypes.c_void_p(1)
    statuses = []

    def call():
        path = os.fsencode(mixtral_tiny)
        statuses.append(_raw.mixtral_load(ctypes.byref(model), path, ctypes.byref(options)))
        return statuses[-1]

    with pytest.raises(arising):
        _callbacks.run(call)
    assert calls.value > 0
    assert statuses == [_raw.MIXTRAL_CANCELLED]
    assert model.value is None
    assert not told
    assert not unraised


def test_the_table_of_a_guarded_function():
    """guarded() changes the beginning of the first entry, and nothing where there is no table."""

    def call(first, second):
        try:
            return first / second
        except BaseException:
            return 7

    table = bytes(getattr(call.__code__, "co_exceptiontable", b""))
    _callbacks.guarded(call)
    assert (call(6, 3), call(1, 0)) == (2.0, 7)
    if sys.version_info >= (3, 11):
        changed = call.__code__.co_exceptiontable
        assert changed != table
        assert changed[0] == 128
        assert _callbacks._from_the_start(changed, len(call.__code__.co_code) // 2) == changed
    for other in (b"", b"\x00", b"\x80", bytes([128, 64, 64])):
        assert _callbacks._from_the_start(other, 10) == other


@pytest.mark.parametrize("number", [0, 1, 63, 64, 4095, 4096, 1 << 20])
def test_numbers_of_the_table(number):
    entry = [*_callbacks._groups(5), *_callbacks._groups(number)]
    entry += [*_callbacks._groups(number + 5), *_callbacks._groups(0)]
    entry[0] |= 128
    expected = [0x80, *_callbacks._groups(number + 5), *_callbacks._groups(number + 5), 0]
    assert _callbacks._from_the_start(bytes(entry) + b"rest", 1 << 24) == bytes(expected) + b"rest"


def test_a_callback_without_a_frame_left(model, unraised):
    """RecursionError comes before C is called, not where the callback begins."""
    outcomes = []

    def deep(frames):
        return deep(frames - 1) if frames else session.sample(sampler)

    with model.session() as session, mixtral.Sampler(filter=lambda logits: None) as sampler:
        session.feed([1])
        expected = session.sample()
        limit = sys.getrecursionlimit()
        for frames in range(limit - 150, limit):
            try:
                outcomes.append(deep(frames) == expected)
            except RecursionError:
                outcomes.append(None)
    assert True in outcomes
    assert None in outcomes
    assert False not in outcomes
    assert not unraised


def test_an_interrupt_right_after_a_call_leaks_no_handle(model):
    made = []

    def create(pointer, *arguments):
        status = _raw.mixtral_session_create(pointer, *arguments)
        made.append(ctypes.cast(pointer, ctypes.POINTER(ctypes.c_void_p))[0])
        assert status == _raw.MIXTRAL_OK
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mixtral.Session(1024, (), create, model._handle, None)
    (handle,) = made
    assert _raw.mixtral_free(handle) == _raw.MIXTRAL_INVALID_HANDLE


def test_what_release_raises_comes_from_close(mixtral_tiny, unraised):
    class Careless:
        def __init__(self) -> None:
            self.memory = {}
            self.raises = False

        def allocate(self, size, alignment):
            memory = (ctypes.c_char * (size + alignment))()
            address = -(-ctypes.addressof(memory) // alignment) * alignment
            self.memory[address] = memory
            return address

        def release(self, address, size):
            del self.memory[address]
            if self.raises:
                raise TimedOut

    careless = Careless()
    model = mixtral.Model(mixtral_tiny, allocator=careless)
    session = model.session()
    careless.raises = True
    for one in (session, model):
        with pytest.raises(TimedOut):
            one.close()
        assert one.closed
    assert not careless.memory
    assert not unraised
    # Nothing is left over for the next call.
    with pytest.raises(mixtral.NotFoundError):
        mixtral.Model("/nowhere")
