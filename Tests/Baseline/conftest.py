"""The library on processors that this machine has not; see processors.py."""

from __future__ import annotations

import functools
import json
import pathlib
import subprocess
from collections.abc import Callable
from typing import NamedTuple

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIBRARY = ROOT / ".build" / "lib"

# MIXTRAL_ISA_...
REFERENCE, AVX2, AVX512, AVXVNNI = 1, 2, 3, 4
NEON, DOTPROD, I8MM = 5, 6, 7


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: left to `make test-baseline`")
    config.addinivalue_line("markers", "machine: left to `make test-avx512`")
    config.addinivalue_line("markers", "arm64: left to `make test-arm64`")


class Case(NamedTuple):
    """A model, token ids, and the tokens that another engine says follow."""

    model: pathlib.Path
    ids: list[int]
    tokens: list[int]


def tiny(name: str) -> Case:
    """F16 weights; the tokens of transformers."""
    golden = json.loads((ROOT / f"Tests/Oracle/tiny/{name}.json").read_text())
    return Case(ROOT / f"Tests/Oracle/tiny/{name}-f16.gguf", golden["ids"], golden["greedy"])


def demo(name: str, prompt: str, count: int) -> Case:
    """A bundled model; after these prompts llama.cpp chooses the same tokens (Tests/Embed)."""
    golden = json.loads((ROOT / f"Tests/Oracle/golden/{name}.json").read_text())
    one = next(one for one in golden["prompts"] if one["name"] == prompt)
    model = ROOT / "examples" / "models" / f"{name}-q4_k_m.gguf"
    return Case(model, one["ids"], one["greedy"][:count])


CASES = {
    "mixtral-tiny": tiny("mixtral-tiny"),
    "mistral-tiny": tiny("mistral-tiny"),
    "mixtral-demo": demo("mixtral-demo", "it-1", 2),
    "mistral-demo": demo("mistral-demo", "es-1", 8),
}


def said(words: list[str], case: Case, isa: int = 0) -> list[str]:
    """The output of bits.c: table, tokens, hash."""
    words = [*words, *map(str, [case.model, isa, len(case.tokens), *case.ids])]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("baseline")


@pytest.fixture(scope="session")
def bits(folder: pathlib.Path) -> pathlib.Path:
    """bits.c, which says tokens and a hash of the logits."""
    words = ["cc", "-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror"]
    words += [f"-I{ROOT / 'include'}", "-o", str(folder / "bits"), str(HERE / "bits.c")]
    words += [f"-L{LIBRARY}", "-lmixtral", f"-Wl,-rpath,{LIBRARY}"]
    subprocess.run(words, check=True)
    return folder / "bits"


@pytest.fixture(scope="session")
def here(bits: pathlib.Path) -> Callable[[str], list[str]]:
    """The output of bits.c on this machine, by case."""
    return functools.cache(lambda case: said([str(bits)], CASES[case]))
