"""Memory that the host gives: all that is large, once taken and once given back, and the same bits.
(Refusals block by block: Tests/Faults.)"""

from __future__ import annotations

import ctypes
import threading

import mixtral
import pytest
from mixtral import _raw

from bits import digest, prompt
from capi import ARGUMENT, assert_sentence, ids, message, ok, sized


class Counting:
    """Blocks from Python, full of garbage, and what is known of them."""

    def __init__(self) -> None:
        self.blocks: dict[int, tuple[int, object]] = {}
        self.sizes: list[int] = []
        self.released_on: set[int] = set()

    def allocate(self, size: int, alignment: int) -> int | None:
        memory = (ctypes.c_char * (size + alignment))()
        ctypes.memset(memory, 0xA5, len(memory))
        address = -(-ctypes.addressof(memory) // alignment) * alignment
        self.blocks[address] = (size, memory)
        self.sizes.append(size)
        return address

    def release(self, address: int, size: int) -> None:
        known, _memory = self.blocks.pop(address)
        assert known == size
        self.released_on.add(threading.get_ident())

    @property
    def byte_count(self) -> int:
        return sum(size for size, _ in self.blocks.values())


@pytest.fixture
def unraised(monkeypatch):
    """The exceptions of callbacks, which ctypes only prints."""
    told = []
    monkeypatch.setattr("sys.unraisablehook", told.append)
    return told


@pytest.mark.parametrize("name", ["mixtral_tiny", "mistral_tiny", "bundled"])
def test_the_same_bits_and_nothing_left(request, unraised, name):
    path = request.getfixturevalue(name)
    with mixtral.Model(path) as model, model.session() as session:
        expected = digest(session.step_logits(prompt(100)))
        info = model.info
    counting = Counting()
    with mixtral.Model(path, allocator=counting) as model:
        assert {info.weight_size, info.scratch_size} <= set(counting.sizes)
        loaded = counting.byte_count
        # The memory that reading took is back.
        assert loaded < info.weight_size + info.scratch_size + (1 << 20)
        with model.session() as session:
            created = counting.byte_count
            assert digest(session.step_logits(prompt(100))) == expected
            assert counting.byte_count >= created + session.state.cache_size
            with session.fork() as fork:
                fork.feed([5])
                session.load(fork.save())
            session.rewind(0)
        assert counting.byte_count == loaded
    assert not counting.blocks
    assert not unraised


def test_a_mapped_model_takes_little(mixtral_tiny, tmp_path):
    packed = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, packed)
    counting = Counting()
    with mixtral.Model(packed, map=True, allocator=counting) as model:
        assert model.info.weight_size in counting.sizes
        assert digest(model.session().step([1, 2])) == digest(
            mixtral.Model(mixtral_tiny).session().step([1, 2])
        )
    del model
    assert not counting.blocks


def test_A30_whoever_frees_last_gives_back(mixtral_tiny, unraised):
    counting = Counting()
    model = mixtral.Model(mixtral_tiny, allocator=counting)
    session = model.session()
    session.feed([1, 2, 3])
    model.close()
    assert session.step([4]) is not None
    held = counting.byte_count
    assert held > 0
    thread = threading.Thread(target=session.close)
    counting.released_on.clear()
    thread.start()
    identifier = thread.ident
    thread.join()
    assert not counting.blocks
    assert counting.released_on == {identifier}
    assert not unraised


def test_the_callbacks_live_as_long_as_a_session(mixtral_tiny, unraised):
    counting = Counting()
    fork = mixtral.Model(mixtral_tiny, allocator=counting).session().fork()
    fork.feed(prompt(70))
    del fork
    assert not counting.blocks
    assert not unraised


