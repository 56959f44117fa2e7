"""An exception class a status. Each is also the builtin that a Python program would expect."""

from __future__ import annotations

from . import _raw


class MixtralError(Exception):
    """A call failed. `status` is the C status; the text is the library's own sentence."""

    status: int = _raw.MIXTRAL_INTERNAL

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class InvalidArgumentError(MixtralError, ValueError):
    """An argument is out of range; the text names it and its range."""

    status = _raw.MIXTRAL_INVALID_ARGUMENT


class InvalidHandleError(MixtralError, ValueError):
    """The object was closed before."""

    status = _raw.MIXTRAL_INVALID_HANDLE


class NotFoundError(MixtralError, FileNotFoundError, LookupError):
    """There is no such file, or no such metadata key."""

    status = _raw.MIXTRAL_NOT_FOUND


class InputOutputError(MixtralError, OSError):
    """The system refused to open or to read the file."""

    status = _raw.MIXTRAL_IO


class MalformedError(MixtralError, ValueError):
    """The content of the file is wrong; the text says which field."""

    status = _raw.MIXTRAL_MALFORMED


class UnsupportedError(MixtralError, NotImplementedError):
    """Well-formed, but nothing that this library runs."""

    status = _raw.MIXTRAL_UNSUPPORTED


class LimitExceededError(MixtralError, ValueError):
    """Beyond one of the library's own ceilings."""

    status = _raw.MIXTRAL_LIMIT_EXCEEDED


class OutOfMemoryError(MixtralError, MemoryError):
    """The system gave no memory."""

    status = _raw.MIXTRAL_OUT_OF_MEMORY


class ContextFullError(MixtralError, RuntimeError):
    """The session has no room for the tokens; none of them was fed."""

    status = _raw.MIXTRAL_CONTEXT_FULL


class BufferTooSmallError(MixtralError, BufferError):
    """A buffer was too small; this package never lets it happen."""

    status = _raw.MIXTRAL_BUFFER_TOO_SMALL


class CancelledError(MixtralError, RuntimeError):
    """The call was ended by `Session.cancel` or by a callback."""

    status = _raw.MIXTRAL_CANCELLED


class BusyError(MixtralError, RuntimeError):
    """The object is in use by another call."""

    status = _raw.MIXTRAL_BUSY


class ChangedError(MixtralError, OSError):
    """The file is no longer what was opened."""

    status = _raw.MIXTRAL_CHANGED


class NumericError(MixtralError, ArithmeticError):
    """NaN or infinity where a finite number is needed."""

    status = _raw.MIXTRAL_NUMERIC


class ForkedError(MixtralError, RuntimeError):
    """The object belongs to the parent process."""

    status = _raw.MIXTRAL_FORKED


class InternalError(MixtralError, RuntimeError):
    """An invariant of the library was false: please report."""

    status = _raw.MIXTRAL_INTERNAL


_CLASSES: dict[int, type[MixtralError]] = {
    one.status: one
    for one in (
        InvalidArgumentError,
        InvalidHandleError,
        NotFoundError,
        InputOutputError,
        MalformedError,
        UnsupportedError,
        LimitExceededError,
        OutOfMemoryError,
        ContextFullError,
        BufferTooSmallError,
        CancelledError,
        BusyError,
        ChangedError,
        NumericError,
        ForkedError,
        InternalError,
    )
}


def status_name(status: int) -> str:
    """The name of a status, such as "MALFORMED"."""
    return bytes(_raw.mixtral_status_name(status)).decode("ascii", "replace")


def error(status: int, message: str) -> MixtralError:
    """The exception of a status, with this text."""
    return _CLASSES.get(status, MixtralError)(message, status)


def last_error(status: int) -> MixtralError:
    """The exception of the call that just failed on this thread."""
    message = bytes(_raw.mixtral_last_error()).decode("utf-8", "replace")
    return error(status, message or status_name(status).lower().replace("_", " "))


def check(status: int) -> None:
    """Raises when `status` is not OK. To be called right after the failing call, on its thread."""
    if status != _raw.MIXTRAL_OK:
        raise last_error(status)
