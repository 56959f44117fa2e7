"""The law of one arithmetic: the bits of every logit are the same for every instruction set, thread
count, cut of the prompt, and company in the batch."""

from __future__ import annotations

import pathlib
import threading

import mixtral
import numpy
import pytest

from bits import LENGTH, digest, prompt, rows

FLAGS = {
    "avx2": {"avx2", "fma", "f16c"},
    "avxvnni": {"avx2", "fma", "f16c", "avx_vnni"},
    "avx512": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512_vnni"},
    "neon": {"asimd"},
    "dotprod": {"asimd", "asimddp"},
    "i8mm": {"asimd", "asimddp", "i8mm"},
}


def available() -> list[str]:
    """The instruction sets of this processor; each of them must load."""
    flags: set[str] = set()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("flags", "Features")):
            flags |= set(line.partition(":")[2].split())
    return ["reference", *(isa for isa, needed in FLAGS.items() if needed <= flags)]


@pytest.fixture(scope="module")
def expected(plain) -> numpy.ndarray:
    with plain.session() as session:
        return numpy.array(session.step_logits(prompt()))


@pytest.mark.parametrize("isa", ["reference", *FLAGS])
def test_same_bits_for_every_instruction_set(tiny, expected, isa):
    if isa not in available():
        with pytest.raises(mixtral.UnsupportedError):
            mixtral.Model(tiny, isa=isa)
        return
    with mixtral.Model(tiny, isa=isa, threads=2) as model, model.session() as session:
        assert model.info.isa == isa
        assert digest(session.step_logits(prompt())) == digest(expected)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_same_bits_for_every_thread_count(tiny, expected, threads):
    with mixtral.Model(tiny, threads=threads) as model, model.session() as session:
        assert model.info.threads == threads
        assert digest(session.step_logits(prompt())) == digest(expected)


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_same_bits_for_every_batch_size(tiny, expected, batch):
    with mixtral.Model(tiny, batch=batch) as model, model.session() as session:
        assert model.info.batch == batch
        assert digest(session.step_logits(prompt())) == digest(expected)


@pytest.mark.parametrize("step", [1, 7, 64, LENGTH])
def test_same_bits_for_every_cut(plain, expected, step):
    with plain.session() as session:
        assert digest(rows(session, prompt(), step)) == digest(expected)


def test_step_and_step_logits_agree(plain, expected):
    with plain.session() as session:
        for start in range(0, LENGTH, 23):
            part = prompt()[start : start + 23]
            assert digest(session.step(part)) == digest(expected[start + len(part) - 1])


@pytest.mark.parametrize("step", [1, 7, 64])
def test_same_bits_in_any_company(plain, expected, step):
    companions = [prompt(LENGTH, seed) for seed in (1, 2, 3)]
    sessions = [plain.session() for _ in range(4)]
    for start in range(0, LENGTH, step):
        ids = prompt()[start : start + step]
        others = [one[start // 2 : start // 2 + step + i] for i, one in enumerate(companions)]
        # Not always in the same place of the batch.
        order = [1, 0, 2, 3] if start % 2 else [3, 1, 0, 2]
        inputs = [ids, *others]
        errors = mixtral.step_many([sessions[i] for i in order], [inputs[i] for i in order])
        assert errors == [None] * 4
        assert digest(sessions[0].logits()) == digest(expected[start + len(ids) - 1])


def test_batch_equals_alone_for_every_member(plain):
    prompts = [prompt(length, seed=length) for length in (1, 2, 17, 64, 65, 130)]
    sessions = [plain.session() for _ in prompts]
    assert mixtral.step_many(sessions, prompts) == [None] * len(prompts)
    for session, ids in zip(sessions, prompts):
        with plain.session() as alone:
            assert digest(session.logits()) == digest(alone.step(ids))


def test_a_member_that_cannot_step_stops_no_other(plain):
    small = plain.session(context=4)
    good, bad = plain.session(), plain.session()
    good_ids = prompt(9)
    errors = mixtral.step_many([small, good, bad], [prompt(5), good_ids, [1, 1024]])
    assert isinstance(errors[0], mixtral.ContextFullError)
    assert errors[1] is None
    assert isinstance(errors[2], mixtral.InvalidArgumentError)
    assert (small.position, good.position, bad.position) == (0, 9, 0)
    with plain.session() as alone:
        assert digest(good.logits()) == digest(alone.step(good_ids))


def test_window_on_and_off(mistral_tiny):
    """A position sees at most `window` positions, itself included: up to there nothing differs."""
    ids = prompt(60)
    with mixtral.Model(mistral_tiny, sliding_window=-1) as model:
        assert model.info.sliding_window == 0
        everything = numpy.array(model.session().step_logits(ids))
    for window in (1, 15, 16, 17, 59, 60, 1000):
        with mixtral.Model(mistral_tiny, sliding_window=window) as model:
            assert model.info.sliding_window == window
            seen = numpy.array(model.session().step_logits(ids))
        same = [digest(one) == digest(other) for one, other in zip(seen, everything)]
        assert same == [position < window for position in range(len(ids))], window


def test_experts_used(mixtral_tiny):
    digests = set()
    for used in (1, 2, 8):
        with mixtral.Model(mixtral_tiny, experts_used=used) as model:
            assert model.info.experts_used == used
            digests.add(digest(model.session().step(prompt(10))))
    assert len(digests) == 3


def test_a_session_outlives_its_model(tiny, expected):
    model = mixtral.Model(tiny)
    session = model.session()
    model.close()
    with pytest.raises(mixtral.InvalidHandleError):
        model.tokenize("x")
    with pytest.raises(mixtral.InvalidHandleError):
        model.session()
    fork = session.fork()
    assert digest(session.step_logits(prompt())) == digest(expected)
    session.close()
    assert digest(fork.step_logits(prompt())) == digest(expected)
    fork.close()


def test_two_sessions_in_two_threads(plain, expected):
    found: dict[int, str] = {}

    def work(step: int) -> None:
        with plain.session() as session:
            found[step] = digest(rows(session, prompt(), step))

    threads = [threading.Thread(target=work, args=(step,)) for step in (3, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {3: digest(expected), 50: digest(expected)}
