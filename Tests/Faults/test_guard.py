"""Mapped files that are cut while they are read: guard.c with and without mixtral_guard_mappings."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess

import pytest

from conftest import HERE, ROOT, compile_c
from test_faults import find


@pytest.fixture(scope="module")
def program(library, tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("guard") / "guard"
    compile_c(
        *("-I", ROOT / "include", "-o", path, HERE / "guard.c", library),
        *(f"-Wl,-rpath,{library.parent}", "-pthread"),
    )
    return path


@pytest.fixture
def run(program, tmp_path):
    def run(way: str, name: str = "mixtral-tiny") -> tuple[int, str, str]:
        model, golden = find(name)
        ids = [",".join(map(str, golden[key])) for key in ("ids", "greedy")]
        done = subprocess.run(
            [str(program), way, str(model), str(tmp_path / "packed.gguf"), *ids],
            # Swift's own tracer of crashes would outlive a process that dies.
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no"},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("name", ["mixtral-tiny", "mistral-tiny", "mixtral-demo"])
def test_R15_a_step_that_meets_the_cut_is_changed(run, name):
    assert run("cut", name) == (0, "", "")


def test_R15_R17_cut_at_any_moment(run):
    assert run("storm") == (0, "", "")


def test_R15_without_the_guard_a_cut_within_a_step_is_the_signal(run):
    assert run("bare") == (-signal.SIGBUS, "", "")


def test_R15_without_the_guard_a_cut_before_a_call_is_changed(run):
    assert run("before") == (0, "", "")


@pytest.mark.parametrize("way", ["others", "toggle", "masks"])
def test_signals_stay_the_hosts(run, way):
    assert run(way) == (0, "", "")
