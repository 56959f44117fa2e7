"""The end of `make test`: a table of the parts, and the status of the worst."""

from __future__ import annotations

import importlib.util
import pathlib
import subprocess
import sys

import pytest

PARTS = pathlib.Path(__file__).resolve().parents[1] / "parts.py"
FAKE = """#!/bin/sh
case "$3" in
  test-a) echo "$2"; echo "12 passed in 3.21s" ;;
  test-b) echo "1 failed, 3 passed in 0.10s"; exit 2 ;;
  test-c) ;;
esac
"""


@pytest.fixture(scope="module")
def parts():
    specification = importlib.util.spec_from_file_location("parts", PARTS)
    module = importlib.util.module_from_spec(specification)
    sys.modules["parts"] = module
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "text, expected",
    [
        ("....\n24 passed in 184.34s (0:03:04)\n", "24 passed"),
        ("=== 3 failed, 2 passed, 1 warning in 0.5s ===\n", "3 failed, 2 passed, 1 warning"),
        ("3 passed in 1s\nmore\n4 passed, 2 deselected in 2s\n", "4 passed, 2 deselected"),
        (
            "✔ Test run with 287 tests in 41 suites passed after 133.2 seconds.\n",
            "287 tests in 41 suites passed",
        ),
        ("api: 14 of 14 files\ntext: 7 of 7 files\n", "21 files passed"),
        ("api: 14 of 14 files\ntext: 6 of 7 files, FINDING\n", "20 files passed"),
        ("nothing of the kind\n", ""),
    ],
)
def test_what_a_part_says_at_its_end(parts, text, expected):
    assert parts.closing(text) == expected


@pytest.mark.parametrize("names, status", [(["test-a", "test-c"], 0), (["test-b", "test-a"], 1)])
def test_the_table_and_the_status(tmp_path, names, status):
    make = tmp_path / "make"
    make.write_text(FAKE)
    make.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(PARTS), "--output", str(tmp_path), "--make", str(make), *names],
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == status
    assert "BUILT=1" in lines and "12 passed in 3.21s" in lines
    rows = {line.split()[0]: line.split(maxsplit=3)[3] for line in lines[-3:-1]}
    assert rows["test-a"] == "12 passed"
    assert rows.get("test-b") in (None, "FAILED (status 2) 1 failed, 3 passed")
    assert rows.get("test-c") in (None, "passed")
    last = "failed: test-b, in " if status else "all tests passed in "
    assert lines[-1].startswith(last)
