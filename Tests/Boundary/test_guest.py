"""The library is a guest: it handles no signal of its host and prints nothing, whatever the environment says."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading

class Stack(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]

def signals():
    with open("/proc/self/status") as status:
        kinds = [line for line in status if line.startswith(("SigBlk", "SigIgn", "SigCgt"))]
    stack = Stack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
    return kinds, stack.base, stack.flags, stack.size

# With a process's first thread the C library handles a signal of its own.
thread = threading.Thread(target=signals)
thread.start()
thread.join()
before = signals()
import mixtral
with mixtral.Model(sys.argv[1]) as model, model.session() as session:
    session.step([1, 2, 3])
    assert signals() == before, (before, signals())
assert signals() == before
"""


def toolchain() -> pathlib.Path:
    """Where Swift is installed, with the tracer that its runtime looks for."""
    compiler = shutil.which("swiftc")
    if not compiler:
        pytest.fail("swiftc is not on the PATH", pytrace=False)
    root = pathlib.Path(compiler).resolve().parents[1]
    assert list(root.rglob("swift-backtrace*")), root
    return root


@pytest.mark.parametrize("told", ["nothing", "enable=yes", "enable=yes,output-to=stdout"])
def test_L18_no_signal_is_handled_and_nothing_printed(root, library, mixtral_tiny, told):
    environment = {**os.environ, "PYTHONPATH": str(root / "bindings" / "python")}
    environment["MIXTRAL_LIBRARY"] = str(library)
    environment["SWIFT_ROOT"] = str(toolchain())
    if told != "nothing":
        environment["SWIFT_BACKTRACE"] = told
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(mixtral_tiny)], env=environment, capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_L18_nothing_could_handle_one(library):
    run = subprocess.run(
        ["nm", "-D", "--undefined-only", str(library)], capture_output=True, text=True, check=True
    )
    names = {line.split()[-1].split("@")[0] for line in run.stdout.splitlines()}
    assert not names & {"signal", "sigaltstack", "setitimer", "timer_create", "alarm"}


def test_L18_only_the_guard_sets_a_handler(root):
    """The system calls of mixtral_guard_mappings are the only ones."""
    callers, function = set(), ""
    for line in disassembly(root):
        if line.endswith(">:"):
            function = line.split("<", 1)[1][:-2]
        elif re.search(r"<sigaction(@plt)?>$", line):
            callers.add(function)
    assert callers
    # Those of guard.c, of which the compiler may put some into others.
    assert callers <= {"platform_guard", "change", "set", "guard", "pass_on"}


def disassembly(root) -> list[str]:
    run = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", str(root / ".build" / "lib" / "unstripped")],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return run.stdout.splitlines()
