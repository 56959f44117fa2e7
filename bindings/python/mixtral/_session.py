"""A conversation with a model."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, ClassVar

from . import _raw
from ._callbacks import outcome, run
from ._errors import BufferTooSmallError, MixtralError, check, error, last_error, status_name
from ._sampler import Sampler, SamplerOptions
from ._support import (
    Handle,
    Logits,
    Path,
    c_floats,
    c_tokens,
    float_rows,
    float_vector,
    in_range,
    path_bytes,
    run_step,
    token_array,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

# The step of SplitMix64's state from number to number: the n-th number of a seed is the first of the seed
# that is n steps further.
_SPLITMIX_STEP = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class SessionState:
    """Where a session stands. Sizes are in bytes."""

    context: int
    position: int
    first_position: int
    cache_size: int


class Session(Handle):
    """Made by `Model.session`. One call at a time; another thread's call meanwhile is a BusyError.

    Sessions of one model may run in different threads. Every step releases Python's lock.
    """

    _instead: ClassVar[str] = "Session.fork makes a second one, Session.save bytes"

    def __init__(
        self,
        vocabulary: int,
        memory: tuple[object, ...],
        create: Callable[..., int],
        *arguments: object,
    ) -> None:
        self._vocabulary = vocabulary
        # Of sample() with options: the sampler of the last call, the seed of the random numbers, and how
        # many of them earlier samplers used.
        self._sampler: Sampler | None = None
        self._sampler_options: SamplerOptions | None = None
        self._seed: int | None = None
        self._numbers = 0
        self._create(create, *arguments, kept=memory)

    def feed(self, ids: Iterable[int]) -> None:
        """Feeds tokens at the next positions, any number of them, and copies no logits."""
        tokens = token_array(ids)
        pointer = c_tokens(tokens)
        run_step(
            [self._handle],
            len(tokens),
            lambda: _raw.mixtral_step(self._handle, pointer, len(tokens)),
        )

    def step(self, ids: Iterable[int]) -> Logits:
        """Feeds tokens and returns the logits after the last one."""
        self.feed(ids)
        return self.logits()

    def step_logits(self, ids: Iterable[int]) -> Logits:
        """Feeds tokens and returns the logits after each of them, a row a token."""
        tokens = token_array(ids)
        pointer = c_tokens(tokens)
        vector = float_vector(len(tokens) * self._vocabulary)
        floats = c_floats(vector)
        written = ctypes.c_size_t()
        run_step(
            [self._handle],
            len(tokens),
            lambda: _raw.mixtral_step_logits(
                ctypes.byref(written), floats, len(vector), self._handle, pointer, len(tokens)
            ),
        )
        return float_rows(vector, self._vocabulary)

    def logits(self) -> Logits:
        """The logits after the last token, one a token of the vocabulary."""
        vector = float_vector(self._vocabulary)
        count = ctypes.c_size_t()
        check(_raw.mixtral_logits(ctypes.byref(count), c_floats(vector), len(vector), self._handle))
        return vector

    def sample(self, sampler: Sampler | None = None, **options: Unpack[SamplerOptions]) -> int:
        """Chooses the next token and does not feed it: by a sampler, by options, or greedily.

        The session's random numbers go on from call to call, whatever the options; only another seed
        starts them anew. Without a seed the first call draws one: see `seed`.
        """
        if sampler is not None:
            if options:
                raise TypeError("sample takes a sampler or options, not both")
            return sampler._sample(self._handle)
        if options:
            return self._sampler_for(options)._sample(self._handle)
        token = _raw.mixtral_token()
        check(_raw.mixtral_sample(ctypes.byref(token), self._handle, None))
        return token.value

    @property
    def seed(self) -> int | None:
        """The seed of the random numbers of sample() with options; None before its first call."""
        return self._seed

    @property
    def position(self) -> int:
        """Tokens fed so far."""
        position = ctypes.c_uint64()
        check(_raw.mixtral_session_position(ctypes.byref(position), self._handle))
        return position.value

    @property
    def state(self) -> SessionState:
        """Position, room and memory of the session."""
        state = _raw.mixtral_state(struct_size=ctypes.sizeof(_raw.mixtral_state))
        check(_raw.mixtral_session_state(self._handle, ctypes.byref(state)))
        return SessionState(state.context, state.position, state.first_position, state.cache_size)

    def rewind(self, position: int) -> None:
        """Forgets all tokens from `position` on; there are no logits until the next step."""
        run(
            _raw.mixtral_session_rewind, self._handle, in_range("position", position, (1 << 64) - 1)
        )

    def fork(self) -> Session:
        """A second session that stands where this one does; memory is shared until one writes."""
        return Session(self._vocabulary, self._kept, _raw.mixtral_session_fork, self._handle)

    def save(self) -> bytes:
        """Where the session stands: tokens, cache and logits; see `load`.

        The first time for a model all of its weights are read once, to name it in the state.
        """
        size = ctypes.c_size_t()
        try:
            run(_raw.mixtral_session_save, ctypes.byref(size), None, 0, self._handle)
        except BufferTooSmallError:
            pass
        buffer = ctypes.create_string_buffer(size.value)
        run(_raw.mixtral_session_save, ctypes.byref(size), buffer, len(buffer), self._handle)
        return buffer.raw

    def load(self, state: bytes | bytearray | memoryview) -> None:
        """Stands where a saved session stood, with the same bits from there on.

        The model must have the same weights, and the session the same type of cache and room for the
        tokens. On an error the session is as it was.
        """
        if not isinstance(state, (bytes, bytearray, memoryview)):
            raise TypeError(f"state must be bytes, not {type(state).__name__}")
        data = bytes(state)
        run(_raw.mixtral_session_load, self._handle, data, len(data))

    def save_file(self, path: Path) -> None:
        """As `save`, into a file; one that is there is replaced when the new one is complete."""
        run(_raw.mixtral_session_save_file, self._handle, path_bytes(path))

    def load_file(self, path: Path) -> None:
        """As `load`, from a file."""
        run(_raw.mixtral_session_load_file, self._handle, path_bytes(path))

    def cancel(self) -> None:
        """Ends the call that runs on this session in another thread with a CancelledError."""
        check(_raw.mixtral_cancel(self._handle))

    def _sampler_for(self, options: SamplerOptions) -> Sampler:
        """A sampler with these options, whose random numbers are the next ones of the session's."""
        before, seed = self._sampler, options.get("seed")
        if before is None or self._seed is None or seed not in (None, self._seed):
            sampler = Sampler(**options)
            self._seed, self._numbers = sampler.seed, 0
        elif options == self._sampler_options:
            return before
        else:
            numbers = self._numbers + before._numbers
            start = (self._seed + numbers * _SPLITMIX_STEP) % (1 << 64)
            sampler = Sampler(**SamplerOptions(**{**options, "seed": start}))
            self._numbers = numbers
        self._sampler = sampler
        if before is not None:
            before.close()
        bias = options.get("logit_bias")
        # A copy, so that a change of the caller's mapping is seen.
        self._sampler_options = options
        if bias is not None:
            self._sampler_options = SamplerOptions(**{**options, "logit_bias": dict(bias)})
        return sampler


