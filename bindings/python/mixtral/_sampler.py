"""How a token is chosen."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any, Callable, ClassVar, NamedTuple, Optional, TypedDict

from . import _raw
from ._callbacks import filter_callback, run
from ._errors import check
from ._support import Handle, Logits, copied_floats, in_range, write_floats

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
    above 0: top_k, typical_p, top_p, min_p, temperature, one draw.

    seed: what the random numbers begin with: a seed gives the same tokens for ever and on every machine.
        None: the system draws one, each time another; `Sampler.seed` says which.
    logit_bias: token to what is added to its logit; -inf bans it.
    filter: called with the logits, which it may change; returning True stops with CancelledError.
    report: how many candidates `report()` gives.
    """

    seed: int
    _instead: ClassVar[str] = "make another with the same options"

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
        seed: int | None = None,
        logit_bias: Mapping[int, float] | None = None,
        filter: Filter | None = None,
    ) -> None:
        # The exception of the filter in the call that runs.
        self._raised: list[BaseException | None] = [None]
        callback = filter_callback(_changing(filter), self._raised)
        biases = _bias_array(logit_bias or {})
        options = _raw.mixtral_sampler_options(
            struct_size=ctypes.sizeof(_raw.mixtral_sampler_options),
            top_k=in_range("top_k", top_k, (1 << 32) - 1),
            temperature=temperature,
            top_p=top_p,
            min_p=min_p,
            typical_p=typical_p,
            repetition_penalty=repetition_penalty,
            frequency_penalty=frequency_penalty,
            presence_penalty=presence_penalty,
            penalty_window=in_range("penalty_window", penalty_window, (1 << 32) - 1),
            report=in_range("report", report, (1 << 32) - 1),
            random_seed=seed is None,
            seed=0 if seed is None else in_range("seed", seed, (1 << 64) - 1),
            bias=biases,
            bias_count=len(biases),
            filter=callback,
        )
        self._create(_raw.mixtral_sampler_create, ctypes.byref(options), kept=(callback,))
        begun = ctypes.c_uint64()
        check(_raw.mixtral_sampler_seed(ctypes.byref(begun), self._handle))
        self.seed = begun.value
        # How many random numbers were used: a draw takes one, greedy choice none.
        self._numbers = 0
        self._draws: bool = options.temperature > 0

    def report(self) -> list[Candidate]:
        """Candidates of the last draw: the token drawn, then the `report` likeliest, best first."""
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
        run(_raw.mixtral_sample, ctypes.byref(token), session, self._handle)
        self._numbers += self._draws
        return token.value


def _changing(filter: Filter | None) -> Callable[[Any, int], object] | None:
    """The filter over the floats of C. It gets a copy, since it may keep what it is given."""
    if filter is None:
        return None
    user_filter = filter

    def call(pointer: Any, count: int) -> bool:
        logits = copied_floats(pointer, count)
        if user_filter(logits):
            return True
        write_floats(pointer, count, logits)
        return False

    return call


def _bias_array(biases: Mapping[int, float]) -> Any:
    array = (_raw.mixtral_logit_bias * len(biases))()
    for entry, (token, bias) in zip(array, biases.items()):
        entry.token = in_range("a token of logit_bias", token, (1 << 31) - 1)
        entry.bias = bias
    return array
