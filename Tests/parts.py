"""Runs parts of the tests side by side and ends with a table of their seconds.

python3 Tests/parts.py [--together N] [--make MAKE] [--output FOLDER] TARGET...

Each part is a target of the Makefile; what they need is built before, once, and BUILT=1 says so. The
output of a part is printed whole when the part has ended. No test measures time, so that a neighbour
does no harm; as many parts run at once as there are processors, in the order given.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The last lines of pytest, of Swift's tests and of the replay of the fuzz targets.
CLOSING = re.compile(
    r"^=*\s*(\d+ (?:passed|failed).*?)(?: in [\d.]+s.*)?\s*=*$"
    r"|Test run with (\d+ tests in \d+ suites (?:passed|failed))"
    r"|^(\w+: \d+ of \d+ files.*)$",
    re.MULTILINE,
)


class Part(NamedTuple):
    """How a part ended."""

    name: str
    status: int
    seconds: float
    # Of processors, by the part and all that it started and waited for.
    busy: float
    said: str


def closing(text: str) -> str:
    """The closing line of the last test run; how many files the fuzz targets replayed."""
    found = [next(filter(None, match.groups())) for match in CLOSING.finditer(text)]
    files = [re.match(r"\w+: (\d+) of", line) for line in found]
    if found and all(files):
        return f"{sum(int(match[1]) for match in files)} files passed"
    return found[-1] if found else ""


def run(name: str, make: str, folder: pathlib.Path, printing: threading.Lock) -> Part:
    path = folder / f"{name}.txt"
    start = time.monotonic()
    # The parts have no cache of pytest's in common.
    options = f"{os.environ.get('PYTEST_ADDOPTS', '')} -p no:cacheprovider"
    environment = {**os.environ, "MAKEFLAGS": "", "PYTEST_ADDOPTS": options}
    with path.open("wb") as out:
        process = subprocess.Popen(
            [make, "--no-print-directory", "BUILT=1", name],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    text = path.read_text("utf-8", errors="replace")
    part = Part(name, process.returncode, seconds, usage.ru_utime + usage.ru_stime, closing(text))
    with printing:
        print(f"== {name}\n{text}", flush=True)
    return part


def table(parts: list[Part]) -> str:
    lines = [f"{'part':<22}{'seconds':>8}{'of processors':>15}  "]
    for part in sorted(parts, key=lambda part: -part.seconds):
        said = part.said if part.status == 0 else f"FAILED (status {part.status}) {part.said}"
        lines.append(f"{part.name:<22}{part.seconds:>8.0f}{part.busy:>15.0f}  {said or 'passed'}")
    return "\n".join(line.rstrip() for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    processors = len(os.sched_getaffinity(0))
    parser.add_argument("--together", type=int, default=processors, help="parts that run at once")
    parser.add_argument("--make", default="make", help="the make that runs a part")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / ".build" / "parts")
    parser.add_argument("targets", nargs="+")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    printing = threading.Lock()
    with concurrent.futures.ThreadPoolExecutor(arguments.together) as pool:
        waiting = [
            pool.submit(run, name, arguments.make, arguments.output, printing)
            for name in arguments.targets
        ]
        parts = [each.result() for each in waiting]
    print(table(parts))
    failed = [part.name for part in parts if part.status]
    total = f"in {time.monotonic() - start:.0f} s"
    print(f"failed: {', '.join(failed)}, {total}" if failed else f"all tests passed {total}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
