"""Draws for many sessions together are the draws of each alone."""

from __future__ import annotations

import ctypes
import threading

import mixtral
import numpy
import pytest
from capi import GARBAGE, ok
from mixtral import _raw

OPTIONS = [
    {},
    {"temperature": 1.0},
    {"temperature": 0.7, "top_p": 0.8},
    {"temperature": 1.3, "typical_p": 0.5, "report": 4},
    {"temperature": 2.0, "top_k": 9, "min_p": 0.05},
    {"temperature": 1.0, "repetition_penalty": 1.4, "logit_bias": {7: 3.0}},
]


@pytest.fixture(scope="module", params=[1, 3])
def model(request, mixtral_tiny):
    with mixtral.Model(mixtral_tiny, threads=request.param) as model:
        yield model


def sessions_of(model, count: int) -> list[mixtral.Session]:
    sessions = [model.session(context=64) for _ in range(count)]
    for index, session in enumerate(sessions):
        session.feed([1, 5 + index, 900 - 3 * index])
    return sessions


def test_every_session_gets_the_token_that_it_would_get_alone(model):
    sessions = sessions_of(model, 12)
    many = [mixtral.Sampler(seed=i, **OPTIONS[i % len(OPTIONS)]) for i in range(12)]
    alone = [mixtral.Sampler(seed=i, **OPTIONS[i % len(OPTIONS)]) for i in range(12)]
    drawn = set()
    for _ in range(20):
        tokens = mixtral.sample_many(sessions, many)
        assert tokens == [one.sample(sampler) for one, sampler in zip(sessions, alone)]
        drawn.update(tokens)
        for index in range(3, 12, len(OPTIONS)):
            assert many[index].report() == alone[index].report()
        assert mixtral.step_many(sessions, [[token] for token in tokens]) == [None] * 12
    assert len(drawn) > 50
    assert mixtral.sample_many(sessions) == [one.sample() for one in sessions]
    assert mixtral.sample_many(sessions, [None] * 12) == [one.sample() for one in sessions]


def test_one_that_cannot_draw_stops_no_other(model):
    good, empty, biased = sessions_of(model, 1)[0], model.session(), sessions_of(model, 1)[0]
    beyond = mixtral.Sampler(logit_bias={1024: 1.0})
    results = mixtral.sample_many([empty, good, biased], [None, None, beyond])
    assert isinstance(results[0], mixtral.InvalidArgumentError)
    assert str(results[0]) == "sessions[0]: session has no logits; step it first"
    assert results[1] == good.sample()
    assert isinstance(results[2], mixtral.InvalidArgumentError)
    # Nothing is kept of the call.
    assert mixtral.sample_many([good, biased]) == [good.sample(), biased.sample()]


def test_filters_run_on_the_calling_thread_and_may_use_everything_else(model):
    sessions = sessions_of(model, 4)
    other = sessions_of(model, 1)[0]
    threads = []

    def forty_two(logits) -> None:
        threads.append(threading.get_ident())
        # A pass of another session, and what the call holds.
        other.rewind(0)
        other.feed([1, 2])
        for busy in sessions:
            with pytest.raises(mixtral.BusyError):
                busy.sample()
        logits[:] = numpy.full(len(logits), -numpy.inf)
        logits[42] = 0.0

    filtered = [mixtral.Sampler(filter=forty_two) if i % 2 else None for i in range(4)]
    tokens = mixtral.sample_many(sessions, filtered)
    assert tokens == [sessions[0].sample(), 42, sessions[2].sample(), 42]
    assert threads == [threading.get_ident()] * 2


def test_what_a_filter_raises_is_the_result_of_its_session(model):
    def refuse(_logits) -> None:
        raise KeyError("no")

    sessions = sessions_of(model, 3)
    samplers = [None, mixtral.Sampler(filter=refuse), mixtral.Sampler(filter=lambda _: True)]
    results = mixtral.sample_many(sessions, samplers)
    assert results[0] == sessions[0].sample()
    assert isinstance(results[1], KeyError)
    assert isinstance(results[2], mixtral.CancelledError)

    def interrupt(_logits) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mixtral.sample_many(sessions, [mixtral.Sampler(filter=interrupt), None, None])


def test_what_is_given_twice_or_belongs_elsewhere_is_refused(model, mistral_tiny):
    one, two = sessions_of(model, 2)
    sampler = mixtral.Sampler(temperature=1.0, seed=3)
    with pytest.raises(
        mixtral.InvalidArgumentError, match=r"sessions\[1\]: session is given twice"
    ):
        mixtral.sample_many([one, one])
    with pytest.raises(
        mixtral.InvalidArgumentError, match=r"sessions\[1\]: its sampler is given twice"
    ):
        mixtral.sample_many([one, two], [sampler, sampler])
    with mixtral.Model(mistral_tiny) as stranger, stranger.session() as session:
        session.feed([1])
        with pytest.raises(mixtral.InvalidArgumentError, match="another model"):
            mixtral.sample_many([one, session])
    with pytest.raises(ValueError, match="2 sessions, but 1 samplers"):
        mixtral.sample_many([one, two], [sampler])
    with pytest.raises(mixtral.InvalidArgumentError, match="count is 0; allowed 1..4096"):
        mixtral.sample_many([])
    # Nobody has drawn: the sampler stands at its first number.
    assert one.sample(sampler) == one.sample(mixtral.Sampler(temperature=1.0, seed=3))


def test_statuses_and_tokens_of_the_c_call(model):
    sessions = sessions_of(model, 3)
    freed = mixtral.Sampler()
    stale = freed._handle
    freed.close()
    handles = (ctypes.c_void_p * 3)(*(one._handle for one in sessions))
    samplers = (ctypes.c_void_p * 3)(None, stale, None)
    tokens = (_raw.mixtral_token * 3)(*[GARBAGE & 0xFFFF] * 3)
    statuses = (_raw.mixtral_status * 3)(*[99] * 3)
    status = _raw.mixtral_sample_many(tokens, handles, samplers, 3, statuses)
    assert status == _raw.MIXTRAL_INVALID_HANDLE
    assert list(statuses) == [0, _raw.MIXTRAL_INVALID_HANDLE, 0]
    assert list(tokens) == [sessions[0].sample(), 0, sessions[2].sample()]
    # Without statuses, and all greedy.
    ok(_raw.mixtral_sample_many(tokens, handles, None, 3, None))
    assert list(tokens) == [one.sample() for one in sessions]
    # Results over what is read at the same time.
    shared = ctypes.cast(handles, ctypes.POINTER(_raw.mixtral_token))
    assert _raw.mixtral_sample_many(shared, handles, None, 3, None) == (
        _raw.MIXTRAL_INVALID_ARGUMENT
    )
    assert _raw.mixtral_sample_many(tokens, handles, None, 3, tokens) == (
        _raw.MIXTRAL_INVALID_ARGUMENT
    )


def test_draws_beside_passes_of_other_threads(model):
    """Whose turn it is changes no token."""
    sessions = sessions_of(model, 6)
    expected = [one.sample() for one in sessions]
    stop = threading.Event()

    def step() -> None:
        with model.session(context=64) as session:
            while not stop.is_set():
                session.rewind(0)
                session.feed(list(range(1, 33)))

    thread = threading.Thread(target=step)
    thread.start()
    try:
        for _ in range(200):
            assert mixtral.sample_many(sessions) == expected
    finally:
        stop.set()
        thread.join()