class Full(Counting):
    """Gives one block of a load, or `room` of them."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer, self.room = answer, 1

    def allocate(self, size: int, alignment: int) -> int | None:
        if len(self.sizes) < self.room:
            return super().allocate(size, alignment)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, mixtral.OutOfMemoryError),
        (0, mixtral.OutOfMemoryError),
        ("no address", TypeError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_an_allocator_that_gives_nothing(mixtral_tiny, unraised, answer, error):
    full = Full(answer)
    with pytest.raises(error):
        mixtral.Model(mixtral_tiny, allocator=full)
    assert not full.blocks
    full.room = 1 << 20
    with mixtral.Model(mixtral_tiny, allocator=full) as model, model.session() as session:
        session.feed([1, 2])
        full.room = 0
        with pytest.raises(error) as caught:
            session.feed(prompt(70))
        if error is mixtral.OutOfMemoryError:
            assert "allocate refused" in str(caught.value)
            assert "cache" in str(caught.value)
        assert session.position == 2
        full.room = 1 << 20
        session.feed(prompt(70))
    assert not full.blocks
    assert not unraised


def test_both_or_none(world):
    counting = Counting()
    allocate = _raw.allocate_callback(lambda size, alignment, _user: 0)
    release = _raw.release_callback(lambda _address, _size, _user: None)
    for given, missing in (
        (dict(allocate=allocate), b"release"),
        (dict(release=release), b"allocate"),
    ):
        model = ctypes.c_void_p(1)
        options = sized(_raw.mixtral_load_options, **given)
        status = _raw.mixtral_load(ctypes.byref(model), world.path, ctypes.byref(options))
        assert (status, model.value) == (ARGUMENT, None)
        assert message().startswith(missing.decode() + " is NULL")
        assert_sentence(message())
    assert not counting.sizes


def test_a_large_context_costs_nothing_until_it_is_used(mixtral_tiny):
    """Lists of the session grow with the conversation, and a copy or a restored one takes what it holds."""
    counting = Counting()
    with mixtral.Model(mixtral_tiny, allocator=counting) as model:
        with mixtral.Model(mixtral_tiny) as usual, usual.session(context=3000) as session:
            expected = digest(session.step_logits(prompt(3000)))

        def taken(body) -> tuple[int, object]:
            before = counting.byte_count
            result = body()
            return counting.byte_count - before, result

        small, session = taken(lambda: model.session(context=1024))
        session.close()
        size, session = taken(lambda: model.session(context=1 << 24))
        assert size == small < 4 * model.info.vocabulary + 4096
        assert digest(session.step_logits(prompt(3000)[:900])) == digest(
            model.session().step_logits(prompt(3000)[:900])
        )
        session.rewind(0)
        size, found = taken(lambda: digest(session.step_logits(prompt(3000))))
        assert found == expected
        # At most twice the tokens, and the pages.
        assert size <= session.state.cache_size + 2 * 3000 * 5
        state = session.save()
        size, fork = taken(session.fork)
        assert size <= small + 3000 * 5
        for one in (fork, session):
            one.rewind(2000)
            one.load(state)
            assert one.save() == state
            one.feed([1] * 4000)
            one.rewind(1)
            with one.fork() as again:
                again.feed(prompt(100))
            one.close()
    assert not counting.blocks


def test_A15_they_may_free_and_all_else_is_busy(world):
    """A step holds the model's turn while it takes a page: a step from there would wait for itself."""
    counting = Counting()
    found: dict[str, set[int]] = {}
    place = "load"

    def call_everything() -> None:
        statuses = found.setdefault(place, set())
        position = ctypes.c_uint64()
        statuses |= {
            _raw.mixtral_step(other, ids(1), 1),
            _raw.mixtral_session_position(ctypes.byref(position), world.session),
            _raw.mixtral_guard_mappings(0),
        }
        assert "allocate" in message()
        ok(_raw.mixtral_cancel(world.session))
        # A garbage collector may come here; what is freed gives back its own blocks meanwhile.
        if garbage:
            ok(_raw.mixtral_free(garbage.pop()))
            statuses.add(_raw.mixtral_step(other, ids(1), 1))
        if place == "step":
            statuses.add(_raw.mixtral_free(session))

    def allocate(size, alignment, _user):
        call_everything()
        return counting.allocate(size, alignment)

    def release(address, size, _user):
        call_everything()
        counting.release(address, size)

    other, garbage = None, []
    callbacks = _raw.allocate_callback(allocate), _raw.release_callback(release)
    options = sized(_raw.mixtral_load_options, allocate=callbacks[0], release=callbacks[1])
    model, session, same, more = (ctypes.c_void_p() for _ in range(4))
    ok(_raw.mixtral_load(ctypes.byref(model), world.path, ctypes.byref(options)))
    place = "create"
    ok(_raw.mixtral_session_create(ctypes.byref(session), model, None))
    ok(_raw.mixtral_session_create(ctypes.byref(same), model, None))
    ok(_raw.mixtral_session_create(ctypes.byref(more), model, None))
    place, other = "step", same
    garbage.append(more)
    ok(_raw.mixtral_step(session, ids(*prompt(70)), 70))
    assert not garbage
    place = "free"
    for handle in (session, same, model):
        ok(_raw.mixtral_free(handle))
    busy = {_raw.MIXTRAL_BUSY}
    assert found == {"load": busy, "create": busy, "step": busy, "free": busy}
    assert not counting.blocks
    # Afterwards this thread may call again.
    assert world.position() == 3
