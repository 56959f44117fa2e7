"""Every program of the guides is compiled and run, and writes what the guide shows."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import blocks
import pytest

CC = ["cc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-Iinclude"]
LIBRARY = ["-L.build/lib", "-lmixtral", "-lpthread"]


def run(command, folder: pathlib.Path, environment: dict[str, str], **options) -> str:
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=120, **options
    )
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.decode()


def shown(block: blocks.Block, output: str) -> None:
    if block.output is not None:
        assert [line.rstrip() for line in output.splitlines()] == block.output.splitlines()


@pytest.mark.parametrize("block", blocks.programs("c"), ids=str)
def test_c(block, folder, environment):
    (folder / block.name).write_text(block.code)
    run([*CC, block.name, "-o", "program", *LIBRARY], folder, environment)
    shown(block, run(["./program"], folder, environment))


@pytest.mark.parametrize("block", blocks.programs("python"), ids=str)
def test_python(block, folder, environment):
    (folder / block.name).write_text(block.code)
    shown(block, run([sys.executable, "-W", "error", block.name], folder, environment))


@pytest.mark.parametrize("block", blocks.programs("sh"), ids=str)
def test_sh(block, folder, environment):
    """Lines of make are only checked to name targets; they build and test the whole tree."""
    for one in blocks.of(block.page):
        (folder / one.name).write_text(one.code)
    lines = block.code.splitlines()
    for line in lines:
        if line.startswith("make "):
            target = re.sub(r"\s+#.*", "", line).split()
            run([target[0], "-n", *target[1:]], blocks.ROOT, environment)
    script = "\n".join(line for line in lines if not line.startswith("make "))
    shown(block, run(["bash", "-eu", "-o", "pipefail", "-c", script], folder, environment))


def test_each_guide_shows_something():
    pages = {block.page for block in blocks.programs("c", "python", "sh")}
    guides = set((blocks.DOCS / "guides").glob("*.md")) - {
        blocks.DOCS / f"guides/{name}.md" for name in ("which-model", "install")
    }
    assert guides and guides <= pages


@pytest.mark.parametrize("page", blocks.PAGES, ids=lambda page: page.name)
def test_blocks_are_of_a_known_kind(page):
    """A misspelt language would be a program that nobody runs."""
    languages = {block.language for block in blocks.of(page)}
    # How packages are installed: Tests/Packages does that, and CMake's lines.
    shown = {"console", "cmake"} if page.name == "install.md" else set()
    assert languages <= {"c", "python", "sh", "text", "", *shown}
