"""What the classes share: handles, ids, numbers, buffers, and calls that Ctrl-C can end."""

from __future__ import annotations

import ctypes
import logging
import operator
import os
import threading
import weakref
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional, Protocol, Union

from . import _raw
from ._errors import InvalidArgumentError, check, last_error

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

# Called with what is done and all there is; True stops.
Progress = Callable[[int, int], Optional[bool]]

# Called with a level of `logging` and a sentence; True stops. The log method of a logger is one.
Log = Callable[[int, str], Optional[bool]]
_LEVELS = {_raw.MIXTRAL_LOG_INFO: logging.INFO, _raw.MIXTRAL_LOG_WARNING: logging.WARNING}

# A NumPy float32 array when NumPy is installed, otherwise array('f').
Logits = Any

# Shorter steps end soon enough by themselves; a thread for them would cost more than it gives.
_SHORT_STEP = 16


class Allocator(Protocol):
    """Gives the memory of a model and its sessions. Called on the threads that use these, until the last
    of them is closed; what uses this package there is a BusyError."""

    def allocate(self, size: int, alignment: int) -> int | None:
        """The address of `size` bytes, a multiple of `alignment`. None is an OutOfMemoryError, and so is
        an exception, but for one while the model is loaded, which Model() raises."""

    def release(self, address: int, size: int) -> None:
        """Takes back what allocate() gave, with the same size."""


class Handle:
    """Something that mixtral_free frees: by close(), by leaving `with`, or when it is collected.

    A closed object keeps its stale handle, which the library refuses: NULL would mean something else
    in places where NULL is allowed.
    """

    _handle: int
    _finalizer: weakref.finalize[Any, Any]

    def _own(self, handle: int, *kept: object) -> None:
        """Takes over a handle; `kept` stays alive until the handle is freed."""
        self._handle = handle
        self._kept = kept
        self._finalizer = weakref.finalize(self, _free, handle, *kept)

    def close(self) -> None:
        """Frees the object; a second time does nothing. Raises BusyError while a call runs on it."""
        if self._finalizer.detach() is None:
            return
        status = _raw.mixtral_free(self._handle)
        if status == _raw.MIXTRAL_BUSY:
            busy = last_error(status)
            self._own(self._handle, *self._kept)
            raise busy
        check(status)

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return not self._finalizer.alive


def _free(handle: int, *_kept: object) -> None:
    _raw.mixtral_free(handle)


def unsigned(name: str, value: int, bits: int = 32) -> int:
    """`value` as an unsigned number of so many bits: ctypes would wrap it without a word."""
    number = operator.index(value)
    if not 0 <= number < 1 << bits:
        raise InvalidArgumentError(f"{name} is {number}; allowed 0..{(1 << bits) - 1}")
    return number


def signed(name: str, value: int, bits: int = 64) -> int:
    """`value` as a signed number of so many bits."""
    number = operator.index(value)
    limit = 1 << (bits - 1)
    if not -limit <= number < limit:
        raise InvalidArgumentError(f"{name} is {number}; allowed {-limit}..{limit - 1}")
    return number


def text_bytes(text: str | bytes) -> bytes:
    """UTF-8; what Python's surrogateescape made of stray bytes becomes those bytes again."""
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    raise TypeError(f"text must be str or bytes, not {type(text).__name__}")


def token_array(ids: Iterable[int]) -> array[int]:
    """The ids as 32-bit integers."""
    if isinstance(ids, array) and ids.typecode == "i" and ids.itemsize == 4:
        return ids
    if isinstance(ids, (str, bytes, bytearray)):
        raise TypeError(f"ids must be integers, not {type(ids).__name__}")
    values = [operator.index(one) for one in ids]
    try:
        return array("i", values)
    except OverflowError:
        index = next(i for i, one in enumerate(values) if not -(1 << 31) <= one < 1 << 31)
        raise InvalidArgumentError(f"token {index} is {values[index]}; not a token id") from None


def c_tokens(ids: array[int]) -> Any:
    """A view of the ids for C. Valid while the array lives."""
    return (_raw.mixtral_token * len(ids)).from_buffer(ids)


