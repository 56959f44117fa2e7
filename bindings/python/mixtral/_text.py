"""Tokens to text while they come, and the words that end a text."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import ClassVar

from . import _raw
from ._errors import InvalidArgumentError
from ._support import Handle, byte_text, c_tokens, text_bytes, token_array

# Bytes of most pieces, so that one call usually suffices.
_PIECE_GUESS = 16


class Detokenizer(Handle):
    """Made by `Model.detokenizer`. Tokens in, whole characters out; what is incomplete waits."""

    _instead: ClassVar[str] = "make another by Model.detokenizer"

    def __init__(self, model: int, flags: int) -> None:
        self._create(_raw.mixtral_detokenizer_create, model, flags)

    def next(self, ids: Iterable[int]) -> str:
        """The text that these tokens complete. Bytes that are no UTF-8 become U+FFFD."""
        return self.next_bytes(ids).decode("utf-8", "replace")

    def next_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that these tokens complete."""
        tokens = token_array(ids)
        # No tokens would mean the end to the library.
        return self._feed(tokens) if tokens else b""

    def end(self) -> str:
        """Ends the text: what was held back, as it is."""
        return self.end_bytes().decode("utf-8", "replace")

    def end_bytes(self) -> bytes:
        """Ends the text: the bytes that were held back."""
        return self._feed(token_array(()))

    def _feed(self, tokens: array[int]) -> bytes:
        pointer = c_tokens(tokens)
        return byte_text(
            lambda size, buffer, capacity: _raw.mixtral_detokenizer_next(
                size, buffer, capacity, self._handle, pointer, len(tokens)
            ),
            _PIECE_GUESS * (len(tokens) + 1),
        )


class StopFilter:
    """Passes text on until a stop string comes; holds back what may become one."""

    def __init__(self, stops: str | Sequence[str] | None) -> None:
        self._stops = [stops] if isinstance(stops, str) else list(stops or ())
        for index, stop in enumerate(self._stops):
            if not isinstance(stop, str):
                raise TypeError(f"stop {index} must be str, not {type(stop).__name__}")
            if not stop:
                raise InvalidArgumentError(f"stop {index} is empty")
            # As the text comes: no surrogates.
            self._stops[index] = text_bytes("stop", stop).decode("utf-8", "replace")
        self._held = ""
        self.stopped: bool = False

    @property
    def strings(self) -> list[str]:
        return self._stops

    def next(self, piece: str) -> str:
        """The text that can be shown now. Sets `stopped` when a stop string was completed."""
        if not self._stops:
            return piece
        text = self._held + piece
        found = [at for at in map(text.find, self._stops) if at >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def end(self) -> str:
        """The text that was held back and became no stop string."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-length:]):
            return length
    return 0
