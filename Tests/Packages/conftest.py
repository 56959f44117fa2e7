"""The packages from outside: what people install, used by programs that know nothing of the checkout.

Each package is made by its make target; `make test-packages` brings the tools. Nothing is skipped.
"""

from __future__ import annotations

import ctypes
import json
import os
import pathlib
import subprocess
import sys
from typing import Any, NamedTuple

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = ROOT / ".build" / "lib" / "libmixtral.so.1"
SOURCE = pathlib.Path(__file__).with_name("greedy.c")
sys.path.append(str(ROOT / "scripts"))
C99 = ["cc", "-std=c99", "-O1", "-Wall", "-Wextra", "-pedantic", "-Werror"]

# The greedy tokens of transformers for F16 weights hold for a Q4_K_M file only where its choices are
# clear: at every step of this prompt the first logit is half a unit or more above the second.
CLEAR_PROMPT, CLEAR_GAP = "code-1", 0.5


class Golden(NamedTuple):
    """A model, token ids, and the tokens that another engine says follow; both as text too."""

    model: pathlib.Path
    ids: list[int]
    tokens: list[int]
    prompt: str = ""
    text: str = ""


def run(*command: object, **options: Any) -> str:
    """Standard output; a failure shows what the command said."""
    options = {"cwd": ROOT, "env": clean_environment(), **options}
    words = [str(word) for word in command]
    done = subprocess.run(words, check=False, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what points at the checkout, and without the make that runs the tests."""
    dropped = ("MIXTRAL_", "PYTHON", "LD_", "MAKE", "MFLAGS", "PKG_CONFIG", "CMAKE_", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    tools = f"{pathlib.Path(sys.executable).parent}:{kept['PATH']}"
    return {**kept, "PATH": tools, "LC_ALL": "C.UTF-8", **more}


def make(*words: object) -> str:
    return run("make", *words)


def files(folder: pathlib.Path) -> set[str]:
    """Files and links below a folder."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return {str(path.relative_to(folder)) for path in found}


def says_golden(program: list[object], golden: Golden, isa: int = 0, **more: str) -> int:
    """Runs a greedy.c on a golden case; the table that it used."""
    words = [*program, golden.model, isa, len(golden.tokens), *golden.ids]
    lines = run(*words, cwd="/", env=clean_environment(**more)).split()
    assert [int(line) for line in lines[1:]] == golden.tokens
    return int(lines[0])


def elf(path: pathlib.Path, tag: str) -> list[str]:
    """Values of one tag of the dynamic section."""
    lines = run("readelf", "--dynamic", "--wide", path).splitlines()
    return [line.split("[")[1].rstrip("]") for line in lines if f"({tag})" in line]


@pytest.fixture(scope="session")
def version() -> str:
    """The version that the built library answers."""
    library = ctypes.CDLL(str(LIBRARY))
    library.mixtral_version.restype = ctypes.c_char_p
    return library.mixtral_version().decode("ascii")


@pytest.fixture(scope="session")
def bundled() -> Golden:
    """The trained model that comes with the repository."""
    golden = json.loads((ROOT / "Tests/Oracle/golden/mixtral-demo.json").read_text())
    prompt = next(one for one in golden["prompts"] if one["name"] == CLEAR_PROMPT)
    assert min(step["gap"] for step in prompt["steps"]) >= CLEAR_GAP
    model = ROOT / "examples/models/mixtral-demo-q4_k_m.gguf"
    return Golden(model, prompt["ids"], prompt["greedy"], prompt["prompt"], prompt["text"])


@pytest.fixture(scope="session", params=["mixtral-tiny", "mistral-tiny"])
def tiny(request: pytest.FixtureRequest) -> Golden:
    """F16 models of 1 to 2 MB."""
    folder = ROOT / "Tests/Oracle/tiny"
    golden = json.loads((folder / f"{request.param}.json").read_text())
    return Golden(folder / f"{request.param}-f16.gguf", golden["ids"], golden["greedy"])
