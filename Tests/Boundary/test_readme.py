"""The programs of the README are compiled and run."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

FLAGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]


@pytest.fixture(scope="module")
def blocks(root) -> dict[str, str]:
    """The first block of each language."""
    found: dict[str, str] = {}
    text = (root / "README.md").read_text()
    for language, code in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
        found.setdefault(language, code)
    return found


def test_the_c_program(blocks, root, library, tmp_path):
    source = tmp_path / "readme.c"
    source.write_text(blocks["c"])
    program = tmp_path / "readme"
    link = tmp_path / "libmixtral.so"
    link.symlink_to(library)
    command = ["cc", "-std=c99", *FLAGS, f"-I{root / 'include'}", str(source), "-o", str(program)]
    subprocess.run([*command, f"-L{tmp_path}", "-lmixtral"], check=True)
    environment = dict(os.environ, LD_LIBRARY_PATH=str(library.parent))
    result = subprocess.run([program], cwd=root, env=environment, capture_output=True)
    assert result.returncode == 0, result.stderr
    assert b"LORD" in result.stdout


def test_the_python_lines(blocks, root):
    environment = dict(os.environ, PYTHONPATH=str(root / "bindings" / "python"))
    result = subprocess.run(
        [sys.executable, "-c", blocks["python"]], cwd=root, env=environment, capture_output=True
    )
    assert result.returncode == 0, result.stderr
    assert b"LORD" in result.stdout
