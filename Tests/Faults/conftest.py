"""The library while the system refuses things: a preload shim and a program that uses every call."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARY = pathlib.Path(
    os.environ.setdefault("MIXTRAL_LIBRARY", str(ROOT / ".build" / "lib" / "libmixtral.so.1"))
)
STRICT = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]


def compile_c(*arguments: object) -> None:
    done = subprocess.run(["cc", *STRICT, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def library() -> pathlib.Path:
    if not LIBRARY.is_file():
        pytest.exit(f"{LIBRARY} is missing: build the library first (make)", returncode=1)
    return LIBRARY.resolve()


@pytest.fixture(scope="session")
def shim(tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("shim") / "shim.so"
    compile_c("-shared", "-fPIC", "-o", path, HERE / "shim.c", "-ldl")
    return path


@pytest.fixture(scope="session")
def driver(library, shim) -> pathlib.Path:
    path = shim.parent / "driver"
    compile_c(
        *("-I", ROOT / "include", "-o", path, HERE / "driver.c", HERE / "everything.c"),
        *(shim, library, f"-Wl,-rpath,{library.parent}:{shim.parent}"),
    )
    return path
