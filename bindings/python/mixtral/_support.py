"""Parts that the classes share: handles, ids, numbers, text, buffers, and calls that Ctrl-C can end."""

from __future__ import annotations

import ctypes
import operator
import os
import re
import threading
import weakref
from array import array
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Callable, ClassVar, NoReturn, Union

from . import _raw
from ._callbacks import outcome, run
from ._errors import InvalidArgumentError, check, last_error

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]

# A NumPy float32 array when NumPy is installed, otherwise array('f').
Logits = Any

# Shorter steps end soon enough by themselves; a thread for them would cost more than it gives.
_SHORT_STEP = 16


class Closing:
    """Something with a close(), which `with` calls, and of which there is one."""

    # The advice in place of a copy, for the sentence that refuses it.
    _instead: ClassVar[str]

    def close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # The method that copy, deepcopy and pickle ask for.
        raise TypeError(
            f"a {type(self).__name__} cannot be copied or pickled, as it stands for memory of this "
            f"process; {self._instead}"
        )


class Handle(Closing):
    """Something that mixtral_free frees: by close(), by leaving `with`, or when it is collected.

    A closed object keeps its stale handle, which the library refuses: NULL would mean something else
    in places where NULL is allowed.
    """

    _pointer: ctypes.c_void_p
    _kept: tuple[object, ...]
    _finalizer: weakref.finalize[Any, Any]

    def _create(
        self, create: Callable[..., int], *arguments: object, kept: tuple[object, ...] = ()
    ) -> None:
        """Calls create(pointer to the handle, *arguments), and owns the handle before it is there: an
        interrupt right after the call leaks nothing. `kept` stays alive until the handle is freed."""
        self._pointer = ctypes.c_void_p()
        self._kept = kept
        self._finalizer = weakref.finalize(self, _free, self._pointer, kept)
        try:
            run(create, ctypes.byref(self._pointer), *arguments)
        except BaseException:
            # A traceback may keep the object alive for long.
            self._finalizer()
            raise

    @property
    def _handle(self) -> int:
        return self._pointer.value or 0

    def close(self) -> None:
        """Frees the object; a second time does nothing. Raises BusyError while a call runs on it."""
        if not self._finalizer.alive:
            return
        status, error = outcome(_raw.mixtral_free, self._pointer)
        if status not in (_raw.MIXTRAL_OK, _raw.MIXTRAL_INVALID_HANDLE):
            raise last_error(status)
        # Freed now, or by another thread's close() meanwhile.
        self._finalizer.detach()
        if error is not None:
            raise error

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return not self._finalizer.alive


def _free(pointer: ctypes.c_void_p, _kept: object) -> None:
    _, error = outcome(_raw.mixtral_free, pointer)
    if error is not None:
        raise error


MOST_THREADS = 512


def in_range(name: str, value: int, most: int, least: int = 0) -> int:
    """`value` as an integer that C gets as it is: ctypes would wrap another without a word."""
    number = operator.index(value)
    if not least <= number <= most:
        raise InvalidArgumentError(f"{name} is {number}; allowed {least}..{most}")
    return number


# Halves of surrogate pairs, but for those that stand for a byte.
_LONE_SURROGATES = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def text_bytes(name: str, text: str | bytes) -> bytes:
    """UTF-8 of a text, and a copy of bytes that may change.

    A surrogate pair is its character and a lone surrogate U+FFFD, but for those that Python's
    surrogateescape makes of stray bytes, as in sys.argv: they become these bytes again.
    """
    if isinstance(text, str):
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError:
            paired = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
            return _LONE_SURROGATES.sub("\ufffd", paired).encode("utf-8", "surrogateescape")
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    raise TypeError(f"{name} must be str or bytes, not {type(text).__name__}")


def token_array(ids: Iterable[int]) -> array[int]:
    """The ids as 32-bit integers: a copy, which nobody changes during a call."""
    if isinstance(ids, array) and ids.typecode == "i" and ids.itemsize == 4:
        return array("i", ids)
    if isinstance(ids, (str, bytes, bytearray)):
        raise TypeError(f"ids must be integers, not {type(ids).__name__}")
    values = [operator.index(one) for one in ids]
    try:
        return array("i", values)
    except OverflowError:
        index = next(i for i, one in enumerate(values) if not -(1 << 31) <= one < 1 << 31)
        raise InvalidArgumentError(
            f"tokens[{index}] is {values[index]}; allowed 0..{(1 << 31) - 1}"
        ) from None


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


def copied_floats(pointer: Any, count: int) -> Logits:
    """A copy of floats that belong to C: what a callback is given may be kept."""
    vector = float_vector(count)
    ctypes.memmove(c_floats(vector), pointer, 4 * count)
    return vector


def write_floats(pointer: Any, count: int, vector: Logits) -> None:
    """Writes a copy back over the floats of C."""
    changed = memoryview(vector).cast("B")
    if changed.nbytes != 4 * count:
        raise InvalidArgumentError(
            f"the filter left logits of {changed.nbytes} bytes; allowed {4 * count}, as they came"
        )
    ctypes.memmove(pointer, changed.tobytes(), 4 * count)


def run_step(handles: Sequence[int], token_count: int, call: Callable[[], int]) -> None:
    """Runs a step. Ctrl-C ends a long one within a layer's time: Python shows signals to the main
    thread only between its own instructions, so the step runs beside it and is cancelled.

    Where no thread can be started it runs in place, and Ctrl-C waits for its end."""
    if token_count <= _SHORT_STEP or threading.current_thread() is not threading.main_thread():
        run(call)
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
            run(call)
        except BaseException as error:  # noqa: BLE001
            failure.append(error)
        finally:
            done.set()

    try:
        # The interrupt may come anywhere, also while the thread starts: the gate decides.
        if not _started(threading.Thread(target=work, name="mixtral-step", daemon=True)):
            work()
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


def _started(thread: threading.Thread) -> bool:
    """Starts the thread; False where there can be none: a limit of the system's, or the end of Python."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True


def path_bytes(path: Path) -> bytes:
    try:
        return without_nul("path", os.fsencode(path))
    except UnicodeEncodeError as error:
        raise InvalidArgumentError(
            f"path has {ascii(error.object[error.start])} at index {error.start}, which no name of a "
            "file can hold"
        ) from None


def without_nul(name: str, text: bytes) -> bytes:
    if b"\0" in text:
        raise InvalidArgumentError(f"{name} has a NUL byte")
    return text
