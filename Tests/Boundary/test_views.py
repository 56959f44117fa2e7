"""Arrays between Python and C: none that Python hands out outlives its memory, and none that a call was given
changes under it."""

from __future__ import annotations

import array
import gc
import threading

import mixtral
import numpy
import pytest
from mixtral import _raw, _session

import child

PROGRAM_WITHOUT_NUMPY = """
import sys; sys.modules["numpy"] = None
import array, gc, mixtral
kept = []
with mixtral.Model(sys.argv[1], threads=1) as model, model.session() as session:
    session.feed([1])
    before = session.logits()
    assert session.sample(filter=kept.append) == session.sample()
    for change in (lambda l: l.append(0.0), lambda l: l.pop(), lambda l: l.clear() if 0 else l.__delitem__(slice(0, 9))):
        try:
            session.sample(filter=lambda logits: [change(logits), None][1])
        except mixtral.InvalidArgumentError as error:
            assert "allowed 4096" in str(error), error
        else:
            raise AssertionError("another length was taken")
gc.collect()
victims = [array.array("f", bytes(4096)) for _ in range(99)]
assert isinstance(kept[0], array.array) and kept[0] == before
kept[0][:] = array.array("f", [1.0] * 1024)
assert not any(map(any, victims))
"""


def owner(view):
    """The owner of the memory that an array shows."""
    while isinstance(view, numpy.ndarray) and view.base is not None:
        view = view.base
    return view


def test_what_a_filter_keeps_is_its_own(mixtral_tiny):
    kept = []

    def keep(logits):
        kept.append((logits, logits[:9], memoryview(logits), logits.copy()))

    with mixtral.Model(mixtral_tiny, threads=1) as model, model.session() as session:
        expected = session.step([1, 2])
        for _ in range(4):
            with mixtral.Sampler(temperature=1.0, filter=keep) as sampler:
                session.sample(sampler)
        assert session.logits().tobytes() == expected.tobytes()
    gc.collect()
    for logits, part, view, copy in kept:
        assert owner(logits).flags.owndata
        assert logits.tobytes() == view.tobytes() == copy.tobytes() == expected.tobytes()
        logits[:] = 7
        assert (part == 7).all()
    assert len({logits.ctypes.data for logits, *_ in kept}) == len(kept)


def test_all_arrays_own_their_memory(model):
    with model.session() as session:
        arrays = [session.step([1, 2]), session.logits(), session.step_logits([3, 4])]
        session.sample(filter=arrays.append)
        for one in arrays:
            assert owner(one).flags.owndata
        contents = [one.tobytes() for one in arrays]
        session.feed([5] * 40)
    gc.collect()
    assert [one.tobytes() for one in arrays] == contents


def test_a_filter_that_leaves_another_shape(model):
    with model.session() as session:
        before = session.step([1])

        def shorter(logits):
            logits.resize(5, refcheck=False)

        with pytest.raises(mixtral.InvalidArgumentError, match="20 bytes; allowed 4096"):
            session.sample(filter=shorter)

        def locked(logits):
            logits[9] = 1000
            logits.flags.writeable = False

        assert session.sample(filter=locked) == 9

        assert session.logits().tobytes() == before.tobytes()


def test_without_numpy(mixtral_tiny):
    run = child.python("-c", PROGRAM_WITHOUT_NUMPY, mixtral_tiny)
    assert (run.returncode, run.stderr) == (0, "")


def test_ids_are_copied_before_a_call(model, monkeypatch):
    """Another thread may write to the array while the step runs without Python's lock."""
    ids = array.array("i", [5] * 20)
    places = []

    def remember(function):
        def call(*arguments):
            places.extend(id(one) for one in arguments)
            return function(*arguments)

        return call

    monkeypatch.setattr(_session, "c_tokens", remember(_session.c_tokens))
    with model.session() as session:
        session.feed(ids)
        session.step_logits(ids)
        mixtral.step_many([session], [ids])
        # A step that had a view of it would have kept it from growing.
        ids.extend([1])
        assert session.position == 60
    assert len(places) == 3
    assert id(ids) not in places


def test_ids_that_change_during_a_step(mixtral_tiny):
    ids = array.array("i", [5] * 60)
    ended = threading.Event()

    def change():
        while not ended.is_set():
            ids[59] = 2**31 - 1
            ids[59] = 5

    with mixtral.Model(mixtral_tiny, threads=1, batch=1) as model, model.session() as session:
        expected = session.step([5] * 60).tobytes()
        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(20):
                session.rewind(0)
                try:
                    session.feed(ids)
                except mixtral.InvalidArgumentError:
                    continue
                assert session.logits().tobytes() == expected
        finally:
            ended.set()
            thread.join()


def test_a_state_is_bytes(model):
    with model.session() as session:
        session.feed([1, 2, 3])
        expected = session.logits().tobytes()
        state = session.save()
        for one in (state, bytearray(state), memoryview(state)):
            session.rewind(0)
            session.load(one)
            assert session.logits().tobytes() == expected
        for wrong in ("state" * 100, 4096, None, [1, 2]):
            with pytest.raises(TypeError, match="state must be bytes"):
                session.load(wrong)
        assert session.position == 3


def test_a_report_is_a_copy(model):
    with model.session() as session, mixtral.Sampler(report=3) as sampler:
        session.feed([1])
        session.sample(sampler)
        report = sampler.report()
        before = [tuple(one) for one in report]
        session.feed([2])
        session.sample(sampler)
        assert [tuple(one) for one in report] == before
    assert _raw.mixtral_free(sampler._handle) == _raw.MIXTRAL_INVALID_HANDLE
