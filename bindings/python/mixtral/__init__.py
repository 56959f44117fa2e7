"""Quantised Mistral and Mixtral models inside your own program.

    from mixtral import Model

    with Model("model.gguf") as model:
        for piece in model.generate("Once upon a time", max_tokens=64, temperature=0.7, seed=1):
            print(piece, end="", flush=True)

Objects are freed by close(), by leaving `with`, or when they are collected, in any order. Calls of
the library run without Python's lock. NumPy is used when it is there and never needed.
"""

from __future__ import annotations

from . import _raw
from ._callbacks import Allocator
from ._errors import (
    BufferTooSmallError,
    BusyError,
    CancelledError,
    ChangedError,
    ContextFullError,
    ForkedError,
    InputOutputError,
    InternalError,
    InvalidArgumentError,
    InvalidHandleError,
    LimitExceededError,
    MalformedError,
    MixtralError,
    NotFoundError,
    NumericError,
    OutOfMemoryError,
    UnsupportedError,
)
from ._generate import Generation
from ._model import Info, Model
from ._pack import guard_mappings, pack
from ._sampler import Candidate, Sampler, SamplerOptions
from ._session import Session, SessionState, sample_many, step_many
from ._text import Detokenizer

__version__: str = bytes(_raw.mixtral_version()).decode("ascii")

__all__ = [
    "Allocator",
    "BufferTooSmallError",
    "BusyError",
    "CancelledError",
    "Candidate",
    "ChangedError",
    "ContextFullError",
    "Detokenizer",
    "ForkedError",
    "Generation",
    "Info",
    "InputOutputError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidHandleError",
    "LimitExceededError",
    "MalformedError",
    "MixtralError",
    "Model",
    "NotFoundError",
    "NumericError",
    "OutOfMemoryError",
    "Sampler",
    "SamplerOptions",
    "Session",
    "SessionState",
    "UnsupportedError",
    "__version__",
    "guard_mappings",
    "pack",
    "sample_many",
    "step_many",
]
