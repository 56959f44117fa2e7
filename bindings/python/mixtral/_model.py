"""A model: loading, its description, its tokenizer, and the ways to run it."""

from __future__ import annotations

import ctypes
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from . import _raw
from ._callbacks import (
    Allocator,
    Log,
    Progress,
    allocator_callbacks,
    log_callback,
    progress_callback,
)
from ._errors import InvalidArgumentError, check
from ._generate import Generation
from ._sampler import Sampler, SamplerOptions
from ._session import Session
from ._support import (
    MOST_THREADS,
    Handle,
    Path,
    byte_text,
    c_tokens,
    in_range,
    path_bytes,
    text_bytes,
    token_array,
    without_nul,
)
from ._text import Detokenizer, StopFilter

if TYPE_CHECKING:
    from typing_extensions import Unpack

ISA_NUMBERS = {
    "reference": _raw.MIXTRAL_ISA_REFERENCE,
    "avx2": _raw.MIXTRAL_ISA_AVX2,
    "avxvnni": _raw.MIXTRAL_ISA_AVXVNNI,
    "avx512": _raw.MIXTRAL_ISA_AVX512,
    "neon": _raw.MIXTRAL_ISA_NEON,
    "dotprod": _raw.MIXTRAL_ISA_DOTPROD,
    "i8mm": _raw.MIXTRAL_ISA_I8MM,
}
_ISA_NAMES = {number: name for name, number in ISA_NUMBERS.items()}
_CACHE_NUMBERS = {"f16": _raw.MIXTRAL_CACHE_F16, "q8_0": _raw.MIXTRAL_CACHE_Q8_0}
# Bytes of a prompt in which the spelling of a control token is looked for.
_LONGEST_SPELLING = 128
_TOKENS = ("bos_token", "eos_token", "unknown_token", "padding_token")


@dataclass(frozen=True)
class Info:
    """A model described. Sizes in bytes, widths in values; None for a token that the file lacks."""

    layers: int
    hidden_width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward_width: int
    experts: int
    experts_used: int
    vocabulary: int
    context_length: int
    sliding_window: int
    bos_token: int | None
    eos_token: int | None
    unknown_token: int | None
    padding_token: int | None
    threads: int
    isa: str
    batch: int
    tied_embeddings: bool
    rope_base: float
    norm_epsilon: float
    parameters: int
    active_parameters: int
    file_size: int
    weight_size: int
    scratch_size: int
    cache_size_per_position: int
    tensors: int
    unused_tensors: int


