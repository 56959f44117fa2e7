"""Text that a model goes on with, piece by piece."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from ._errors import BusyError, CancelledError, InvalidHandleError
from ._sampler import Sampler
from ._session import Session
from ._support import Closing
from ._text import Detokenizer, StopFilter

if TYPE_CHECKING:
    from typing_extensions import Self


class Generation(Closing, Iterator[str]):
    """An iterator of text. Its session is freed when it ends, when it is closed, or when collected.

    Of two threads inside `next` or close() the second gets a BusyError, which changes nothing.

    tokens: the tokens chosen so far, the end token not among them.
    finish_reason: None while it runs; then "end" (one of the model's end tokens), "stop" (a stop string
        or token), "length" (max_tokens), "context" (no more room), "cancelled" or "closed".
    seed: what the random numbers began with, for the same text once more.
    prompt_tokens, prompt_seconds, seconds: the prompt, the time it took, and the time in all.
    """

    _instead: ClassVar[str] = "call Model.generate again, with the same `seed` for the same text"

    def __init__(
        self,
        session: Session,
        sampler: Sampler,
        detokenizer: Detokenizer,
        stops: StopFilter,
        prompt: Sequence[int],
        end_tokens: Iterable[int],
        stop_tokens: Iterable[int],
        max_tokens: int | None,
    ) -> None:
        self.tokens: list[int] = []
        self.finish_reason: str | None = None
        self.prompt_tokens: int = len(prompt)
        self.prompt_seconds: float = 0.0
        self.seconds: float = 0.0
        self.seed: int = sampler.seed
        self._owned = (session, sampler, detokenizer)
        self._session = session
        self._sampler = sampler
        self._detokenizer = detokenizer
        self._stops = stops
        self._pending: Sequence[int] = prompt
        self._end_tokens = frozenset(end_tokens)
        self._stop_tokens = frozenset(stop_tokens)
        self._max_tokens = max_tokens
        self._context = session.state.context
        # The call that is inside `next` or close(), and what is held while it becomes so.
        self._user: object = None
        self._gate = threading.RLock()
        self._cancelled = False
        # The thread that feeds tokens now.
        self._feeding: int | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        me = object()
        try:
            self._take(me)
            return self._next()
        finally:
            if self._user is me:
                self._user = None

    def close(self) -> None:
        """Stops and frees the session; a second time does nothing. Raises BusyError while another thread
        is inside `next`, and changes nothing then: see `cancel`."""
        me = object()
        try:
            self._take(me)
            self._finish("closed")
        finally:
            if self._user is me:
                self._user = None

    def cancel(self) -> None:
        """Ends it from any thread: the `next` that runs, or else the one to come, frees the session and
        raises CancelledError; a step is left within a layer's time."""
        self._cancelled = True
        me = threading.get_ident()
        while self.finish_reason is None:
            try:
                self._session.cancel()
            except InvalidHandleError:
                return
            # The library forgets what it is told before its step has begun.
            if self._feeding in (None, me):
                return
            time.sleep(0.001)

    def _take(self, me: object) -> None:
        """Makes the generation this call's alone. Who calls gives it back without a call of a function,
        after which an interrupt could come."""
        with self._gate:
            if self._user is not None:
                raise BusyError("another call runs on this generation")
            self._user = me

    def _next(self) -> str:
        start = time.perf_counter()
        try:
            while self.finish_reason is None:
                piece = self._advance()
                if piece:
                    return piece
        except CancelledError:
            self._finish("cancelled")
            raise
        except BaseException:
            self._finish("closed")
            raise
        finally:
            self.seconds += time.perf_counter() - start
        raise StopIteration

    def _advance(self) -> str:
        """Feeds what is pending, chooses a token, and returns the text that it completes."""
        if self._max_tokens is not None and len(self.tokens) >= self._max_tokens:
            return self._finish("length")
        if self.tokens and self._session.position + len(self._pending) > self._context:
            return self._finish("context")
        start = time.perf_counter()
        self._feed()
        if not self.tokens:
            self.prompt_seconds = time.perf_counter() - start
        token = self._sampler._sample(self._session._handle)
        if token in self._stop_tokens:
            return self._finish("stop", flush=True)
        if token in self._end_tokens:
            return self._finish("end")
        self.tokens.append(token)
        self._pending = [token]
        piece = self._stops.next(self._detokenizer.next(self._pending))
        return piece + self._finish("stop") if self._stops.stopped else piece

    def _feed(self) -> None:
        self._feeding = threading.get_ident()
        try:
            if self._cancelled:
                raise CancelledError("the generation was cancelled")
            self._session.feed(self._pending)
        finally:
            self._feeding = None

    def _finish(self, reason: str, flush: bool = False) -> str:
        """Frees everything and returns the text that was held back; after a stop string there is none."""
        if self.finish_reason is not None:
            return ""
        rest = ""
        if flush or reason not in ("stop", "closed", "cancelled"):
            rest = self._stops.next(self._detokenizer.end())
            if not self._stops.stopped:
                rest += self._stops.end()
        for owned in self._owned:
            owned.close()
        self.finish_reason = reason
        return rest
