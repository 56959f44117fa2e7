"""Turns of a conversation as token ids, for `python -m mixtral chat`.

What a person typed is always tokenised plain: it can never become a control token. Text between two
control tokens is tokenised as one.
"""

from __future__ import annotations

from typing import Protocol

from ._errors import NotFoundError
from ._model import Model

# The words of this family's own template when a conversation has no system message.
_SMOLLM2_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


class Format(Protocol):
    """A chat format: the ids of the next user turn, up to where the answer begins."""

    end_token: int | None

    def turn(self, text: str) -> list[int]: ...


class ChatML:
    """<|im_start|>role, newline, text, <|im_end|>, newline."""

    def __init__(self, model: Model, system: str | None) -> None:
        self._model = model
        self._start = _control(model, "<|im_start|>")
        self._end = _control(model, "<|im_end|>")
        self._system = _default_system(model) if system is None else system
        self._first = True
        self.end_token: int | None = self._end[0] if len(self._end) == 1 else None

    def turn(self, text: str) -> list[int]:
        if self._first:
            ids = [] if self._system is None else self._message("system", self._system)
        else:
            # The answer's own end was chosen, and not fed.
            ids = [*self._end, *self._model.tokenize("\n")]
        self._first = False
        ids += self._message("user", text)
        return [*ids, *self._start, *self._model.tokenize("assistant\n")]

    def _message(self, role: str, text: str) -> list[int]:
        plain = self._model.tokenize(f"{role}\n{text}")
        return [*self._start, *plain, *self._end, *self._model.tokenize("\n")]


class Instruct:
    """[INST] text [/INST] answer </s>, as Mistral's own models know it."""

    def __init__(self, model: Model, system: str | None) -> None:
        self._model = model
        self._system = system
        self._first = True
        self._open = _control(model, "[INST]")
        self._close = _control(model, "[/INST]")
        self.end_token = model.info.eos_token

    def turn(self, text: str) -> list[int]:
        ids = [self._model.info.bos_token if self._first else self._model.info.eos_token]
        if self._first and self._system is not None:
            text = f"{self._system}\n\n{text}"
        self._first = False
        if len(self._open) == 1 and len(self._close) == 1:
            body = [*self._open, *self._model.tokenize(text), *self._close]
        else:
            # The first Mistral's tokenizer has no such control tokens: they are plain text.
            body = self._model.tokenize(f"[INST] {text} [/INST]")
        return [one for one in ids if one is not None] + body


def chat_format(model: Model, system: str | None) -> Format:
    """ChatML when the vocabulary has its control token, otherwise Mistral's format."""
    if len(_control(model, "<|im_start|>")) == 1:
        return ChatML(model, system)
    return Instruct(model, system)


def _control(model: Model, spelling: str) -> list[int]:
    """The ids of a control token's spelling: one id when the vocabulary has it."""
    return model.tokenize(spelling, special=True, continuation=True)


def _default_system(model: Model) -> str | None:
    try:
        template = str(model.metadata("tokenizer.chat_template"))
    except NotFoundError:
        return None
    return _SMOLLM2_SYSTEM if _SMOLLM2_SYSTEM in template else None