def byte_text(call: Callable[[Any, Any, int], int], guess: int) -> bytes:
    """Bytes of a two-call function, asked for with a buffer that is likely to suffice.

    `call` gets the pointer to the needed size, the buffer and the buffer's capacity.
    """
    size = ctypes.c_size_t()
    capacity = guess
    while True:
        buffer = (ctypes.c_char * capacity)()
        status = call(ctypes.byref(size), buffer, capacity)
        if status == _raw.MIXTRAL_BUFFER_TOO_SMALL and size.value > capacity:
            capacity = size.value
            continue
        check(status)
        return buffer.raw[: size.value]


def _numpy() -> Any:
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def float_vector(count: int) -> Logits:
    """`count` floats to be filled."""
    numpy = _numpy()
    return array("f", bytes(4 * count)) if numpy is None else numpy.empty(count, numpy.float32)


def float_rows(vector: Logits, width: int) -> Logits:
    """The vector as rows: a 2-D NumPy array, or a list of arrays."""
    if isinstance(vector, array):
        return [vector[start : start + width] for start in range(0, len(vector), width)]
    return vector.reshape(-1, width)


def c_floats(vector: Logits) -> Any:
    """A view of the floats for C. Valid while the vector lives."""
    return (ctypes.c_float * len(vector)).from_buffer(vector)


def borrowed_floats(pointer: Any, count: int) -> Logits:
    """Floats that belong to C, to be read and changed in place while a callback runs."""
    floats = ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float * count)).contents
    view = memoryview(floats).cast("B").cast("f")
    numpy = _numpy()
    return view if numpy is None else numpy.frombuffer(view, dtype=numpy.float32)


def run_step(handles: Sequence[int], token_count: int, call: Callable[[], int]) -> None:
    """Runs a step. Ctrl-C ends a long one within a layer's time: Python shows signals to the main
    thread only between its own instructions, so the step runs beside it and is cancelled."""
    if token_count <= _SHORT_STEP or threading.current_thread() is not threading.main_thread():
        check(call())
        return
    gate = threading.Lock()
    begun = abandoned = False
    done = threading.Event()
    failure: list[BaseException] = []

    def work() -> None:
        nonlocal begun
        with gate:
            if abandoned:
                return
            begun = True
        try:
            check(call())
        except BaseException as error:  # noqa: BLE001
            failure.append(error)
        finally:
            done.set()

    try:
        # The interrupt may come anywhere, also while the thread starts: the gate decides.
        threading.Thread(target=work, name="mixtral-step", daemon=True).start()
        done.wait()
    except BaseException:
        with gate:
            abandoned = True
        while begun and not done.is_set():
            for handle in handles:
                _raw.mixtral_cancel(handle)
            done.wait(0.01)
        raise
    if failure:
        raise failure[0]


def progress_callback(progress: Progress | None, raised: list[BaseException]) -> Any:
    # Without a progress function too: Python's turn to see Ctrl-C while a large file is read.
    def call(done: int, total: int, _user: Any) -> int:
        try:
            return 1 if progress is not None and progress(done, total) else 0
        except BaseException as error:  # noqa: BLE001
            raised.append(error)
            return 1

    return _raw.progress_callback(call)


def allocator_callbacks(
    allocator: Allocator | None, raised: list[BaseException]
) -> tuple[Any, Any]:
    """To be kept for as long as something of the model lives."""
    if allocator is None:
        return _raw.allocate_callback(), _raw.release_callback()

    def allocate(size: int, alignment: int, _user: Any) -> int | None:
        # What ctypes returns for a callback that raises is no address.
        try:
            address = allocator.allocate(size, alignment)
            return None if address is None else operator.index(address)
        except BaseException as error:  # noqa: BLE001
            raised[:] = [error]
            return None

    return (
        _raw.allocate_callback(allocate),
        _raw.release_callback(lambda address, size, _user: allocator.release(address, size)),
    )


def log_callback(log: Log | None, raised: list[BaseException]) -> Any:
    if log is None:
        return _raw.log_callback()

    def call(level: int, text: bytes, _size: int, _user: Any) -> int:
        try:
            return 1 if log(_LEVELS[level], text.decode("utf-8")) else 0
        except BaseException as error:  # noqa: BLE001
            raised.append(error)
            return 1

    return _raw.log_callback(call)


def path_bytes(path: Path) -> bytes:
    return without_nul("path", os.fsencode(path))


def without_nul(name: str, text: bytes) -> bytes:
    if b"\0" in text:
        raise InvalidArgumentError(f"{name} has a NUL byte")
    return text
