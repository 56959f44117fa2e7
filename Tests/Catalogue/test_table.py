"""The tables of cases/ are whole: a row for each case, tests that exist, counts that are right."""

from __future__ import annotations

import ast
import pathlib
import re
from typing import NamedTuple

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
# The number of cases of each group.
GROUPS = dict(G=69, S=29, N=22, T=19, A=30, R=23, K=16, L=19, Z=13, Q=15)
HEADER = "| case | what is tried | expected | test |"
NODE = re.compile(r"(Tests/[\w/]+\.py)::(\w+)")
SWIFT = re.compile(r'(Tests/[\w/+]+\.swift): "([^"]+)"')
every_group = pytest.mark.parametrize("group", GROUPS)


class Row(NamedTuple):
    case: str
    tried: str
    expected: str
    test: str

    @property
    def kind(self) -> str:
        words = ("no such feature", "differs")
        return next((word for word in words if self.test.startswith(word)), "tested")


def rows(group: str) -> list[Row]:
    lines = (HERE / "cases" / f"{group}.md").read_text("utf-8").splitlines()
    start = lines.index(HEADER) + 2
    cells = [line.strip("|").split("|") for line in lines[start:] if line.startswith("|")]
    assert all(len(one) == 4 for one in cells), [one for one in cells if len(one) != 4]
    return [Row(*(cell.strip() for cell in one)) for one in cells]


def functions(path: pathlib.Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}


def is_there(path: str, name: str) -> bool:
    """Whether a file has this test: a function, or in Swift what a test is called."""
    file = ROOT / path
    if not file.is_file():
        return False
    if file.suffix == ".py":
        return name.startswith("test_") and name in functions(file)
    text = file.read_text("utf-8")
    return f'"{name}"' in text or f"func {name}(" in text


@every_group
def test_a_row_for_each_case(group):
    assert [row.case for row in rows(group)] == [
        f"{group}{number:02}" for number in range(1, GROUPS[group] + 1)
    ]


@every_group
def test_each_row_says_what_is_tried_and_by_what(group):
    for row in rows(group):
        assert row.tried and row.expected, row.case
        tests = NODE.findall(row.test) + SWIFT.findall(row.test)
        # Every test that is named, in a form that is understood.
        assert len(tests) == len(re.findall(r"\bTests/", row.test)), row.case
        if row.kind == "tested":
            assert tests, row.case
        else:
            assert re.fullmatch(rf"{row.kind}: \w.*", row.test), row.case
        for path, name in tests:
            assert is_there(path, name), f"{row.case}: {path}: {name}"


def test_each_test_of_a_case_is_in_its_row():
    named = {row.case: row.test for group in GROUPS for row in rows(group)}
    for file in HERE.glob("test_*.py"):
        for name in functions(file):
            for case in re.findall(r"(?<=_)[A-Z]\d\d(?=_)", name):
                assert f"{file.name}::{name}" in named[case], f"{case} lacks {name}"


def test_the_summary_counts_the_rows():
    lines = ["| group | cases | tested | no such feature | differs |", "|---|---|---|---|---|"]
    for group in GROUPS:
        kinds = [row.kind for row in rows(group)]
        counts = [kinds.count(kind) for kind in ("tested", "no such feature", "differs")]
        cells = [f"[{group}](cases/{group}.md)", len(kinds), *counts]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    assert "\n".join(lines) in (HERE / "README.md").read_text("utf-8")
