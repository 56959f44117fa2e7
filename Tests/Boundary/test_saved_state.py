"""A saved session goes on with the same bits, and nothing but a whole state of this model is loaded.

Names Z01 … are those of the cases of Tests/Catalogue.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import subprocess
import sys
import threading

import mixtral
import numpy
import pytest
import xxhash
from mixtral import _raw

from bits import digest, prompt
from test_laws import available

HEADER = 128
# Offsets in the header, as Sources/Model/SavedState.swift has them.
VERSION, ORDER, TOTAL, MODEL, CACHE_TYPE, LOGITS, POSITION, FIRST = 8, 12, 16, 24, 32, 52, 56, 64
LAYERS, KV_HEADS, HEAD_WIDTH, VOCABULARY = 36, 40, 44, 48


@pytest.fixture(params=["f16", "q8_0"])
def cache(request) -> str:
    return request.param


@pytest.fixture
def state(plain, cache) -> bytes:
    with plain.session(cache=cache) as session:
        session.feed(prompt()[:100])
        return session.save()


def sealed(state: bytes, offset: int = 0, kind: str = "0s", value: object = b"") -> bytes:
    """The state with one field of its header changed, and both checksums right again."""
    changed = bytearray(state)
    struct.pack_into(f"<{kind}", changed, offset, value)
    struct.pack_into("<Q", changed, 112, xxhash.xxh64_intdigest(changed[HEADER:]))
    struct.pack_into("<Q", changed, 120, xxhash.xxh64_intdigest(changed[:120]))
    return bytes(changed)


def test_what_a_state_is(state, plain):
    """The layout that Sources/Model/SavedState.swift documents, with the checksums of xxhash."""
    assert state[:8] == b"MIXTRALS"
    assert struct.unpack_from("<IIQ", state, VERSION) == (1, 0x01020304, len(state))
    assert struct.unpack_from("<I", state, 48) == (plain.info.vocabulary,)
    assert struct.unpack_from("<IQ", state, LOGITS) == (1, 100)
    tokens = numpy.frombuffer(state, "<i4", 100, HEADER)
    assert tokens.tolist() == list(prompt()[:100])
    assert sealed(state) == state


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 100])
def test_the_same_bits_go_on(plain, cache, length):
    ids = prompt()
    with plain.session(cache=cache) as session, plain.session(cache=cache) as other:
        if length:
            session.feed(ids[:length])
        other.load(session.save())
        assert other.position == length
        assert other.state.first_position == session.state.first_position
        if length:
            assert digest(other.logits()) == digest(session.logits())
        rest = ids[length:]
        assert digest(other.step_logits(rest)) == digest(session.step_logits(rest))


def test_Z11_any_table_and_threads(tiny, state, cache):
    found = set()
    for isa in available():
        for threads in (1, 3):
            with mixtral.Model(tiny, isa=isa, threads=threads) as model:
                with model.session(cache=cache) as session:
                    session.load(state)
                    found.add(digest(session.step_logits(prompt()[100:])))
                    session.rewind(0)
                    session.feed(prompt()[:100])
                    assert session.save() == state, (isa, threads)
    assert len(found) == 1


def test_a_packed_model_is_the_same_model(tiny, state, cache, tmp_path):
    packed = tmp_path / "packed.gguf"
    mixtral.pack(tiny, packed)
    for mapped in (False, True):
        with mixtral.Model(packed, map=mapped) as model, model.session(cache=cache) as session:
            session.load(state)
            assert session.save() == state


def test_equal_sessions_are_equal_bytes(plain, cache, state):
    """Nothing that was rewound is in the state, whatever else was in the pages."""
    with plain.session(cache=cache) as session:
        session.feed(prompt()[:100])
        session.feed([5, 6, 7])
        fork = session.fork()
        session.rewind(100)
        without = session.save()
        session.load(state)
        assert session.save() == state
        assert without[HEADER : len(without)] == state[HEADER : len(without)]
        fork.rewind(100)
        assert fork.save() == without


def test_loading_replaces_what_was_there(plain, cache, state):
    with plain.session(cache=cache) as session, plain.session(cache=cache) as short:
        session.feed(prompt()[:150])
        fork = session.fork()
        kept = fork.save()
        session.load(state)
        assert (session.position, session.save()) == (100, state)
        assert fork.save() == kept
        short.feed(prompt()[:3])
        session.load(short.save())
        assert session.position == 3


def test_files(plain, cache, state, tmp_path):
    path = tmp_path / "a state"
    with plain.session(cache=cache) as session:
        session.load(state)
        session.save_file(path)
        assert path.read_bytes() == state
        session.feed([1])
        session.load_file(path)
        assert session.save() == state
        path.write_bytes(b"old")
        session.save_file(path)
        assert path.read_bytes() == state
    assert os.listdir(tmp_path) == ["a state"]


class Bad:
    """Loads bad states into a session that stands somewhere; it must stay there."""

    def __init__(self, model: mixtral.Model, cache: str) -> None:
        self.session = model.session(cache=cache)
        self.session.feed(prompt(3, seed=9))
        self.before = self.session.save()

    def refuses(self, state: bytes, kind: type[Exception], words: str | None = None) -> None:
        with pytest.raises(kind, match=words):
            self.session.load(state)
        assert self.session.position == 3

    def close(self) -> None:
        assert self.session.save() == self.before
        self.session.close()


@pytest.fixture
def bad(plain, cache) -> Bad:
    bad = Bad(plain, cache)
    yield bad
    bad.close()


def test_Z01_cut_at_each_byte(bad, state):
    for size in [*range(HEADER + 410), *range(HEADER + 410, len(state), 997), len(state) - 1]:
        bad.refuses(state[:size], mixtral.MalformedError)
    bad.refuses(state + b"\0", mixtral.MalformedError, "header says")


def test_Z02_each_bit_of_the_header(bad, state):
    for bit in range(HEADER * 8):
        changed = bytearray(state)
        changed[bit // 8] ^= 1 << bit % 8
        bad.refuses(bytes(changed), (mixtral.MalformedError, mixtral.UnsupportedError))


def test_Z02_bits_of_the_body(bad, state):
    for place in [*range(HEADER, HEADER + 400), *range(HEADER + 400, len(state), 991)]:
        changed = bytearray(state)
        changed[place] ^= 1 << place % 8
        bad.refuses(bytes(changed), mixtral.MalformedError)


def test_Z03_another_model(bad, state, bundled):
    bad.refuses(sealed(state, MODEL, "Q", 7), mixtral.MalformedError, "is of model 7; this is")
    with mixtral.Model(bundled) as other, other.session() as session:
        session.feed([1, 2])
        bad.refuses(session.save(), mixtral.MalformedError, "of model")


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (LAYERS, "layers"),
        (KV_HEADS, "key-value heads"),
        (HEAD_WIDTH, "values a head"),
        (VOCABULARY, "tokens in its vocabulary"),
    ],
)
def test_Z03_a_forged_state_says_other_numbers(bad, state, offset, words):
    (own,) = struct.unpack_from("<I", state, offset)
    forged = sealed(state, offset, "I", own + 1)
    sentence = f"says that the model has {own + 1} {words}; it has {own}$"
    bad.refuses(forged, mixtral.MalformedError, sentence)


def test_Z03_other_options_make_another_model(tiny, state, cache):
    with mixtral.Model(tiny, sliding_window=24) as other, other.session(cache=cache) as session:
        with pytest.raises(mixtral.MalformedError, match="of model"):
            session.load(state)


def test_Z04_a_later_version_and_Z12_another_order(bad, state):
    bad.refuses(sealed(state, VERSION, "I", 2), mixtral.UnsupportedError, "version 2")
    bad.refuses(sealed(state, ORDER, "I", 0x04030201), mixtral.UnsupportedError, "little-endian")


def test_Z05_tokens(bad, state, plain, cache):
    with plain.session(context=99, cache=cache) as small:
        with pytest.raises(mixtral.ContextFullError, match="100 tokens"):
            small.load(state)
    with plain.session(context=100, cache=cache) as enough:
        enough.load(state)
    for token in (-1, plain.info.vocabulary, 2**31 - 1):
        changed = sealed(state, HEADER + 40, "i", token)
        bad.refuses(changed, mixtral.MalformedError, f"token 10 of the state is {token}")


def test_Z06_another_type_of_cache(bad, state, plain, cache):
    with plain.session(cache="f16" if cache == "q8_0" else "q8_0") as other:
        with pytest.raises(mixtral.UnsupportedError, match="cache_type"):
            other.load(state)
    bad.refuses(sealed(state, CACHE_TYPE, "I", 7), mixtral.UnsupportedError, "cache_type 7")


@pytest.mark.parametrize("value", [0, 1, 99, 101, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1])
def test_Z07_lengths(bad, state, value):
    bad.refuses(sealed(state, POSITION, "Q", value), mixtral.MixtralError)
    if value != 0 and struct.unpack_from("<Q", state, FIRST) != (value,):
        bad.refuses(sealed(state, FIRST, "Q", value), mixtral.MalformedError)
    bad.refuses(sealed(state, TOTAL, "Q", value), mixtral.MalformedError)
    if value != 1:
        bad.refuses(sealed(state, LOGITS, "I", value % 2**32), mixtral.MalformedError)


def test_Z08_not_a_number_in_the_cache(plain):
    with plain.session() as session:
        session.feed(prompt()[:64])
        state = session.save()
        page = bytearray(state)
        for place in range(HEADER + 64 * 4, len(state) - 4 * plain.info.vocabulary, 2):
            # Half precision's first NaN.
            struct.pack_into("<H", page, place, 0x7E00)
        session.load(sealed(bytes(page)))
        with pytest.raises(mixtral.NumericError):
            session.feed([5])
        session.load(state)
        session.feed([5])


def test_Z09_a_session_in_use(plain, cache, state):
    with plain.session(cache=cache) as session:
        session.load(state)
        seen = []

        def inside(logits: numpy.ndarray) -> None:
            for call in (lambda: session.load(state), session.save):
                with pytest.raises(mixtral.BusyError) as caught:
                    call()
                seen.append(caught.value)

        session.sample(filter=inside)
        assert len(seen) == 2
        assert session.save() == state


def test_A27_saves_and_loads_are_cancelled(bundled, tmp_path):
    """At the digest of the weights and at any page; the session and the file are as they were."""
    path = tmp_path / "state"
    with mixtral.Model(bundled) as model, model.session() as session:
        session.feed(prompt(2000))
        expected = digest(session.logits())
        ended = threading.Event()

        def cancel_until_ended() -> None:
            while not ended.is_set():
                session.cancel()

        def outcomes(call) -> set[str]:
            """Of calls, until one was cancelled."""
            found = set()
            for _ in range(2000):
                try:
                    call()
                    found.add("OK")
                except mixtral.CancelledError:
                    return found | {"CANCELLED"}
            return found

        state = session.save()
        path.write_bytes(b"old")
        watcher = threading.Thread(target=cancel_until_ended)
        watcher.start()
        try:
            assert "CANCELLED" in outcomes(session.save)
            assert "CANCELLED" in outcomes(lambda: session.load(state))
            assert "CANCELLED" in outcomes(lambda: session.save_file(path))
            assert path.read_bytes() in (b"old", state)
            path.write_bytes(state)
            assert "CANCELLED" in outcomes(lambda: session.load_file(path))
            # Others are not ended.
            for _ in range(200):
                session.sample()
                session.fork().close()
        finally:
            ended.set()
            watcher.join()
        assert os.listdir(tmp_path) == ["state"]
        assert session.position == 2000
        assert digest(session.logits()) == expected
        assert session.save() == state
    with mixtral.Model(bundled) as model, model.session() as session:
        # The first state of a model reads all weights.
        thread = threading.Thread(target=lambda: [session.cancel() for _ in range(20000)])
        thread.start()
        assert "CANCELLED" in outcomes(lambda: session.load(state))
        thread.join()
        session.load(state)
        assert session.save() == state


def test_Z10_a_buffer_that_is_too_small(plain, cache, state):
    size = ctypes.c_size_t()
    with plain.session(cache=cache) as session:
        session.load(state)
        for capacity in (0, 1, HEADER, len(state) - 1):
            buffer = ctypes.create_string_buffer(b"\xa5" * len(state), len(state))
            status = _raw.mixtral_session_save(
                ctypes.byref(size), buffer, capacity, session._handle
            )
            assert (status, size.value) == (_raw.MIXTRAL_BUFFER_TOO_SMALL, len(state))
            assert buffer.raw == b"\xa5" * len(state)


FULL = """
import resource, sys
import mixtral
model, state, path = sys.argv[1:]
with mixtral.Model(model) as model, model.session(cache="CACHE") as session:
    session.load_file(state)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
    try:
        session.save_file(path)
    except mixtral.InputOutputError as error:
        print(error)
"""


def test_Z10_a_full_disk_leaves_the_old_file(tiny, cache, state, tmp_path):
    given, target = tmp_path / "given", tmp_path / "target"
    given.write_bytes(state)
    target.write_bytes(b"old")
    run = subprocess.run(
        [sys.executable, "-c", FULL.replace("CACHE", cache), str(tiny), str(given), str(target)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "EFBIG" in run.stdout
    assert target.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["given", "target"]


def test_Z13_strange_files(bad, tmp_path):
    session = bad.session
    with pytest.raises(mixtral.NotFoundError):
        session.load_file(tmp_path / "none")
    with pytest.raises(mixtral.NotFoundError):
        session.save_file(tmp_path / "none" / "state")
    (tmp_path / "empty").touch()
    with pytest.raises(mixtral.MalformedError, match="0 bytes"):
        session.load_file(tmp_path / "empty")
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, "/dev/zero"):
        with pytest.raises(mixtral.InputOutputError, match="not a regular file"):
            session.load_file(path)
    with open(tmp_path / "large", "wb") as large:
        large.truncate(1 << 40)
    with pytest.raises(mixtral.MalformedError, match="MIXTRALS"):
        session.load_file(tmp_path / "large")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4 << 20
