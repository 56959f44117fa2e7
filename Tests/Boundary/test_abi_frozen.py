"""Programs of release 0.1 run with the library of today. What is in frozen/ is never edited."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest

import abi

CLIENT = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"]


@pytest.fixture(scope="module")
def golden(oracle):
    """A prompt and its greedy tokens by transformers."""
    return json.loads((oracle / "tiny" / "mixtral-tiny.json").read_text())


def test_the_frozen_files_are_as_they_were():
    for line in (abi.FROZEN / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((abi.FROZEN / name).read_bytes()).hexdigest() == digest, name


def test_c_program(golden, library, mixtral_tiny, tmp_path):
    program = tmp_path / "client"
    command = [*CLIENT, f"-I{abi.FROZEN}", str(abi.FROZEN / "client.c"), str(library.resolve())]
    subprocess.run(
        [*command, f"-Wl,-rpath,{library.resolve().parent}", "-o", str(program)], check=True
    )
    greedy = golden["greedy"]
    arguments = [mixtral_tiny, tmp_path / "packed.gguf", len(greedy), *golden["ids"]]
    run = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert [int(one) for one in run.stdout.split()] == greedy
    assert run.stderr == ""


def test_python_program(golden, library, mixtral_tiny):
    greedy = golden["greedy"]
    arguments = [abi.FROZEN / "client.py", mixtral_tiny, len(greedy), *golden["ids"]]
    run = subprocess.run(
        [sys.executable, "-B", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "MIXTRAL_LIBRARY": str(library)},
    )
    assert run.returncode == 0, run.stderr
    assert [int(one) for one in run.stdout.split()] == greedy