class Model(Handle):
    """A GGUF model of the Mistral family, loaded and ready.

    threads: None for the processors that this process may use.
    isa: None for the best; "reference", or "avx2", "avxvnni", "avx512", "neon", "dotprod" or "i8mm"
        where the processor has it. All give the same bits.
    sliding_window: positions a token sees; None as the file says, -1 for all.
    experts_used: experts a token; None as the file says.
    batch: rows computed in one pass; None for the default.
    map: map the weights of a packed file (see pack()) instead of reading them.
    progress: called with bytes done and in all; returning True ends with CancelledError.
    log: called while loading with a level of `logging` and a sentence, as the log method of a logger is;
        returning True ends with CancelledError.
    allocator: gives the memory of the weights, buffers and sessions; None for the system.

    Safe to use from many threads. Sessions outlive the model's close().
    """

    info: Info
    stop_tokens: tuple[int, ...]
    _instead: ClassVar[str] = "share this one between threads, or open the file again"

    def __init__(
        self,
        path: Path,
        *,
        threads: int | None = None,
        isa: str | None = None,
        sliding_window: int | None = None,
        experts_used: int | None = None,
        batch: int | None = None,
        map: bool = False,
        progress: Progress | None = None,
        log: Log | None = None,
        allocator: Allocator | None = None,
    ) -> None:
        callback = progress_callback(progress)
        self._memory = allocator_callbacks(allocator)
        options = _raw.mixtral_load_options(
            struct_size=ctypes.sizeof(_raw.mixtral_load_options),
            threads=in_range("threads", threads or 0, MOST_THREADS),
            isa=_isa_number(isa),
            experts_used=in_range("experts_used", experts_used or 0, 512),
            sliding_window=in_range("sliding_window", sliding_window or 0, 1 << 40, -1),
            batch=in_range("batch", batch or 0, 4096),
            map=bool(map),
            progress=callback,
            allocate=self._memory[0],
            release=self._memory[1],
            log=log_callback(log),
        )
        self._create(
            _raw.mixtral_load,
            path_bytes(path),
            ctypes.byref(options),
            kept=(callback, *self._memory),
        )
        self.info = _read_info(self._handle)
        self.stop_tokens = _read_stop_tokens(self._handle)

    def metadata(self, key: str | None = None) -> Any:
        """The value of a GGUF key, or a dict of all (long arrays as their type and count).

        The dict has under "tensors" the count and bytes of each tensor type.
        """
        name = None if key is None else without_nul("key", text_bytes("key", key))
        text = byte_text(
            lambda size, buffer, capacity: _raw.mixtral_model_metadata(
                size, buffer, capacity, self._handle, name
            ),
            4096,
        )
        return json.loads(text.decode("utf-8", "replace"))

    def tokenize(
        self,
        text: str | bytes,
        *,
        bos: bool = False,
        special: bool = False,
        continuation: bool = False,
    ) -> list[int]:
        """Text to ids, exactly as the model's own tokenizer does.

        bos: add what the file says belongs before (and after) a text; with `special` not what the
            text itself begins (or ends) with.
        special: "<s>" and the like become control tokens. For trusted text only.
        continuation: the text continues another; no space is put in front.
        """
        data = text_bytes("text", text)
        flags = (
            _raw.MIXTRAL_TOKENIZE_BOS * bool(bos)
            | _raw.MIXTRAL_TOKENIZE_SPECIAL * bool(special)
            | _raw.MIXTRAL_TOKENIZE_CONTINUE * bool(continuation)
        )
        # Rarely more ids than bytes and what stands before and after.
        capacity = len(data) + 8
        count = ctypes.c_size_t()
        while True:
            buffer = (_raw.mixtral_token * capacity)()
            status = _raw.mixtral_tokenize(
                ctypes.byref(count), buffer, capacity, self._handle, data, len(data), flags
            )
            if status == _raw.MIXTRAL_BUFFER_TOO_SMALL and count.value > capacity:
                capacity = count.value
                continue
            check(status)
            return buffer[: count.value]

    def detokenize(
        self, ids: Iterable[int], *, special: bool = False, continuation: bool = False
    ) -> str:
        """Ids to text; bytes that are no UTF-8 become U+FFFD.

        special: write control tokens as their spelling instead of nothing.
        continuation: the ids continue others; no leading space is taken away.
        """
        data = self.detokenize_bytes(ids, special=special, continuation=continuation)
        return data.decode("utf-8", "replace")

    def detokenize_bytes(
        self, ids: Iterable[int], *, special: bool = False, continuation: bool = False
    ) -> bytes:
        """Ids to bytes, exactly."""
        tokens = token_array(ids)
        pointer = c_tokens(tokens)
        flags = _detokenize_flags(special, continuation)
        return byte_text(
            lambda size, buffer, capacity: _raw.mixtral_detokenize(
                size, buffer, capacity, self._handle, pointer, len(tokens), flags
            ),
            8 * len(tokens) + 64,
        )

    def detokenizer(self, *, special: bool = False, continuation: bool = False) -> Detokenizer:
        """A detokenizer for tokens that come one by one."""
        return Detokenizer(self._handle, _detokenize_flags(special, continuation))

    def session(self, context: int | None = None, *, cache: str = "f16") -> Session:
        """A conversation. context: most positions; None for what the model was made for.

        cache: "f16", or "q8_0" for about half the memory and less reading in long conversations.
        Memory is taken as the conversation grows, so a large context costs nothing at first.
        """
        if cache not in _CACHE_NUMBERS:
            raise InvalidArgumentError(f"cache is {cache!r}; allowed {', '.join(_CACHE_NUMBERS)}")
        options = _raw.mixtral_session_options(
            struct_size=ctypes.sizeof(_raw.mixtral_session_options),
            context=in_range("context", context or 0, 1 << 24),
            cache_type=_CACHE_NUMBERS[cache],
        )
        return Session(
            self.info.vocabulary,
            self._memory,
            _raw.mixtral_session_create,
            self._handle,
            ctypes.byref(options),
        )

    def generate(
        self,
        prompt: str | bytes | Iterable[int],
        *,
        max_tokens: int | None = None,
        stop: str | Sequence[str] | None = None,
        stop_token_ids: Iterable[int] = (),
        context: int | None = None,
        special: bool = False,
        **options: Unpack[SamplerOptions],
    ) -> Generation:
        """Goes on with a prompt, as an iterator of pieces of text.

        prompt: text, which gets the model's BOS, or ids, which are taken as they are.
        special: `[INST]`, `<|im_start|>` and the like in a text become control tokens, and a BOS that
            the text brings is the only one. For trusted text only. Without it a text that begins with
            such a spelling is a UserWarning: it would be read letter by letter.
        max_tokens: most tokens; None: until the model ends or the context is full.
        stop: strings that end the text, themselves not in it; the spelling of a control token, which
            has no text, ends it where the model chooses that token.
        stop_token_ids: tokens that end the text, besides the model's `stop_tokens`.
        options: those of `Sampler`; by default the likeliest token each time.
        """
        if isinstance(prompt, (str, bytes)):
            if not special:
                self._warn_of_spelling(text_bytes("prompt", prompt))
            ids = self.tokenize(prompt, bos=True, special=special)
        else:
            ids = list(token_array(prompt))
        if max_tokens is not None:
            in_range("max_tokens", max_tokens, (1 << 32) - 1)
        stops = StopFilter(stop)
        stop_ids = [*token_array(stop_token_ids), *self._control_tokens(stops.strings)]
        # After nothing but BOS a text begins: only then is a leading space not part of it.
        detokenizer = self.detokenizer(continuation=ids != [self.info.bos_token])
        return Generation(
            session=self.session(context),
            sampler=Sampler(**options),
            detokenizer=detokenizer,
            stops=stops,
            prompt=ids,
            end_tokens=self.stop_tokens,
            stop_tokens=stop_ids,
            max_tokens=max_tokens,
        )

    def _warn_of_spelling(self, prompt: bytes) -> None:
        """For who calls generate(): the prompt looks like a template of a chat."""
        beginning = prompt[:_LONGEST_SPELLING]
        ids = self.tokenize(beginning, special=True, continuation=True)[:1]
        if not ids or self.detokenize_bytes(ids, continuation=True):
            return
        spelling = self.detokenize_bytes(ids, special=True, continuation=True)
        if spelling and beginning.startswith(spelling):
            text = spelling.decode("utf-8", "replace")
            warnings.warn(
                f"the prompt begins with {text!r}, the spelling of a control token, and is read as "
                "plain text; special=True makes it that token, for text that you trust",
                stacklevel=3,
            )

    def _control_tokens(self, spellings: Iterable[str]) -> Iterator[int]:
        """The control tokens among spellings."""
        for spelling in spellings:
            ids = self.tokenize(spelling, special=True, continuation=True)
            if len(ids) == 1 and not self.detokenize_bytes(ids, continuation=True):
                yield ids[0]


