"""Callbacks, threads and handles: who may call what, and when things end."""

from __future__ import annotations

import ctypes
import os
import pathlib
import threading

import mixtral
import pytest
from mixtral import _raw

from capi import ARGUMENT, GARBAGE, HANDLE, assert_sentence, ids, message, ok, sized


def test_A15_calls_inside_a_callback(world):
    other = world.new_session()
    ok(_raw.mixtral_step(other, ids(1), 1))
    seen = []

    def filter(_logits, _count, _user):
        position = ctypes.c_uint64()
        token = _raw.mixtral_token()
        seen.extend(
            [
                _raw.mixtral_step(world.session, ids(1), 1),
                _raw.mixtral_session_position(ctypes.byref(position), world.session),
                _raw.mixtral_session_rewind(world.session, 0),
                _raw.mixtral_free(world.session),
                _raw.mixtral_free(sampler),
                _raw.mixtral_sample(ctypes.byref(token), other, sampler),
                _raw.mixtral_step(other, ids(1), 1),
                _raw.mixtral_sample(ctypes.byref(token), other, None),
            ]
        )
        return 0

    callback = _raw.filter_callback(filter)
    sampler = ctypes.c_void_p()
    options = sized(_raw.mixtral_sampler_options, filter=callback)
    ok(_raw.mixtral_sampler_create(ctypes.byref(sampler), ctypes.byref(options)))
    token = _raw.mixtral_token()
    ok(_raw.mixtral_sample(ctypes.byref(token), world.session, sampler))
    assert seen == [_raw.MIXTRAL_BUSY] * 6 + [_raw.MIXTRAL_OK] * 2
    assert world.position() == 3
    ok(_raw.mixtral_free(sampler))
    ok(_raw.mixtral_free(other))


def test_A15_a_callback_stops_the_call(world):
    callback = _raw.filter_callback(lambda _logits, _count, _user: 1)
    options = sized(_raw.mixtral_sampler_options, filter=callback)
    sampler = ctypes.c_void_p()
    ok(_raw.mixtral_sampler_create(ctypes.byref(sampler), ctypes.byref(options)))
    token = _raw.mixtral_token(GARBAGE)
    status = _raw.mixtral_sample(ctypes.byref(token), world.session, sampler)
    assert status == _raw.MIXTRAL_CANCELLED
    assert token.value == 0
    ok(_raw.mixtral_free(sampler))
    progress = _raw.progress_callback(lambda _done, _total, _user: 1)
    handle = ctypes.c_void_p(GARBAGE)
    loading = sized(_raw.mixtral_load_options, progress=progress)
    status = _raw.mixtral_load(ctypes.byref(handle), world.path, ctypes.byref(loading))
    assert status == _raw.MIXTRAL_CANCELLED
    assert handle.value is None


def test_A18_a_freed_model_lives_on_unseen(world):
    model, session = ctypes.c_void_p(), ctypes.c_void_p()
    ok(_raw.mixtral_load(ctypes.byref(model), world.path, None))
    ok(_raw.mixtral_session_create(ctypes.byref(session), model, None))
    ok(_raw.mixtral_free(model))
    info = sized(_raw.mixtral_info)
    assert _raw.mixtral_model_info(model, ctypes.byref(info)) == HANDLE
    ok(_raw.mixtral_step(session, ids(1, 5, 9), 3))
    ok(_raw.mixtral_free(session))


def test_A19_many_sessions_freed_in_any_order_on_any_thread(world, random):
    sessions = [world.new_session() for _ in range(200)]
    random.shuffle(sessions)
    statuses = []
    threads = [
        threading.Thread(target=lambda part=part: statuses.extend(map(_raw.mixtral_free, part)))
        for part in (sessions[i::4] for i in range(4))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [_raw.MIXTRAL_OK] * 200


def test_A20_the_sentence_belongs_to_the_thread(world):
    assert _raw.mixtral_step(world.session, None, 1) == ARGUMENT
    mine = message()
    found = []
    thread = threading.Thread(target=lambda: found.append(message()))
    thread.start()
    thread.join()
    assert found == [""]
    assert message() == mine
    ok(_raw.mixtral_free(None))
    assert message() == mine


def test_A25_too_many_handles(world):
    handles = []
    status = _raw.MIXTRAL_OK
    while status == _raw.MIXTRAL_OK and len(handles) <= 65536:
        handle = ctypes.c_void_p()
        status = _raw.mixtral_sampler_create(ctypes.byref(handle), None)
        if status == _raw.MIXTRAL_OK:
            handles.append(handle)
    text = message()
    for one in handles:
        ok(_raw.mixtral_free(one))
    assert status == _raw.MIXTRAL_LIMIT_EXCEEDED
    assert_sentence(text)


def test_A30_another_thread_frees(world):
    session = world.new_session()
    ok(_raw.mixtral_step(session, ids(1), 1))
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(_raw.mixtral_free(session)))
    thread.start()
    thread.join()
    assert statuses == [_raw.MIXTRAL_OK]


def only_load(model: mixtral.Model) -> None:
    model.close()


def model_first(model: mixtral.Model) -> None:
    session = model.session()
    session.feed([1, 5, 9])
    fork = session.fork()
    model.close()
    session.close()
    fork.feed([1])
    fork.close()


def model_last(model: mixtral.Model) -> None:
    sessions = [model.session(), model.session()]
    mixtral.step_many(sessions, [[1, 5], [9]])
    for session in sessions:
        session.close()
    model.close()


@pytest.mark.parametrize("life", [only_load, model_first, model_last])
@pytest.mark.parametrize("threads", [1, 3])
def test_L01_freeing_gives_everything_back(mixtral_tiny, life, threads):
    """No thread, no file and no model's memory is left, whatever is freed first."""

    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

    def resident() -> int:
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def settled(wanted: tuple[int, int] = (0, 0)) -> tuple[int, int]:
        """The fewest seen: a joined thread is listed until the system has taken it out."""
        fewest = held()
        for _ in range(2000):
            if fewest <= wanted:
                break
            os.sched_yield()
            fewest = min(fewest, held())
        return fewest

    life(mixtral.Model(mixtral_tiny, threads=threads))
    before, memory = settled(), resident()
    model = mixtral.Model(mixtral_tiny, threads=threads)
    size = model.info.weight_size
    life(model)
    for _ in range(30):
        life(mixtral.Model(mixtral_tiny, threads=threads))
        assert settled(before) == before
    # Fewer than three of thirty models, what an allocator may keep.
    assert resident() - memory < 3 * size
