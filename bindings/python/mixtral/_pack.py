"""Packed files: a model as it lies in memory."""

from __future__ import annotations

import ctypes

from . import _raw
from ._callbacks import Progress, progress_callback, run
from ._errors import check
from ._support import MOST_THREADS, Path, in_range, path_bytes


def guard_mappings(on: bool = True) -> None:
    """Makes a mapped file that is cut while it is read a ChangedError instead of the end of the process.

    The library then handles SIGBUS for the whole process, until on=False: to be asked for by the main
    program, after whatever else handles that signal, such as `faulthandler`. Raises BusyError when
    something has begun to handle it since.
    """
    check(_raw.mixtral_guard_mappings(bool(on)))


def pack(
    source: Path,
    target: Path,
    *,
    threads: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> None:
    """Writes the packed file of a GGUF model, for Model(target, map=True): ready in milliseconds, its
    pages shared between processes. While it is mapped, replace it by a rename or not at all.

    threads: None for the processors that this process may use.
    overwrite: replace a file that is there.
    progress: called with bytes done and in all; returning True ends with CancelledError.
    """
    options = _raw.mixtral_pack_options(
        struct_size=ctypes.sizeof(_raw.mixtral_pack_options),
        threads=in_range("threads", threads or 0, MOST_THREADS),
        overwrite=bool(overwrite),
        progress=progress_callback(progress),
    )
    run(_raw.mixtral_model_pack, path_bytes(target), path_bytes(source), ctypes.byref(options))