def _isa_number(isa: str | None) -> int:
    if isa is None:
        return _raw.MIXTRAL_ISA_AUTO
    if isa not in ISA_NUMBERS:
        raise InvalidArgumentError(f"isa is {isa!r}; allowed {', '.join(ISA_NUMBERS)}")
    return ISA_NUMBERS[isa]


def _detokenize_flags(special: bool, continuation: bool) -> int:
    return _raw.MIXTRAL_DETOKENIZE_SPECIAL * bool(
        special
    ) | _raw.MIXTRAL_DETOKENIZE_CONTINUE * bool(continuation)


def _read_stop_tokens(handle: Any) -> tuple[int, ...]:
    count = ctypes.c_size_t()
    status = _raw.mixtral_model_stop_tokens(ctypes.byref(count), None, 0, handle)
    if status != _raw.MIXTRAL_BUFFER_TOO_SMALL:
        check(status)
    buffer = (_raw.mixtral_token * count.value)()
    check(_raw.mixtral_model_stop_tokens(ctypes.byref(count), buffer, count.value, handle))
    return tuple(buffer)


def _read_info(handle: int) -> Info:
    raw = _raw.mixtral_info(struct_size=ctypes.sizeof(_raw.mixtral_info))
    check(_raw.mixtral_model_info(handle, ctypes.byref(raw)))
    values: dict[str, Any] = {name: getattr(raw, name) for name in Info.__dataclass_fields__}
    for name in _TOKENS:
        values[name] = None if values[name] < 0 else values[name]
    values["isa"] = _ISA_NAMES.get(values["isa"], str(values["isa"]))
    values["tied_embeddings"] = bool(values["tied_embeddings"])
    return Info(**values)
