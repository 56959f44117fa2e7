"""Python functions that C calls, and the calls of C during which it may call them.

An exception cannot cross C. ctypes would print it and give C whatever lay in the memory of the
result, so each callback keeps it, gives C a defined result, and `run` raises it after the call.
"""

from __future__ import annotations

import logging
import operator
import threading
from types import FunctionType
from typing import Any, Callable, Optional, Protocol, TypeVar

from . import _raw
from ._errors import check

# Called with what is done and all there is; True stops.
Progress = Callable[[int, int], Optional[bool]]

# Called with a level of `logging` and a sentence; True stops. The log method of a logger is one.
Log = Callable[[int, str], Optional[bool]]
_LEVELS = {_raw.MIXTRAL_LOG_INFO: logging.INFO, _raw.MIXTRAL_LOG_WARNING: logging.WARNING}


class Allocator(Protocol):
    """Gives the memory of a model and its sessions. Called on the threads that use these, until the last
    of them is closed; what uses this package there is a BusyError."""

    def allocate(self, size: int, alignment: int) -> int | None:
        """The address of `size` bytes, a multiple of `alignment`. None is an OutOfMemoryError; the call
        that needed the memory raises what this raises."""

    def release(self, address: int, size: int) -> None:
        """Takes back what allocate() gave, with the same size. The call that gave it back has done its
        work when it raises what this raises."""


class _Raised(threading.local):
    """The exception of a callback on this thread, until `run` takes it."""

    error: BaseException | None = None


_raised = _Raised()

_Callback = TypeVar("_Callback", bound=Callable[..., Any])


def outcome(call: Callable[..., int], *arguments: Any) -> tuple[int, BaseException | None]:
    """The status of a call of the library, and what a callback raised during it."""
    _stack(_STACK)
    error = None
    try:
        status = call(*arguments)
    finally:
        # Also when an interrupt comes right after the call; nothing here can be interrupted.
        error, _raised.error = _raised.error, None
    return status, error


def run(call: Callable[..., int], *arguments: Any) -> None:
    """Calls the library; raises what a callback raised, otherwise what the status says."""
    status, error = outcome(call, *arguments)
    if error is not None:
        try:
            raise error
        finally:
            # The exception's traceback holds this frame.
            del error
    check(status)


# Python frames that a callback finds free: without room for its first one it would end before its
# first line.
_STACK = 12


def _stack(frames: int) -> None:
    """Raises RecursionError when there is no room for so many frames."""
    if frames:
        _stack(frames - 1)


def guarded(function: _Callback) -> _Callback:
    """`function`, whose body is one `try`, with its first instruction inside the `try` too.

    From Python 3.11 on, an exception of a signal's handler, KeyboardInterrupt among them, is raised at
    the entry of a function, before its first line. What the `except` does must be no call: after one,
    the next signal would be looked for.
    """
    plain: object = function
    if isinstance(plain, FunctionType):
        code = plain.__code__
        table = bytes(getattr(code, "co_exceptiontable", b""))
        if table:
            wider: dict[str, Any] = {
                "co_exceptiontable": _from_the_start(table, len(code.co_code) // 2)
            }
            plain.__code__ = code.replace(**wider)
    return function


def _from_the_start(table: bytes, length: int) -> bytes:
    """An exception table (CPython's InternalDocs/exception_handling.md) whose first entry begins at 0.

    An entry is start, size, target and depth: each in groups of six bits, the highest first, with bit 6
    where another group follows; bit 7 marks where an entry begins.
    """
    numbers: list[int] = []
    number = place = 0
    while len(numbers) < 4 and place < len(table):
        number = number << 6 | table[place] & 63
        if not table[place] & 64:
            numbers.append(number)
            number = 0
        place += 1
    if len(numbers) < 4 or not table[0] & 128:
        return table
    start, size, target, depth = numbers
    if depth != 0 or not start + size <= target < length:
        return table
    first = b"".join(map(_groups, (0, start + size, target, depth)))
    return bytes([first[0] | 128]) + first[1:] + table[place:]


def _groups(number: int) -> bytes:
    groups = [number & 63]
    while number := number >> 6:
        groups.insert(0, number & 63 | 64)
    return bytes(groups)


def progress_callback(progress: Progress | None) -> Any:
    # Without a progress function too: Python's turn to see Ctrl-C while a large file is read.
    @guarded
    def call(done: int, total: int, _user: Any) -> int:
        try:
            return 1 if progress is not None and progress(done, total) else 0
        except BaseException as error:  # noqa: BLE001
            _raised.error = error
            return 1

    return _raw.progress_callback(call)


def log_callback(log: Log | None) -> Any:
    if log is None:
        return _raw.log_callback()

    @guarded
    def call(level: int, text: bytes, _size: int, _user: Any) -> int:
        try:
            return 1 if log(_LEVELS[level], text.decode("utf-8")) else 0
        except BaseException as error:  # noqa: BLE001
            _raised.error = error
            return 1

    return _raw.log_callback(call)


def filter_callback(
    filter: Callable[[Any, int], object] | None, raised: list[BaseException | None]
) -> Any:
    """Of a function that gets the pointer to the logits and their count.

    What it raises is put into `raised`, a list of one entry, as well: several filters may raise in one
    call of the library.
    """
    if filter is None:
        return _raw.filter_callback()

    @guarded
    def call(logits: Any, count: int, _user: Any) -> int:
        try:
            return 1 if filter(logits, count) else 0
        except BaseException as error:  # noqa: BLE001
            _raised.error = raised[0] = error
            return 1

    return _raw.filter_callback(call)


def allocator_callbacks(allocator: Allocator | None) -> tuple[Any, Any]:
    """To be kept for as long as something of the model lives."""
    if allocator is None:
        return _raw.allocate_callback(), _raw.release_callback()

    @guarded
    def allocate(size: int, alignment: int, _user: Any) -> int | None:
        try:
            address = allocator.allocate(size, alignment)
            return None if address is None else operator.index(address)
        except BaseException as error:  # noqa: BLE001
            _raised.error = error
            return None

    @guarded
    def release(address: int, size: int, _user: Any, begun: bool = False) -> None:
        try:
            _stack(0)  # A signal that waits is seen here at the latest.
            begun = True
            allocator.release(address, size)
        except BaseException as error:  # noqa: BLE001
            _raised.error = error
            if begun:
                return
            # An interrupt before the call: the block goes back all the same.
            try:
                allocator.release(address, size)
            except BaseException as later:  # noqa: BLE001
                _raised.error = later

    return _raw.allocate_callback(allocate), _raw.release_callback(release)
