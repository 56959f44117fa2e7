"""Finds libmixtral, opens it and checks its ABI.

The library is, in this order: what the environment variable MIXTRAL_LIBRARY names; a file beside
this package, as in the wheel; the build folder of the checkout that holds this package; what the
system loader finds, as with Debian's packages.
"""

from __future__ import annotations

import ctypes
import os
import pathlib
from typing import Any, Callable

ABI_VERSION = 1
LIBRARY_NAME = "libmixtral.so.1"


def _library_path() -> str:
    named = os.environ.get("MIXTRAL_LIBRARY")
    if named:
        return named
    package = pathlib.Path(__file__).resolve().parent
    beside = package / LIBRARY_NAME
    if beside.is_file():
        return str(beside)
    checkout = package.parent.parent.parent
    # Only a checkout has this file, whatever an installed package lies in.
    if (checkout / "Package.swift").is_file():
        return str(checkout / ".build" / "lib" / LIBRARY_NAME)
    return LIBRARY_NAME


def _open_library() -> ctypes.CDLL:
    path = _library_path()
    try:
        return ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"the mixtral library '{path}' cannot be loaded ({error}); "
            "set MIXTRAL_LIBRARY to its path"
        ) from None


library = _open_library()


def declare(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """The function of this name in the library, with its types."""
    try:
        found = getattr(library, name)
    except AttributeError:
        raise ImportError(f"'{library._name}' has no function {name}") from None
    found.restype = result
    found.argtypes = list(arguments)
    return found  # type: ignore[no-any-return]


_version = declare("mixtral_abi_version", ctypes.c_uint32)()
if _version != ABI_VERSION:
    raise ImportError(
        f"'{library._name}' has ABI version {_version}; this package needs {ABI_VERSION}"
    )
