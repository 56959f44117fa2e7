"""The type hints of the Python package, as mypy and pyright see them from inside and from outside."""

from __future__ import annotations

import pathlib
import sys

import pytest

from conftest import ROOT, clean_environment, run

PACKAGE = ROOT / "bindings" / "python"

USER = """
from mixtral import Model, Sampler, step_many

with Model("model.gguf", threads=2) as model, Sampler(temperature=0.5) as sampler:
    ids: list[int] = model.tokenize("text", bos=True)
    with model.session(16) as session:
        session.feed(ids)
        token: int = session.sample(sampler)
    pieces: list[str] = list(model.generate("text", max_tokens=4))
"""
MISTAKE = 'from mixtral import Model\nModel("model.gguf", threads="two")\n'


def mypy(folder: pathlib.Path, *words: object) -> str:
    environment = clean_environment(MYPYPATH=str(PACKAGE))
    cache = f"--cache-dir={folder}/cache"
    return run(sys.executable, "-m", "mypy", "--strict", cache, *words, cwd=folder, env=environment)


def pyright(*words: object, cwd: pathlib.Path) -> str:
    environment = clean_environment(PYTHONPATH=str(PACKAGE))
    return run(sys.executable, "-m", "pyright", *words, cwd=cwd, env=environment)


def test_mypy_strict(tmp_path: pathlib.Path) -> None:
    mypy(tmp_path, PACKAGE / "mixtral")


def test_pyright() -> None:
    assert pyright("mixtral", cwd=PACKAGE).startswith("0 errors, 0 warnings")


def test_every_public_type_is_known(tmp_path: pathlib.Path) -> None:
    assert "completeness score: 100%" in pyright("--verifytypes", "mixtral", cwd=tmp_path)


def test_a_user_s_program(tmp_path: pathlib.Path) -> None:
    (tmp_path / "right.py").write_text(USER)
    mypy(tmp_path, "right.py")
    (tmp_path / "wrong.py").write_text(MISTAKE)
    with pytest.raises(AssertionError, match="incompatible type"):
        mypy(tmp_path, "wrong.py")
