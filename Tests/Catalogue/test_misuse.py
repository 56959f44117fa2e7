"""A: what callers get wrong, as far as Tests/Boundary does not try it."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
import threading

import mixtral
import numpy
import pytest
from bits import digest, prompt
from capi import ARGUMENT, HANDLE, assert_sentence, ids, message, ok, sized
from mixtral import _raw
from process import MODELS, python


def test_A02_random_handles(random):
    """A hundred thousand of any 64 bits, and as many with the bits of a real one changed."""
    sampler = ctypes.c_void_p()
    ok(_raw.mixtral_sampler_create(ctypes.byref(sampler), None))
    strangers = random.integers(1, 2**64 - 1, 100_000, dtype=numpy.uint64)
    near = (sampler.value ^ one for one in random.integers(1, 2**53, 100_000, dtype=numpy.uint64))
    for stranger in (*strangers, *near):
        assert _raw.mixtral_free(int(stranger)) == HANDLE
    ok(_raw.mixtral_free(sampler))


# In a process of its own: a step that reads what it has written reads outside of the model.
OVERLAP = """
    import ctypes, sys
    from mixtral import _raw
    model, session = ctypes.c_void_p(), ctypes.c_void_p()
    assert _raw.mixtral_load(ctypes.byref(model), sys.argv[1].encode(), None) == 0
    assert _raw.mixtral_session_create(ctypes.byref(session), model, None) == 0
    count, vocabulary, written = 600, 1024, ctypes.c_size_t()
    floats = (ctypes.c_float * (count * vocabulary + count))()
    size = count * vocabulary

    def step(byte):
        tokens = (_raw.mixtral_token * count).from_buffer(floats, byte)
        tokens[:] = range(count)
        return _raw.mixtral_step_logits(
            ctypes.byref(written), floats, size, session, tokens, count)

    for byte in (0, 4, 4 * size // 2, 4 * (size - count), 4 * (size - 1)):
        print(step(byte))
    print(step(4 * size))
    """


def test_A10_logits_over_their_tokens(mixtral_tiny):
    """Refused wherever the two share a byte; side by side they are apart."""
    done = python(OVERLAP, mixtral_tiny)
    assert (done.returncode, done.stderr) == (0, "")
    assert [int(line) for line in done.stdout.split()] == [ARGUMENT] * 5 + [_raw.MIXTRAL_OK]


def test_A10_statuses_over_other_arrays(world):
    for argument in (0, 1):
        arguments = world.arguments("mixtral_step_many")
        before = bytes(arguments[argument])
        shared = ctypes.cast(arguments[argument], ctypes.POINTER(_raw.mixtral_status))
        arguments[3] = shared
        assert world.call("mixtral_step_many", arguments) == ARGUMENT
        assert_sentence(message())
        assert bytes(arguments[argument]) == before
    assert world.position() == 3


def test_A15_other_calls_in_a_callback_of_a_load(world):
    """A load may load: callbacks may call anything but what is running."""
    seen = []

    def progress(_done, _total, _user):
        model, count = ctypes.c_void_p(), ctypes.c_size_t()
        seen.append(_raw.mixtral_load(ctypes.byref(model), world.path, None))
        seen.append(_raw.mixtral_tokenize(ctypes.byref(count), None, 0, model, b"", 0, 0))
        seen.append(_raw.mixtral_step(world.session, ids(5), 1))
        seen.append(_raw.mixtral_free(model))
        return 0

    callback = _raw.progress_callback(progress)
    options = sized(_raw.mixtral_load_options, progress=callback)
    arguments = world.arguments("mixtral_load")
    arguments[2] = options
    assert world.call("mixtral_load", arguments) == _raw.MIXTRAL_OK, message()
    assert seen and set(seen) == {_raw.MIXTRAL_OK}


def test_A16_two_threads_step_one_session(host):
    """100,000 attempts: one wins each time, who does not is told so, and no step is lost."""
    (steps,) = host.run("contend", name="mistral-tiny")
    assert 0 < steps < 100_000


def test_A17_freed_during_steps(mixtral_tiny):
    """At as many moments as there are rounds: BUSY or freed, and whoever steps then has no handle."""
    with mixtral.Model(mixtral_tiny, threads=2) as model:
        for pause in range(100):
            session = ctypes.c_void_p()
            ok(_raw.mixtral_session_create(ctypes.byref(session), model._handle, None))
            statuses = []

            def step() -> None:
                status = _raw.MIXTRAL_OK
                while status in (_raw.MIXTRAL_OK, _raw.MIXTRAL_CONTEXT_FULL):
                    status = _raw.mixtral_step(session, ids(1, 5, 9), 3)
                statuses.append(status)

            thread = threading.Thread(target=step)
            thread.start()
            for _ in range(pause * 40):
                pass
            while (status := _raw.mixtral_free(session)) == _raw.MIXTRAL_BUSY:
                pass
            thread.join()
            assert status == _raw.MIXTRAL_OK
            # A handle found before, an object taken after: the one is gone, the other is taken.
            assert set(statuses) <= {HANDLE, _raw.MIXTRAL_BUSY}


def test_A22_a_user_pointer_without_a_callback(world):
    for name in ("mixtral_load", "mixtral_model_pack", "mixtral_sampler_create"):
        arguments = world.arguments(name)
        structure = type(_raw.__dict__[name].argtypes[-1]._type_())
        arguments[-1] = sized(structure, user=0x10)
        assert world.call(name, arguments) == _raw.MIXTRAL_OK, message()


def test_A23_a_callback_jumps_out(host):
    """Undefined in C, and yet: what was running stays BUSY, all else goes on."""
    host.run("jump")


def test_A23_a_callback_of_ctypes_raises(world, monkeypatch):
    """ctypes reports it and answers whatever it likes: the call goes on, or is cancelled."""
    raised = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: raised.append(one.exc_type))

    def filter(_logits, _count, _user):
        raise RuntimeError("mine")

    callback = _raw.filter_callback(filter)
    sampler, token = ctypes.c_void_p(), _raw.mixtral_token(-1)
    options = sized(_raw.mixtral_sampler_options, filter=callback)
    ok(_raw.mixtral_sampler_create(ctypes.byref(sampler), ctypes.byref(options)))
    status = _raw.mixtral_sample(ctypes.byref(token), world.session, sampler)
    assert status in (_raw.MIXTRAL_OK, _raw.MIXTRAL_CANCELLED)
    assert raised == [RuntimeError]
    ok(_raw.mixtral_sample(ctypes.byref(token), world.session, None))
    ok(_raw.mixtral_free(sampler))


def samplers() -> list[ctypes.c_void_p]:
    """As many as there may be."""
    made = []
    while True:
        handle = ctypes.c_void_p()
        status = _raw.mixtral_sampler_create(ctypes.byref(handle), None)
        if status != _raw.MIXTRAL_OK:
            assert status == _raw.MIXTRAL_LIMIT_EXCEEDED
            assert "65535" in message()
            return made
        made.append(handle)


def test_A25_the_last_handle():
    """65,535 live at once; one that is freed makes room for one."""
    first = samplers()
    assert 65_000 < len(first) <= 65_535
    ok(_raw.mixtral_free(first.pop()))
    (again,) = samplers()
    for handle in (*first, again):
        ok(_raw.mixtral_free(handle))
    second = samplers()
    assert len(second) == len(first) + 1
    for handle in second:
        ok(_raw.mixtral_free(handle))


def test_A27_cancelled_at_many_moments(mixtral_tiny):
    """A cancelled step has never been; whenever it was, the session goes on with the right bits."""
    tokens = prompt(300)
    with mixtral.Model(mixtral_tiny, threads=2) as model, model.session() as session:
        with model.session() as alone:
            alone.feed(tokens[:50])
            before = alone.save()
            expected = digest(alone.step(tokens[50:]))
        session.load(before)
        cancelled = 0
        for pause in range(0, 300, 3):
            outcomes = []

            def work() -> None:
                try:
                    outcomes.append(digest(session.step(tokens[50:])))
                except mixtral.CancelledError:
                    outcomes.append(None)

            thread = threading.Thread(target=work)
            thread.start()
            for _ in range(pause * 30):
                pass
            session.cancel()
            thread.join()
            if outcomes == [None]:
                cancelled += 1
                assert session.position == 50
                assert digest(session.step(tokens[50:])) == expected
            assert outcomes[0] in (None, expected)
            session.load(before)
        assert cancelled > 0


def opened(path: os.PathLike[str]) -> list[int]:
    """This process's descriptors of a file."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.path.samefile(f"/proc/self/fd/{name}", path):
                found.append(int(name))
        except FileNotFoundError:
            pass
    return found


@pytest.mark.parametrize("way", ["load", "pack"])
def test_A28_the_host_closes_our_descriptor(mixtral_tiny, tmp_path, way):
    closed = []

    def close(done: int, total: int) -> None:
        for descriptor in opened(mixtral_tiny):
            os.close(descriptor)
            closed.append(descriptor)

    with pytest.raises(mixtral.InputOutputError, match="errno 9|EBADF"):
        if way == "load":
            mixtral.Model(mixtral_tiny, progress=close)
        else:
            mixtral.pack(mixtral_tiny, tmp_path / "packed", progress=close)
    assert len(closed) == 1
    assert not os.listdir(tmp_path)


def test_A28_the_host_closes_the_descriptor_of_a_mapped_file(mixtral_tiny, tmp_path):
    path = tmp_path / "packed"
    mixtral.pack(mixtral_tiny, path)
    with mixtral.Model(path, map=True) as model, model.session() as session:
        expected = digest(session.step([1, 2, 3]))
        for descriptor in opened(path):
            os.close(descriptor)
        with pytest.raises(mixtral.InputOutputError):
            session.feed([4])
        assert session.position == 3
        assert digest(session.logits()) == expected


@pytest.mark.parametrize("name", MODELS)
def test_A29_the_callers_stack_is_small(host, name):
    """A thread of 64 KiB is enough for every call, and half of it too; the first ones need no more than others."""
    host.run("little-stack", name=name)
    first, later = host.run("stack", name=name)
    print(f"first calls {first} bytes of stack, later ones {later}")
    assert max(first, later) < 32 * 1024


def test_A29_a_small_limit_on_stacks(host):
    """Of the first thread too, and of those whose size nobody gives."""
    limit = (192 * 1024, 192 * 1024)
    host.run("all", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, limit))
