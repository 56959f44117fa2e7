"""`make help` is whole: a short line for each command, and every command that a text names exists."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = [ROOT / "Makefile", *sorted(ROOT.glob("*/*.mk")), *sorted(ROOT.glob("Tests/*/*.mk"))]
TARGET = re.compile(r"^([A-Za-z][\w -]*(?:%)?):(?!=)", re.MULTILINE)
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
NAMED = re.compile(r"`make ([a-z][\w-]*)|^make ([a-z][\w-]*)", re.MULTILINE)

TARGETS = {
    name
    for path in FILES
    for match in TARGET.finditer(path.read_text("utf-8"))
    for name in match[1].split()
}
HELP = [
    (path.name, line)
    for path in FILES
    for line in path.read_text("utf-8").splitlines()
    if line.startswith("##")
]


@pytest.mark.parametrize("file, line", HELP)
def test_a_line_of_help_is_short_and_names_a_target(file, line):
    found = re.fullmatch(r"## make ([\w-]+)( .+)?: .+\.", line)
    assert found and found[1] in TARGETS
    assert len(line) <= 112


def test_make_help_says_these_lines():
    said = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True)
    expected = [line.removeprefix("## make ") for _, line in HELP]
    assert sorted(line.strip() for line in said.stdout.splitlines()) == sorted(expected)


def test_every_part_of_the_tests_has_its_line_and_is_run():
    named = {re.match(r"## make ([\w-]+)", line)[1] for _, line in HELP}
    parts = {name for name in TARGETS if name.startswith("test-")}
    assert parts - {"test-baseline-%"} <= named
    listed = re.search(r"^PARTS := ((?:.*\\\n)*.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert parts - set(listed[1].replace("\\", " ").split()) == {
        *("test-baseline", "test-baseline-%", "test-arm64", "test-avx512", "test-beside-llama"),
        "test-packages",
    }


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_text_names_exists(path):
    named = {one or other for one, other in NAMED.findall(path.read_text("utf-8"))}
    assert named <= TARGETS
