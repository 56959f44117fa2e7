"""N06-N14, N20: what a sampler is asked for."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator

import gguf_writer as writer
import numpy
import pytest
from capi import assert_sentence, message, ok, sized
from mixtral import _raw
from mixtral._raw import (
    MIXTRAL_INVALID_ARGUMENT as ARGUMENT,
    MIXTRAL_LIMIT_EXCEEDED as LIMIT,
    MIXTRAL_NUMERIC as NUMERIC,
    MIXTRAL_OK as OK,
)
from unharmed import Stepping, loaded

pytestmark = pytest.mark.usefixtures("unharmed")

NAN, INFINITY = math.nan, math.inf
VOCABULARY = writer.SMALL.vocabulary
LARGEST = 2**32 - 1


@pytest.fixture
def session(save) -> Iterator[Stepping]:
    with Stepping(loaded(save(writer.model()))) as stepping:
        ok(stepping.step(1, 65, 66, 261))
        yield stepping


def biased(*entries: tuple[int, float]) -> dict[str, object]:
    bias = (_raw.mixtral_logit_bias * len(entries))(*entries)
    pointer = ctypes.cast(bias, ctypes.POINTER(_raw.mixtral_logit_bias))
    return {"bias": pointer, "bias_count": len(entries)}


def create(**fields: object) -> tuple[int, int | None]:
    handle = ctypes.c_void_p(1)
    options = sized(_raw.mixtral_sampler_options, **fields)
    status = _raw.mixtral_sampler_create(ctypes.byref(handle), ctypes.byref(options))
    return status, handle.value


def refused(status: int, *words: object, **fields: object) -> None:
    assert create(**fields) == (status, None)
    assert_sentence(message())
    for word in words:
        assert str(word) in message()


def sample(session: Stepping, sampler: int | None) -> tuple[int, int]:
    token = _raw.mixtral_token(-7)
    return _raw.mixtral_sample(ctypes.byref(token), session.session, sampler), token.value


def draws(session: Stepping, count: int = 20, **fields: object) -> list[int]:
    status, sampler = create(**fields)
    ok(status)
    drawn = [sample(session, sampler) for _ in range(count)]
    ok(_raw.mixtral_free(sampler))
    assert {status for status, _ in drawn} == {OK}
    return [token for _, token in drawn]


def best(session: Stepping) -> list[int]:
    """All tokens, the most likely first, the lower id first among equals."""
    logits = session.logits()
    return sorted(range(VOCABULARY), key=lambda one: (-logits[one], one))


def test_N06_temperature(session):
    for value in (NAN, -1.0, -1e-30, INFINITY, -INFINITY):
        refused(ARGUMENT, "temperature is", temperature=value)
    (greedy, *_) = best(session)
    for value in (0.0, -0.0, 1e-30, 1e-45):
        assert set(draws(session, temperature=value)) == {greedy}
    for value in (1e30, 3.4e38):
        assert len(set(draws(session, temperature=value))) > 10


def test_N07_top_k(session):
    order = best(session)
    for k in (1, 2, 5):
        assert set(draws(session, 60, temperature=1e30, top_k=k)) == set(order[:k])
    everything = draws(session, temperature=2.0)
    for k in (0, VOCABULARY, VOCABULARY + 1, 2**31, LARGEST):
        assert draws(session, temperature=2.0, top_k=k) == everything


def test_N08_top_p(session):
    for value in (NAN, -0.1, 1.1, INFINITY):
        refused(ARGUMENT, "top_p is", top_p=value)
    (greedy, *_) = best(session)
    everything = draws(session, temperature=2.0)
    assert set(draws(session, temperature=2.0, top_p=1e-30)) == {greedy}
    for value in (0.0, 1.0, 1 - 2.0**-24):
        assert draws(session, temperature=2.0, top_p=value) == everything


def test_N09_min_p_and_typical_p(session):
    for name in ("min_p", "typical_p"):
        for value in (NAN, -0.1, 1.1, INFINITY):
            refused(ARGUMENT, f"{name} is", **{name: value})
    (greedy, *_) = best(session)
    everything = draws(session, temperature=2.0)
    assert set(draws(session, temperature=2.0, min_p=1.0)) == {greedy}
    assert draws(session, temperature=2.0, min_p=0.0, typical_p=0.0) == everything
    assert draws(session, temperature=2.0, typical_p=1.0) == everything
    assert len(set(draws(session, temperature=2.0, typical_p=1e-30))) == 1


def test_N10_penalties(session):
    for value in (-1.0, NAN, INFINITY, -INFINITY):
        refused(ARGUMENT, "repetition_penalty is", repetition_penalty=value)
    for name in ("frequency_penalty", "presence_penalty"):
        for value in (NAN, 100.5, -100.5, INFINITY):
            refused(ARGUMENT, f"{name} is", "-100..100", **{name: value})
    everything = draws(session, temperature=2.0)
    for off in ({"repetition_penalty": 1.0}, {"repetition_penalty": 0.0}, {"penalty_window": 3}):
        assert draws(session, temperature=2.0, **off) == everything
    for value in (1e-45, 3.4e38):
        # However large, no number that is none comes of it.
        draws(session, temperature=2.0, repetition_penalty=value)


def test_N11_bias(session):
    for value in (NAN, INFINITY):
        refused(ARGUMENT, "bias[1].bias is", **biased((3, 1.0), (5, value)))
    refused(ARGUMENT, "bias[1].token is -1", **biased((3, 1.0), (-1, 0.0)))
    refused(ARGUMENT, "bias[2].token is 3, as in bias[0]", **biased((3, 1.0), (4, 1.0), (3, 2.0)))
    greedy, second, *_ = best(session)
    assert draws(session, 1, **biased((greedy, -INFINITY))) == [second]
    status, sampler = create(**biased((1, 0.0), (VOCABULARY, 1.0)))
    ok(status)
    assert sample(session, sampler) == (ARGUMENT, 0)
    assert f"bias[1].token is {VOCABULARY}" in message()
    ok(_raw.mixtral_free(sampler))


def test_N11_more_biases_than_a_vocabulary_can_have(session):
    most = 2**20
    entries = numpy.zeros(most, [("token", "i4"), ("bias", "f4")])
    entries["token"] = numpy.arange(most)
    pointer = entries.ctypes.data_as(ctypes.POINTER(_raw.mixtral_logit_bias))
    status, sampler = create(bias=pointer, bias_count=most)
    ok(status)
    ok(_raw.mixtral_free(sampler))
    # Refused by their number, before any of them is looked at.
    for count in (most + 1, 2**63, 2**64 - 1):
        refused(LIMIT, f"bias_count is {count}", most, bias=pointer, bias_count=count)


def test_N12_bias_bans_all(session):
    for temperature in (0.0, 1.0):
        entries = biased(*((index, -INFINITY) for index in range(VOCABULARY)))
        status, sampler = create(temperature=temperature, **entries)
        ok(status)
        assert sample(session, sampler) == (NUMERIC, 0)
        assert "every token is banned" in message()
        ok(_raw.mixtral_free(sampler))
        for value in (1e30, 3.4e38):
            assert set(draws(session, temperature=temperature, **biased((7, value)))) == {7}
        for value in (-1e30, -3.4e38):
            assert 7 not in draws(session, temperature=temperature, **biased((7, value)))


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_N13_seeds(save, session, seed):
    options = {"temperature": 1.5, "seed": seed}
    expected = draws(session, 40, **options)
    assert draws(session, 40, **options) == expected
    assert len(set(expected)) > 1
    for isa in (_raw.MIXTRAL_ISA_REFERENCE, _raw.MIXTRAL_ISA_AVX2):
        with Stepping(loaded(save(writer.model()), isa=isa)) as other:
            ok(other.step(1, 65, 66, 261))
            assert draws(other, 40, **options) == expected


def test_N20_report(session):
    for report, status in ((0, ARGUMENT), (1, OK), (VOCABULARY, OK)):
        made, sampler = create(report=report)
        ok(made)
        assert sample(session, sampler)[0] == OK
        count = ctypes.c_size_t(1)
        buffer = (_raw.mixtral_candidate * (VOCABULARY + 1))()
        arguments = (ctypes.byref(count), buffer, len(buffer), sampler)
        assert _raw.mixtral_sample_report(*arguments) == status
        assert count.value == (report + 1 if report else 0)
        if report:
            assert [one.token for one in buffer[1 : report + 1]] == best(session)[:report]
        ok(_raw.mixtral_free(sampler))
    for report in (VOCABULARY + 1, LARGEST):
        made, sampler = create(report=report)
        ok(made)
        assert sample(session, sampler) == (ARGUMENT, 0)
        assert f"report is {report}; allowed 0..{VOCABULARY}" in message()
        ok(_raw.mixtral_free(sampler))
