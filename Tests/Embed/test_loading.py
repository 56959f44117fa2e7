"""The ways in which a process opens, shares and closes the library."""

from __future__ import annotations

import json
import os
import pathlib
import sys

import pytest
from conftest import GOLDENS, HERE, LIBRARY, ROOT, run

MODES = {
    "lazy": os.RTLD_LAZY,
    "now": os.RTLD_NOW,
    "lazy-global": os.RTLD_LAZY | os.RTLD_GLOBAL,
    "now-global": os.RTLD_NOW | os.RTLD_GLOBAL,
    "lazy-deepbind": os.RTLD_LAZY | os.RTLD_DEEPBIND,
    "now-global-deepbind": os.RTLD_NOW | os.RTLD_GLOBAL | os.RTLD_DEEPBIND,
}
TINY = ROOT / "Tests" / "Oracle" / "tiny" / "mixtral-tiny-f16.gguf"
every_mode = pytest.mark.parametrize("mode", MODES.values(), ids=list(MODES))


def host(*words: object, **more: str) -> None:
    done = run([sys.executable, HERE / "host.py", *words], **more)
    assert (done.returncode, done.stdout) == (0, b"ok\n"), done.stderr.decode()


@every_mode
def test_opened(mode: int) -> None:
    host("flags", LIBRARY, mode)


@every_mode
def test_two_copies(mode: int, tmp_path: pathlib.Path) -> None:
    host("copies", LIBRARY, mode, tmp_path)


def test_two_names_of_one_file(tmp_path: pathlib.Path) -> None:
    host("link", LIBRARY, tmp_path)


@pytest.mark.llama
@pytest.mark.parametrize("order", ["mixtral llama", "llama mixtral"])
@pytest.mark.parametrize("mode", [os.RTLD_LAZY, os.RTLD_NOW], ids=["lazy", "now"])
def test_beside_llama_cpp(mode: int, order: str) -> None:
    golden = GOLDENS["mistral-spanish"]
    tokens = json.dumps({"ids": golden.ids, "tokens": golden.tokens})
    host("beside", LIBRARY, mode, order, golden.model, tokens)


@pytest.fixture(scope="module")
def reopen(tmp_path_factory) -> pathlib.Path:
    """A host in C, whose memory nobody else manages."""
    program = tmp_path_factory.mktemp("reopen") / "reopen"
    strict = ["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-O1", "-Wall", "-Wextra", "-Werror"]
    done = run(["cc", *strict, "-I", ROOT / "include", "-o", program, HERE / "reopen.c"])
    assert done.returncode == 0, done.stderr.decode()
    return program


@every_mode
def test_closed_and_opened_a_hundred_times(reopen: pathlib.Path, mode: int) -> None:
    done = run([reopen, LIBRARY, TINY, mode, 110])
    assert done.returncode == 0, done.stderr.decode()
    before, after = (list(map(int, line.split())) for line in done.stdout.splitlines())
    # A kilobyte lost each time would be 100; single pages come and go.
    assert after[0] - before[0] < 64, (before, after)
    assert after[1:] == before[1:]
