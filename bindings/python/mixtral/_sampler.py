"""How a token is chosen."""

from __future__ import annotations

import ctypes
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, TypedDict

from . import _raw
from ._errors import check
from ._support import Handle, Logits, borrowed_floats, signed, unsigned

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

Filter = Callable[[Logits], Optional[bool]]


class SamplerOptions(TypedDict, total=False):
    """The options of `Sampler`, for those who pass them on."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    repetition_penalty: float
    frequency_penalty: float
    presence_penalty: float
    penalty_window: int
    report: int
    seed: int | None
    logit_bias: Mapping[int, float] | None
    filter: Filter | None


class Candidate(NamedTuple):
    """A token that could be chosen, as the model saw it before any option."""

    token: int
    logit: float
    log_probability: float


class Sampler(Handle):
    """Chooses tokens. With no option: the likeliest token, ties to the lower id.

    Zero switches an option off. The order: filter, logit_bias, penalties, then for a temperature
    above 0: top_k, typical_p, top_p, min_p, temperature, one draw. A seed gives the same tokens on
    every machine; `seed=None` takes one from the system (`Sampler.seed` says which).

    logit_bias: token to what is added to its logit; -inf bans it.
    filter: called with the logits, which it may change; returning True stops with CancelledError.
    report: how many candidates `report()` gives.
    """

    seed: int

    def __init__(
        self,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 0.0,
        min_p: float = 0.0,
        typical_p: float = 0.0,
        repetition_penalty: float = 0.0,
        frequency_penalty: float = 0.0,
        presence_penalty: float = 0.0,
        penalty_window: int = 0,
        report: int = 0,
        seed: int | None = 0,
        logit_bias: Mapping[int, float] | None = None,
        filter: Filter | None = None,
    ) -> None:
        self.seed = secrets.randbits(64) if seed is None else unsigned("seed", seed, 64)
        # What the filter raised; a holder of its own, so that the callback does not hold `self`.
        self._raised: list[BaseException] = []
        callback = _filter_callback(filter, self._raised)
        biases = _bias_array(logit_bias or {})
        options = _raw.mixtral_sampler_options(
            struct_size=ctypes.sizeof(_raw.mixtral_sampler_options),
            top_k=unsigned("top_k", top_k),
            temperature=temperature,
            top_p=top_p,
            min_p=min_p,
            typical_p=typical_p,
            repetition_penalty=repetition_penalty,
            frequency_penalty=frequency_penalty,
            presence_penalty=presence_penalty,
            penalty_window=unsigned("penalty_window", penalty_window),
            report=unsigned("report", report),
            seed=self.seed,
            bias=biases,
            bias_count=len(biases),
            filter=callback,
        )
        handle = ctypes.c_void_p()
        check(_raw.mixtral_sampler_create(ctypes.byref(handle), ctypes.byref(options)))
        self._own(handle.value or 0, callback)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def report(self) -> list[Candidate]:
        """What the last draw saw: the token drawn, then the `report` likeliest, best first."""
        count = ctypes.c_size_t()
        needed = ctypes.byref(count)
        status = _raw.mixtral_sample_report(needed, None, 0, self._handle)
        if status != _raw.MIXTRAL_BUFFER_TOO_SMALL:
            check(status)
        buffer = (_raw.mixtral_candidate * count.value)()
        check(_raw.mixtral_sample_report(needed, buffer, count.value, self._handle))
        return [
            Candidate(one.token, one.logit, one.log_probability) for one in buffer[: count.value]
        ]

    def _sample(self, session: int) -> int:
        token = _raw.mixtral_token()
        self._raised.clear()
        status = _raw.mixtral_sample(ctypes.byref(token), session, self._handle)
        if status == _raw.MIXTRAL_CANCELLED and self._raised:
            raise self._raised.pop()
        check(status)
        return token.value


def _filter_callback(filter: Filter | None, raised: list[BaseException]) -> Any:
    if filter is None:
        return _raw.filter_callback()
    user_filter = filter

    def call(logits: Any, count: int, _user: Any) -> int:
        # An exception must not cross C: it is kept, the call stopped, and raised after it.
        try:
            return 1 if user_filter(borrowed_floats(logits, count)) else 0
        except BaseException as error:  # noqa: BLE001
            raised.append(error)
            return 1

    return _raw.filter_callback(call)


def _bias_array(biases: Mapping[int, float]) -> Any:
    array = (_raw.mixtral_logit_bias * len(biases))()
    for entry, (token, bias) in zip(array, biases.items()):
        entry.token = signed("a token of logit_bias", token, 32)
        entry.bias = bias
    return array
