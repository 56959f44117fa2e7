"""Other processes: the hosts written in C, and Python programs that may die."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap

from test_faults import DEMO, find

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EVERYTHING = HERE.parent / "Faults" / "everything.c"
STRICT = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "include"]
MODELS = ["mixtral-tiny", "mistral-tiny", DEMO]


def environment(**more: str) -> dict[str, str]:
    # Swift's own tracer of crashes would outlive a process that dies.
    return {**os.environ, "SWIFT_BACKTRACE": "enable=no", **more}


def run(words: list[object], **options) -> subprocess.CompletedProcess[str]:
    """Runs a program; one that hangs is a failure."""
    options = {"env": environment(), "timeout": 120, **options}
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **options
    )


def python(program: str, *words: object, **options) -> subprocess.CompletedProcess[str]:
    """Runs a Python program that may use the package."""
    paths = os.pathsep.join([str(ROOT / "bindings" / "python"), str(HERE.parent / "Boundary")])
    options = {"env": environment(PYTHONPATH=paths), **options}
    return run([sys.executable, "-c", textwrap.dedent(program), *words], **options)


def system(folder: pathlib.Path, files: dict[str, str]) -> None:
    """The files in which a system describes itself, /proc and /sys, for HOST_FILES (system.c)."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def arguments(name: str, folder: pathlib.Path) -> list[object]:
    """Arguments of both C programs: a model, a prompt, what follows it, and a place for files."""
    model, golden = find(name)
    ids = [",".join(map(str, golden[key])) for key in ("ids", "greedy")]
    return [model, *ids, folder]


class Host:
    """host.c and late.c, compiled."""

    def __init__(self, folder: pathlib.Path, library: pathlib.Path) -> None:
        self.folder = folder
        self.program, self.late = folder / "host", folder / "late"
        self.everything = folder / "everything.so"
        linked = [EVERYTHING, library, f"-Wl,-rpath,{library.parent}"]
        parts = ["host.c", "system.c", "threads.c", "leaving.c", "float.c", "confined.c"]
        files = [HERE / part for part in parts]
        for words in (
            ["-rdynamic", "-o", self.program, "-I", EVERYTHING.parent, *files, *linked],
            ["-shared", "-fPIC", "-o", self.everything, *linked],
            ["-o", self.late, "-I", EVERYTHING.parent, HERE / "late.c"],
        ):
            done = run(["cc", *STRICT, *words])
            assert done.returncode == 0, done.stderr

    def run(
        self, way: str, *word: str, name: str = "mixtral-tiny", status: int = 0, **options
    ) -> list[int]:
        """Runs a way, which must end so and print no more than numbers; those."""
        words = [self.program, way, *arguments(name, self.folder), *word]
        done = run(words, **options)
        assert (done.returncode, done.stderr) == (status, ""), done
        return [int(number) for number in done.stdout.split()]
