"""The claims of the guides beside their programs: measured figures, statuses, the headers' limits."""

from __future__ import annotations

import json
import re

import blocks
import headers
import pytest

SOURCES = ("README.md", "Tests/Benchmarks/RESULTS.md", "CHANGELOG.md")
SOURCES += tuple(f"include/{name}" for name in headers.names())
GUIDES = sorted((blocks.DOCS / "guides").glob("*.md"))


def figures(text: str) -> set[str]:
    """Numbers with a decimal point or at least three digits."""
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    return {
        one for one in re.findall(r"(?<![\w.])\d+(?:\.\d+)?", plain) if re.search(r"\.|\d{3}", one)
    }


def prose(page) -> str:
    return blocks.BLOCK.sub("", page.read_text())


@pytest.mark.parametrize("page", [*GUIDES, blocks.DOCS / "index.md"], ids=lambda page: page.name)
def test_figures_come_from_a_source(page):
    known = set().union(*(figures((blocks.ROOT / name).read_text()) for name in SOURCES))
    assert figures(prose(page)) <= known


def test_every_status_has_advice():
    described = json.loads((blocks.ROOT / "include" / "mixtral.abi.json").read_text())["constants"]
    statuses = [one["name"] for one in described if one.get("group") == "status"]
    page = (blocks.DOCS / "guides" / "errors.md").read_text()
    rows = re.findall(r"^\| \{c:enumerator\}`(\w+)` \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE)
    assert rows == statuses
