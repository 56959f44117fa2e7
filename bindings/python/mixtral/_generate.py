"""Text that a model goes on with, piece by piece."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ._sampler import Sampler
from ._session import Session
from ._text import Detokenizer, StopFilter

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class Generation(Iterator[str]):
    """An iterator of text. Its session is freed when it ends, when it is closed, or when collected.

    tokens: the tokens chosen so far, the end token not among them.
    finish_reason: None while it runs; then "end" (the model's end token), "stop" (a stop string),
        "length" (max_tokens), "context" (no more room) or "closed".
    prompt_tokens, prompt_seconds, seconds: the prompt, the time it took, and the time in all.
    """

    def __init__(
        self,
        session: Session,
        sampler: Sampler,
        detokenizer: Detokenizer,
        stops: StopFilter,
        prompt: Sequence[int],
        end_token: int | None,
        max_tokens: int | None,
    ) -> None:
        self.tokens: list[int] = []
        self.finish_reason: str | None = None
        self.prompt_tokens: int = len(prompt)
        self.prompt_seconds: float = 0.0
        self.seconds: float = 0.0
        self._owned = (detokenizer, sampler, session)
        self._session = session
        self._sampler = sampler
        self._detokenizer = detokenizer
        self._stops = stops
        self._pending: Sequence[int] = prompt
        self._end_token = end_token
        self._max_tokens = max_tokens
        self._context = session.state.context

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        start = time.perf_counter()
        try:
            while self.finish_reason is None:
                piece = self._advance()
                if piece:
                    return piece
        except BaseException:
            self.close()
            raise
        finally:
            self.seconds += time.perf_counter() - start
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops and frees the session; a second time does nothing."""
        self._finish("closed")

    def _advance(self) -> str:
        """Feeds what is pending, chooses a token, and returns the text that it completes."""
        if self._max_tokens is not None and len(self.tokens) >= self._max_tokens:
            return self._finish("length")
        if self.tokens and self._session.position + len(self._pending) > self._context:
            return self._finish("context")
        start = time.perf_counter()
        self._session.feed(self._pending)
        if not self.tokens:
            self.prompt_seconds = time.perf_counter() - start
        token = self._sampler._sample(self._session._handle)
        if token == self._end_token:
            return self._finish("end")
        self.tokens.append(token)
        self._pending = [token]
        piece = self._stops.next(self._detokenizer.next(self._pending))
        return piece + self._finish("stop") if self._stops.stopped else piece

    def _finish(self, reason: str) -> str:
        """Frees everything and returns the text that was held back."""
        if self.finish_reason is not None:
            return ""
        self.finish_reason = reason
        rest = ""
        if reason not in ("stop", "closed"):
            rest = self._stops.next(self._detokenizer.end())
            if not self._stops.stopped:
                rest += self._stops.end()
        for owned in self._owned:
            owned.close()
        return rest
