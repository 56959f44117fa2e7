"""mixtral_cancel in a signal handler: always what it says, whatever the interrupted thread was doing."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

# Of signals that come while a thread does nothing but look up handles, 3 % found the lock of the handles held.
COUNT = 4000


@pytest.fixture(scope="module")
def program(root, library, tmp_path_factory) -> pathlib.Path:
    program = tmp_path_factory.mktemp("handler") / "handler"
    source = pathlib.Path(__file__).with_name("handler.c")
    command = ["cc", "-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror"]
    command += [f"-I{root / 'include'}", str(source), str(library.resolve())]
    subprocess.run(
        [*command, f"-Wl,-rpath,{library.resolve().parent}", "-o", str(program)], check=True
    )
    return program


def test_cancelling_in_a_signal_handler(program, mixtral_tiny):
    run = subprocess.run(
        [str(program), str(mixtral_tiny), str(COUNT)], capture_output=True, text=True, timeout=300
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "cancels all others 0 steps 20\n", "")
