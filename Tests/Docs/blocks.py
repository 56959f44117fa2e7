"""The fenced blocks of the guides.

A C or Python block is a whole program; its first line may be a comment with a file's name, under which
the other blocks of the page find it. A text block right after a program is what it writes.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md"))
BLOCK = re.compile(
    r"^```([a-z]*)[^\n]*\n(.*?)^```$(?:\n+```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE
)


@dataclasses.dataclass(frozen=True)
class Block:
    page: pathlib.Path
    line: int
    language: str
    code: str
    output: str | None

    @property
    def name(self) -> str:
        """The file that the first line names; else one of no meaning."""
        found = re.match(r"(?:/\*|#) ([\w-]+\.(?:c|py)):", self.code)
        return found[1] if found else f"block.{self.language}"

    def __str__(self) -> str:
        return f"{self.page.relative_to(DOCS)}:{self.line}"


def of(page: pathlib.Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, *found.groups())
        for found in BLOCK.finditer(text)
    ]


def programs(*languages: str) -> list[Block]:
    return [block for page in PAGES for block in of(page) if block.language in languages]