def _belong_together(sessions: Sequence[Session], samplers: Sequence[Sampler | None]) -> bool:
    """Whether they are different sessions of one model, and different samplers: else the call is nobody's."""
    given = [one for one in samplers if one is not None]
    return (
        len({id(one) for one in sessions}) == len(sessions)
        and len({id(one) for one in given}) == len(given)
        # Of each model there is one.
        and len({id(one._kept) for one in sessions}) <= 1
    )


def step_many(
    sessions: Sequence[Session], inputs: Sequence[Iterable[int]]
) -> list[MixtralError | None]:
    """Steps different sessions of one model together: the weights are read once for all of them.

    Every session gets the bits that it would get alone. Returns an entry a session: None when it
    stepped, otherwise the exception that it would have raised.
    """
    if len(sessions) != len(inputs):
        raise ValueError(f"{len(sessions)} sessions, but {len(inputs)} inputs")
    count = len(sessions)
    handles = (ctypes.c_void_p * count)(*(one._handle for one in sessions))
    statuses = (_raw.mixtral_status * count)()
    arrays = [token_array(ids) for ids in inputs]
    packed = (_raw.mixtral_input * count)()
    for entry, tokens in zip(packed, arrays):
        entry.tokens = ctypes.cast(c_tokens(tokens), ctypes.POINTER(_raw.mixtral_token))
        entry.count = len(tokens)
    failure: list[MixtralError] = []

    def call() -> int:
        status: Any = _raw.mixtral_step_many(handles, packed, count, statuses)
        if status != _raw.MIXTRAL_OK:
            failure.append(last_error(status))
        return _raw.MIXTRAL_OK

    run_step([one._handle for one in sessions], sum(map(len, arrays)), call)
    if failure and all(statuses) and not _belong_together(sessions, []):
        raise failure[0]
    results: list[MixtralError | None] = []
    for index, status in enumerate(statuses):
        if status == _raw.MIXTRAL_OK:
            results.append(None)
        elif failure:
            # The library's sentence is about the first session that failed.
            results.append(failure.pop())
        else:
            results.append(error(status, f"session {index}: {status_name(status)}"))
    if failure:
        raise failure[0]
    return results


def sample_many(
    sessions: Sequence[Session], samplers: Sequence[Sampler | None] | None = None
) -> list[int | Exception]:
    """Chooses the next token of different sessions of one model together, on the model's threads.

    samplers: a different one for each session, None in the place of one or of all: the likeliest token.
    Returns an entry a session: the token that `Session.sample` would give, otherwise the exception
    that it would have raised. Filters run one after another on the calling thread.
    """
    count = len(sessions)
    given: Sequence[Sampler | None] = [None] * count if samplers is None else samplers
    if len(given) != count:
        raise ValueError(f"{count} sessions, but {len(given)} samplers")
    handles = (ctypes.c_void_p * count)(*(one._handle for one in sessions))
    drawing = (ctypes.c_void_p * count)(*(None if one is None else one._handle for one in given))
    tokens = (_raw.mixtral_token * count)()
    statuses = (_raw.mixtral_status * count)()
    for one in given:
        if one is not None:
            one._raised[0] = None
    status, raised = outcome(_raw.mixtral_sample_many, tokens, handles, drawing, count, statuses)
    if raised is not None and not isinstance(raised, Exception):
        raise raised
    first = None if status == _raw.MIXTRAL_OK else last_error(status)
    if first is not None and all(statuses) and not _belong_together(sessions, given):
        raise first
    results: list[int | Exception] = []
    for index, status in enumerate(statuses):
        sampler = given[index]
        if status == _raw.MIXTRAL_OK:
            results.append(tokens[index])
            if sampler is not None:
                sampler._numbers += sampler._draws
        elif sampler is not None and isinstance(sampler._raised[0], Exception):
            results.append(sampler._raised[0])
            first = None
        elif first is not None:
            # The library's sentence is about the first session that failed.
            results.append(first)
            first = None
        else:
            results.append(error(status, f"session {index}: {status_name(status)}"))
    if first is not None:
        raise first
    return results
