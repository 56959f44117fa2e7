"""The Python package: lifetimes, callbacks, exceptions."""

from __future__ import annotations

import array
import gc
import itertools
import signal
import threading
import weakref

import mixtral
import numpy
import pytest

import child


def test_exceptions_are_builtins_too():
    for kind, builtin in (
        (mixtral.InvalidArgumentError, ValueError),
        (mixtral.InvalidHandleError, ValueError),
        (mixtral.NotFoundError, FileNotFoundError),
        (mixtral.NotFoundError, LookupError),
        (mixtral.InputOutputError, OSError),
        (mixtral.MalformedError, ValueError),
        (mixtral.UnsupportedError, NotImplementedError),
        (mixtral.OutOfMemoryError, MemoryError),
        (mixtral.BusyError, RuntimeError),
        (mixtral.ChangedError, OSError),
        (mixtral.NumericError, ArithmeticError),
    ):
        error = kind("the sentence")
        assert isinstance(error, builtin)
        assert isinstance(error, mixtral.MixtralError)
        assert str(error) == "the sentence"
        assert error.status == kind.status


def test_the_text_is_the_librarys(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(mixtral.NotFoundError, match="missing.gguf") as caught:
        mixtral.Model("missing.gguf")
    assert caught.value.status == 3


def test_closing(mixtral_tiny):
    model = mixtral.Model(mixtral_tiny)
    session, sampler, detokenizer = model.session(), mixtral.Sampler(), model.detokenizer()
    session.feed([1])
    for one in (model, sampler, detokenizer, session):
        assert not one.closed
        one.close()
        one.close()
        assert one.closed
    for call in (
        lambda: model.tokenize("x"),
        lambda: model.generate("x"),
        lambda: detokenizer.next([1]),
        lambda: session.feed([1]),
        lambda: session.position,
        lambda: session.sample(),
        session.logits,
        session.fork,
        session.cancel,
        sampler.report,
        lambda: session.sample(temperature=1.0),
    ):
        with pytest.raises(mixtral.InvalidHandleError):
            call()
    assert model.info.vocabulary == 1024


def test_a_closed_sampler_is_not_the_greedy_one(model):
    sampler = mixtral.Sampler(temperature=1.0)
    sampler.close()
    with model.session() as session:
        session.feed([1])
        with pytest.raises(mixtral.InvalidHandleError):
            session.sample(sampler)


def test_objects_are_collected_in_any_order(mixtral_tiny):
    for order in itertools.permutations(range(3)):
        model = mixtral.Model(mixtral_tiny)
        objects = [model, model.session(), model.detokenizer()]
        del model
        watched = [weakref.ref(one) for one in objects]
        for index in order:
            objects[index] = None
            gc.collect()
            assert watched[index]() is None


def test_a_callback_holds_nothing_alive(model):
    sampler = mixtral.Sampler(filter=lambda logits: None)
    watched = weakref.ref(sampler)
    gc.disable()
    try:
        del sampler
        assert watched() is None
    finally:
        gc.enable()


def test_exit_with_live_objects_is_quiet(mixtral_tiny):
    program = (
        "import mixtral, sys\n"
        "model = mixtral.Model(sys.argv[1])\n"
        "session = model.session(); session.feed([1, 2])\n"
        "sampler = mixtral.Sampler(filter=lambda logits: None); session.sample(sampler)\n"
        "pieces = model.generate('abc', max_tokens=9); next(pieces, None)\n"
        "cycle = [session]; cycle.append(cycle)\n"
    )
    run = child.python("-X", "dev", "-c", program, mixtral_tiny)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_works_without_numpy(mixtral_tiny):
    program = (
        "import sys; sys.modules['numpy'] = None\n"
        "import array, mixtral\n"
        "model = mixtral.Model(sys.argv[1]); session = model.session()\n"
        "rows = session.step_logits([1, 5, 9])\n"
        "assert len(rows) == 3 and all(len(row) == 1024 for row in rows)\n"
        "assert isinstance(session.logits(), array.array) and session.logits() == rows[2]\n"
        "def ban(logits):\n"
        "    for i in range(len(logits)): logits[i] = 0.0\n"
        "    logits[7] = 1.0\n"
        "assert session.sample(filter=ban) == 7\n"
        "print(session.sample())\n"
    )
    run = child.python("-c", program, mixtral_tiny)
    assert run.returncode == 0, run.stderr
    with mixtral.Model(mixtral_tiny) as model, model.session() as session:
        assert int(run.stdout) == int(numpy.argmax(session.step([1, 5, 9])))


def test_kinds_of_ids(model):
    with model.session() as session:
        expected = session.step([1, 5, 9]).tobytes()
        for ids in (
            (1, 5, 9),
            iter([1, 5, 9]),
            array.array("i", [1, 5, 9]),
            array.array("q", [1, 5, 9]),
            numpy.array([1, 5, 9]),
        ):
            session.rewind(0)
            assert session.step(ids).tobytes() == expected
        for wrong in ("159", b"159", [1.5], [None]):
            with pytest.raises(TypeError):
                session.feed(wrong)
        with pytest.raises(mixtral.InvalidArgumentError):
            session.feed([])


def test_shapes(model):
    with model.session() as session:
        rows = session.step_logits([1, 5, 9])
        assert rows.shape == (3, 1024)
        assert rows.dtype == numpy.float32
        assert session.logits().shape == (1024,)


def test_numbers_are_not_wrapped(mixtral_tiny, model):
    for options in (
        {"threads": -1},
        {"threads": 2**32 + 1},
        {"batch": -5},
        {"experts_used": -1},
        {"sliding_window": 2**63},
        {"sliding_window": -2},
        {"isa": "sse"},
    ):
        with pytest.raises(mixtral.InvalidArgumentError):
            mixtral.Model(mixtral_tiny, **options)
    with pytest.raises(mixtral.InvalidArgumentError):
        model.session(context=-1)
    for tokens in ([1, 2**40], [1, -(2**40)]):
        sentence = rf"tokens\[1\] is {tokens[1]}; allowed 0..2147483647$"
        with (
            model.session() as session,
            pytest.raises(mixtral.InvalidArgumentError, match=sentence),
        ):
            session.feed(tokens)
    with model.session() as session, pytest.raises(mixtral.InvalidArgumentError):
        session.rewind(-1)
    with pytest.raises(TypeError):
        mixtral.Sampler(unknown=1)


def test_numbers_that_c_lacks_have_the_librarys_own_sentences(mixtral_tiny, model, tmp_path):
    def sentence(call, name: str, value: int) -> str:
        with pytest.raises(mixtral.InvalidArgumentError) as caught:
            call(**{name: value})
        return str(caught.value).replace(str(value), "N").replace("2^40", str(1 << 40))

    def load(**options) -> None:
        mixtral.Model(mixtral_tiny, **options)

    def pack(**options) -> None:
        mixtral.pack(mixtral_tiny, tmp_path / "packed", **options)

    for call, name, beyond in (
        (load, "threads", 513),
        (load, "experts_used", 513),
        (load, "batch", 4097),
        (load, "sliding_window", (1 << 40) + 1),
        (pack, "threads", 513),
        (model.session, "context", (1 << 24) + 1),
    ):
        # The library's, of a number that is wrong and fits.
        expected = sentence(call, name, beyond)
        assert "; allowed " in expected
        for value in (-5, 2**64):
            assert sentence(call, name, value) == expected


class Whim(Exception):
    pass


def test_exceptions_pass_through_callbacks(mixtral_tiny, model):
    def raises(*_):
        raise Whim("no")

    with pytest.raises(Whim):
        mixtral.Model(mixtral_tiny, progress=raises)
    with pytest.raises(mixtral.CancelledError):
        mixtral.Model(mixtral_tiny, progress=lambda done, total: True)
    with model.session() as session:
        session.feed([1])
        with pytest.raises(Whim):
            session.sample(filter=raises)
        with pytest.raises(mixtral.CancelledError):
            session.sample(filter=lambda logits: True)
        assert session.sample() >= 0
    with pytest.raises(Whim):
        list(model.generate("abc", max_tokens=3, filter=raises))


def test_a_filter_changes_the_logits(model):
    with model.session() as session:
        before = session.step([1]).copy()

        def only(logits):
            assert len(logits) == 1024
            logits[:] = -numpy.inf
            logits[42] = 0

        assert session.sample(filter=only) == 42
        assert session.logits().tobytes() == before.tobytes()


@pytest.fixture
def interruptible():
    """Python's own handler of Ctrl-C, which is not there when a shell ignored it for us."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_a_long_step(model, interruptible):
    ids = [1 + index % 900 for index in range(1000)]
    main = threading.main_thread().ident
    started = threading.Event()

    def interrupt() -> None:
        started.wait()
        signal.pthread_kill(main, signal.SIGINT)

    with model.session() as session:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            started.set()
            while True:
                session.rewind(0)
                session.feed(ids)
        thread.join()
        session.rewind(0)
        session.feed(ids[:3])
        assert session.position == 3


WITHOUT_THREADS = """
import os, resource, sys, threading
import mixtral, numpy
model = mixtral.Model(sys.argv[1], threads=1)
expected = model.session().step([5] * 64).tobytes()
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
try:
    threading.Thread(target=print).start()
except RuntimeError:
    pass
else:
    raise AssertionError("a thread was started")
session, other = model.session(), model.session()
assert session.step([5] * 64).tobytes() == expected
assert session.step_logits([5] * 64)[-1].size == 1024
assert mixtral.step_many([session, other], [[1] * 20, [5] * 64]) == [None, None]
assert other.logits().tobytes() == expected
try:
    session.feed([5] * 64 + [5000])
except mixtral.InvalidArgumentError:
    pass
assert session.position == 148
assert len(list(model.generate([5] * 64, max_tokens=3))) > 0
"""


def test_steps_where_no_thread_can_be_started(mixtral_tiny):
    run = child.python("-c", WITHOUT_THREADS, mixtral_tiny)
    assert (run.returncode, run.stderr) == (0, "")


def test_steps_while_python_ends(mixtral_tiny):
    """From Python 3.12 on no thread is started any more."""
    program = (
        "import atexit, mixtral, sys\n"
        "model = mixtral.Model(sys.argv[1], threads=1)\n"
        "session = model.session()\n"
        "atexit.register(lambda: print(session.step([5] * 64).size))\n"
    )
    run = child.python("-c", program, mixtral_tiny)
    assert (run.returncode, run.stdout, run.stderr) == (0, "1024\n", "")


def test_batch_results(model, windowed):
    with model.session() as one, model.session() as two:
        assert mixtral.step_many([one, two], [[1], [1, 2]]) == [None, None]
        with pytest.raises(ValueError, match="2 sessions"):
            mixtral.step_many([one, two], [[1]])
        with pytest.raises(mixtral.InvalidArgumentError):
            mixtral.step_many([one, one], [[1], [1]])
        with pytest.raises(mixtral.InvalidArgumentError):
            mixtral.step_many([], [])
        with windowed.session() as stranger, pytest.raises(mixtral.InvalidArgumentError):
            mixtral.step_many([one, stranger], [[1], [1]])
        errors = mixtral.step_many([one, two], [[1], [5000]])
        assert errors[0] is None
        assert isinstance(errors[1], mixtral.InvalidArgumentError)
        assert "5000" in str(errors[1])


def test_a_missing_library_is_an_import_error(tmp_path):
    library = str(tmp_path / "none.so")
    run = child.python("-c", "import mixtral", MIXTRAL_LIBRARY=library)
    assert run.returncode == 1
    assert "ImportError" in run.stderr
    assert "MIXTRAL_LIBRARY" in run.stderr


def test_nothing_is_printed(mixtral_tiny, tmp_path, capfd):
    with pytest.raises(mixtral.MixtralError):
        mixtral.Model(tmp_path / "none")
    with mixtral.Model(mixtral_tiny) as model:
        list(model.generate("x", max_tokens=3))
        with pytest.raises(mixtral.MixtralError):
            model.session(context=2**31)
    assert capfd.readouterr() == ("", "")
