"""The promises of a session about its state: forks, rewinding, memory, threads, cancelling."""

from __future__ import annotations

import math
import threading

import mixtral
import numpy
import pytest

from bits import LENGTH, digest, prompt


@pytest.fixture(scope="module")
def expected(plain) -> numpy.ndarray:
    with plain.session() as session:
        return numpy.array(session.step_logits(prompt()))


def test_fork_equals_the_original(plain, expected):
    half = LENGTH // 2 + 3
    with plain.session() as session:
        session.feed(prompt()[:half])
        fork = session.fork()
        assert fork.position == half
        assert digest(fork.logits()) == digest(session.logits()) == digest(expected[half - 1])
        # Each writes its own future, in turns, into what they shared.
        other = prompt(LENGTH, seed=99)[half:]
        for start in range(0, LENGTH - half, 10):
            fork.feed(other[start : start + 10])
            session.feed(prompt()[half + start : half + start + 10])
        assert digest(session.logits()) == digest(expected[-1])
        session.close()
        with plain.session() as alone:
            assert digest(fork.logits()) == digest(alone.step(prompt()[:half] + other))


def test_rewind_and_replay(model):
    ids = prompt()
    with model.session() as session:
        first = digest(session.step_logits(ids))
        whole = numpy.array(session.logits())
        for position in (LENGTH - 1, 129, 128, 127, 64, 1, 0):
            session.rewind(position)
            assert session.position == position
            with pytest.raises(mixtral.InvalidArgumentError):
                session.logits()
            assert digest(session.step(ids[position:])) == digest(whole)
        session.rewind(0)
        assert digest(session.step_logits(ids)) == first


def test_rewind_after_a_fork_leaves_the_fork(model):
    ids = prompt()
    with model.session() as session:
        session.feed(ids[:100])
        fork = session.fork()
        session.rewind(70)
        session.feed(prompt(LENGTH, seed=5)[:60])
        with model.session() as alone:
            assert digest(fork.step(ids[100:])) == digest(alone.step(ids))


def test_rewind_with_a_window(windowed):
    ids = prompt()
    with windowed.session() as session:
        last = digest(session.step(ids))
        session.rewind(0)
        assert digest(session.step(ids)) == last
        session.feed(prompt(600, seed=3))
        state = session.state
        assert state.first_position > 0
        with pytest.raises(mixtral.InvalidArgumentError):
            session.rewind(1)
        assert session.position == state.position
        session.rewind(state.position - 1)
        assert digest(session.step(prompt(600, seed=3)[-1:])) == digest(
            windowed.session().step(ids + prompt(600, seed=3))
        )


def test_cache_grows_by_pages(model):
    page = 64 * model.info.cache_size_per_position
    with model.session() as session:
        assert session.state == mixtral.SessionState(model.info.context_length, 0, 0, 0)
        for count in (1, 62, 1, 1, 63, 1, 200):
            session.feed(prompt(count))
            state = session.state
            assert state.first_position == 0
            assert state.cache_size == math.ceil(state.position / 64) * page
        session.rewind(1)
        assert session.state.cache_size <= math.ceil(329 / 64) * page


def test_cache_of_a_window_stays_small(mistral_tiny):
    batch = 64
    with mixtral.Model(mistral_tiny, batch=batch) as model, model.session() as session:
        page = 64 * model.info.cache_size_per_position
        most = (math.ceil((model.info.sliding_window + batch) / 64) + 1) * page
        for _ in range(10):
            session.feed(prompt(100))
            assert session.state.cache_size <= most
        assert session.state.first_position > 0


def test_context_exactly_full(plain, expected):
    with plain.session(context=LENGTH) as session:
        assert digest(session.step_logits(prompt())) == digest(expected)
        with pytest.raises(mixtral.ContextFullError):
            session.feed([1])
        assert session.position == LENGTH
        assert digest(session.logits()) == digest(expected[-1])


def test_A16_one_session_in_two_threads_is_busy(plain, expected):
    """The thread that comes second is told so; what was stepped is right."""
    ids = prompt(600, seed=4)
    with plain.session() as session, plain.session() as alone:
        right = digest(alone.step(ids))
        done = threading.Event()
        busy = []

        def disturb() -> None:
            while not done.is_set():
                try:
                    assert session.position in (0, len(ids))
                except mixtral.BusyError as error:
                    busy.append(error)

        thread = threading.Thread(target=disturb)
        thread.start()
        for _ in range(1000):
            retry(lambda: session.rewind(0))
            retry(lambda: session.feed(ids))
            if busy:
                break
        done.set()
        thread.join()
        assert busy
        assert digest(session.logits()) == right


def retry(call) -> None:
    """Again while the other thread is in a call."""
    while True:
        try:
            call()
        except mixtral.BusyError:
            continue
        return


def test_A17_free_while_a_step_runs_is_busy(model):
    ids = prompt(900, seed=4)
    session = model.session()
    refusals: list[mixtral.BusyError] = []
    running = threading.Event()

    def work() -> None:
        try:
            while not refusals:
                running.set()
                session.rewind(0)
                session.feed(ids)
        except mixtral.InvalidHandleError:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    running.wait()
    while not refusals:
        try:
            session.close()
            break
        except mixtral.BusyError as error:
            refusals.append(error)
    thread.join()
    assert refusals or session.closed
    session.close()
    assert session.closed


def test_A27_cancel_from_another_thread(mixtral_tiny):
    """The cancelled step leaves the session as it was; going on gives the right bits."""
    ids = prompt(900, seed=4)
    with mixtral.Model(mixtral_tiny, isa="reference") as model, model.session() as session:
        head, tail = ids[:100], ids[100:]
        session.feed(head)
        outcomes = []

        def work() -> None:
            try:
                session.feed(tail)
            except mixtral.MixtralError as error:
                outcomes.append(error)

        for _ in range(100):
            thread = threading.Thread(target=work)
            thread.start()
            while thread.is_alive():
                session.cancel()
            thread.join()
            if outcomes:
                break
            session.rewind(len(head))
        assert len(outcomes) == 1
        assert isinstance(outcomes[0], mixtral.CancelledError)
        assert session.position == len(head)
        with model.session() as alone:
            assert digest(session.step(tail)) == digest(alone.step(ids))
        # Nothing runs: nothing happens.
        session.cancel()
        session.feed([1])


def test_A15_step_in_a_callback(model):
    with model.session() as session, model.session() as other:
        session.feed([1, 5])

        def busy(_logits) -> None:
            session.feed([2])

        with pytest.raises(mixtral.BusyError):
            session.sample(filter=busy)
        assert session.position == 2

        def elsewhere(_logits) -> None:
            other.feed([2])

        session.sample(filter=elsewhere)
        assert other.position == 1
