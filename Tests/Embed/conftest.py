"""The library in other people's processes: other languages' runtimes, other libraries' company.

A runtime that is missing is a failure: `make test-embed` installs them.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
from typing import NamedTuple

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARY = (ROOT / ".build" / "lib" / "libmixtral.so.1").resolve()
DROPPED = ("MIXTRAL_", "PYTHON", "LD_", "MAKE", "MFLAGS")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "llama: needs llama-cpp-python, see `make test-beside-llama`"
    )


class Golden(NamedTuple):
    """A bundled model, a prompt and what another engine says follows it."""

    model: pathlib.Path
    prompt: str
    ids: list[int]
    tokens: list[int]
    text: str


def golden(model: str, name: str) -> Golden:
    data = json.loads((ROOT / "Tests/Oracle/golden" / f"{model}.json").read_text("utf-8"))
    one = next(prompt for prompt in data["prompts"] if prompt["name"] == name)
    path = ROOT / "examples" / "models" / f"{model}-q4_k_m.gguf"
    return Golden(path, one["prompt"], one["ids"], one["greedy"], one["text"])


# The golden tokens are transformers' for the F16 masters. These are prompts after which llama.cpp
# (llama-cpp-python 0.3.36, f32 cache), given the bundled Q4_K_M file, chooses the same 64. The
# texts begin with a line feed: they have no leading space, which only a continuation keeps.
GOLDENS = {
    "mixtral-italian": golden("mixtral-demo", "it-1"),
    "mixtral-code": golden("mixtral-demo", "code-1"),
    "mistral-spanish": golden("mistral-demo", "es-1"),
}


def environment(**more: str) -> dict[str, str]:
    """The environment of a host, with the built library where the loader looks."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    return {**kept, "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": str(LIBRARY.parent), **more}


def run(command: list[object], **more: str) -> subprocess.CompletedProcess[bytes]:
    words, host = [str(word) for word in command], environment(**more)
    try:
        return subprocess.run(words, check=False, env=host, cwd="/", capture_output=True)
    except FileNotFoundError as missing:
        pytest.fail(f"{missing.filename} is missing: make test-embed installs it", pytrace=False)


def pytest_sessionstart(session: pytest.Session) -> None:
    if not LIBRARY.is_file():
        pytest.exit(f"{LIBRARY} is missing: build the library first (make)", returncode=1)
