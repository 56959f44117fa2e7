"""The cache in eight bits: the laws hold for it too, it takes about half the memory, and what the model
says hardly changes."""

from __future__ import annotations

import mixtral
import numpy
import pytest

from bits import LENGTH, digest, prompt, rows
from test_laws import available


@pytest.fixture(scope="module")
def expected(plain) -> numpy.ndarray:
    with plain.session(cache="q8_0") as session:
        return numpy.array(session.step_logits(prompt()))


def test_same_bits_for_every_instruction_set_and_thread_count(tiny, expected):
    for isa in available():
        for threads in (1, 3):
            with mixtral.Model(tiny, isa=isa, threads=threads) as model:
                found = model.session(cache="q8_0").step_logits(prompt())
                assert digest(found) == digest(expected), (isa, threads)


@pytest.mark.parametrize("step", [1, 7, 64])
def test_same_bits_for_every_cut(plain, expected, step):
    with plain.session(cache="q8_0") as session:
        assert digest(rows(session, prompt(), step)) == digest(expected)


def test_sessions_of_both_types_share_a_step(plain, expected):
    with plain.session() as session:
        half = numpy.array(session.step_logits(prompt()))
    small, large = plain.session(cache="q8_0"), plain.session()
    for start in range(0, LENGTH, 16):
        ids = prompt()[start : start + 16]
        assert mixtral.step_many([large, small], [ids, ids]) == [None, None]
        assert digest(small.logits()) == digest(expected[start + len(ids) - 1])
        assert digest(large.logits()) == digest(half[start + len(ids) - 1])


def test_forks_and_rewinding(plain, expected):
    with plain.session(cache="q8_0") as session:
        session.feed(prompt()[:70])
        fork = session.fork()
        session.feed(prompt(2, seed=5))
        session.rewind(70)
        for one in (fork, session):
            one.feed(prompt()[70:])
            assert digest(one.logits()) == digest(expected[-1])


def test_about_half_the_memory(plain):
    with plain.session() as large, plain.session(cache="q8_0") as small:
        for session in (large, small):
            session.feed(prompt())
        ratio = small.state.cache_size / large.state.cache_size
        # A byte and a 32nd of two bytes, against two bytes; a head narrower than a vector is padded.
        assert ratio <= 34 / 64 + 1e-9


def test_little_changes(plain, expected):
    """The distributions differ by less than a hundredth of a nat, and differ.

    The median: these models are untrained, and where two experts are nearly equal the choice flips.
    """
    with plain.session() as session:
        exact = numpy.array(session.step_logits(prompt()), dtype=numpy.float64)
    other = expected.astype(numpy.float64)

    def log_probabilities(logits):
        shifted = logits - logits.max(axis=-1, keepdims=True)
        return shifted - numpy.log(numpy.exp(shifted).sum(axis=-1, keepdims=True))

    p, q = log_probabilities(exact), log_probabilities(other)
    divergence = (numpy.exp(p) * (p - q)).sum(axis=-1)
    assert 0 < numpy.median(divergence) < 0.01


def test_an_unknown_type_is_refused(plain):
    with pytest.raises(ValueError, match="f16"):
        plain.session(cache="q3")
