"""Every refusal of the system is a status: shim.c refuses, driver.c uses every call and compares."""

from __future__ import annotations

import errno
import json
import os
import pathlib
import resource
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY = ROOT / "Tests" / "Oracle" / "tiny"
OK, INVALID_ARGUMENT, IO, OUT_OF_MEMORY = 0, 1, 4, 8
# As in shim.h.
MEMORY, MAP, OPEN, READ, STATUS, THREAD, WRITE = (1 << bit for bit in range(7))
PROCESSES = 2
# Seconds; nothing that passes comes near, also where neighbours take the processors.
HANGS = 1200
DEMO = "mixtral-demo"


def find(name: str) -> tuple[pathlib.Path, dict[str, list[int]]]:
    """A model, and the ids of a prompt and of the tokens that another engine says follow it."""
    if name != DEMO:
        return TINY / f"{name}-f16.gguf", json.loads((TINY / f"{name}.json").read_text())
    golden = json.loads((ROOT / "Tests" / "Oracle" / "golden" / f"{DEMO}.json").read_text())
    # Its choices are clear enough to be those of the quantised file too.
    prompt = next(one for one in golden["prompts"] if one["name"] == "code-1")
    return ROOT / "examples" / "models" / f"{DEMO}-q4_k_m.gguf", prompt


class Driver:
    """driver.c on one of the models."""

    def __init__(self, program: pathlib.Path, shim: pathlib.Path, folder: pathlib.Path) -> None:
        self.program, self.folder = program, folder
        # Swift's own tracer of crashes would outlive a process that dies.
        self.environment = {**os.environ, "LD_PRELOAD": str(shim), "SWIFT_BACKTRACE": "enable=no"}

    def start(
        self,
        way: str,
        kind: int,
        mode: str,
        code: int,
        status: int,
        first: int,
        stride: int,
        name: str = "mixtral-tiny",
        **options: object,
    ) -> subprocess.Popen[str]:
        model, golden = find(name)
        ids = [",".join(map(str, golden[key])) for key in ("ids", "greedy")]
        words = [way, kind, mode, code, status, model, *ids, self.folder]
        return subprocess.Popen(
            [str(self.program), *map(str, words), str(first), str(stride)],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments, stride: int = 1, processes: int = PROCESSES, **options) -> None:
        """The numbers 1, 1 + stride, 1 + 2 stride, …, shared by some processes."""
        started = [
            self.start(*arguments, first=1 + i * stride, stride=stride * processes, **options)
            for i in range(processes)
        ]
        for process in started:
            printed, told = process.communicate(timeout=HANGS)
            assert process.returncode == 0, f"{printed}{told[-2000:]}"


@pytest.fixture
def run(driver, shim, tmp_path) -> Driver:
    return Driver(driver, shim, tmp_path)


MODES = pytest.mark.parametrize("mode", ["once", "on"])


@MODES
def test_R01_R02_memory_is_refused(run, mode):
    run.run("cold", MEMORY, mode, errno.ENOMEM, OUT_OF_MEMORY, stride=37)


@MODES
def test_R01_R02_memory_is_refused_to_large_tables(run, mode):
    """The tables of 32,000 tokens do not fit into the reserve."""
    run.run("cold", MEMORY, mode, errno.ENOMEM, OUT_OF_MEMORY, stride=997, name=DEMO)


@MODES
@pytest.mark.parametrize("name", ["mixtral-tiny", "mistral-tiny"])
def test_R03_mappings_are_refused(run, mode, name):
    run.run("cold", MAP, mode, errno.ENOMEM, OUT_OF_MEMORY, name=name)


@MODES
@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO])
def test_R05_files_are_not_opened(run, mode, code):
    run.run("cold", OPEN, mode, code, IO)


@MODES
def test_R06_nothing_is_said_of_files(run, mode):
    run.run("cold", STATUS, mode, errno.EIO, IO)


@MODES
def test_R07_files_are_not_read(run, mode):
    run.run("cold", READ, mode, errno.EIO, IO, stride=29)


@MODES
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_R08_R09_files_are_not_written(run, mode, code):
    run.run("cold", WRITE, mode, code, IO, stride=41)


@MODES
def test_R10_threads_are_refused(run, mode):
    """A model has as many as there are; nobody notices."""
    run.run("cold", THREAD, mode, errno.EAGAIN, OK)


LOGGED = """
import ctypes, os, sys, mixtral
class Fault(ctypes.Structure):
    _fields_ = [("kinds", ctypes.c_uint), ("at", ctypes.c_long), ("persists", ctypes.c_int),
                ("code", ctypes.c_int)]
shim, path, kind, code = sys.argv[1:]
lines = []
assert ctypes.CDLL(shim).fault_arm(Fault(int(kind), 2, 1, int(code))) == 1
with mixtral.Model(path, threads=4, log=lambda *line: lines.append(line)) as model:
    assert model.info.threads == 2
print([text for level, text in lines if level == 30])
"""


def test_R10_the_log_says_how_many_threads_there_are(library, shim):
    environment = {
        **os.environ,
        "LD_PRELOAD": str(shim),
        "MIXTRAL_LIBRARY": str(library),
        "PYTHONPATH": str(ROOT / "bindings" / "python"),
    }
    words = [str(shim), str(find("mixtral-tiny")[0]), str(THREAD), str(errno.EAGAIN)]
    done = subprocess.run(
        [sys.executable, "-c", LOGGED, *words], env=environment, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout == "['threads: 2 of 4 that were asked for; the system has no more']\n"


@pytest.mark.parametrize("kind", [READ, WRITE])
def test_R07_a_call_that_is_interrupted_is_made_again(run, kind):
    run.run("cold", kind, "once", errno.EINTR, OK, stride=53)


@pytest.mark.parametrize(
    ("kind", "status", "stride"),
    [(MAP, OUT_OF_MEMORY, 1), (OPEN, IO, 1), (READ, IO, 29), (WRITE, IO, 41)],
)
def test_nothing_is_left_of_a_call_that_failed(run, kind, status, stride):
    run.run("warm", kind, "once", errno.ENOMEM if kind == MAP else errno.EIO, status, stride=stride)


@MODES
@pytest.mark.parametrize("name", ["mixtral-tiny", "mistral-tiny"])
def test_R01_the_host_gives_no_memory(run, mode, name):
    run.run("host", 0, mode, 0, OUT_OF_MEMORY, name=name)


@MODES
def test_R01_the_host_gives_memory_that_is_not_aligned(run, mode):
    run.run("host", 1, mode, 0, INVALID_ARGUMENT)


def test_R12_no_descriptor_is_free(run):
    run.run("limit", resource.RLIMIT_NOFILE, "on", 0, IO, stride=1, processes=1)


def test_R21_the_streams_are_closed(run):
    run.run("closed", 0, "on", 0, OK, processes=1)


def test_L10_signals_all_the_time(run):
    run.run("storm", 0, "on", 0, OK, stride=1, processes=1)
