"""Sphinx extension: docstrings of the Python package, which are plain text, as reStructuredText.

Lines such as "threads: None for the processors" describe parameters, or attributes where the class
has no such parameter; words in single backticks are code.
"""

from __future__ import annotations

import inspect
import re


def convert(app, what: str, name: str, object, options, lines: list[str]) -> None:
    parameters = _parameters(object)
    made: list[str] = []
    for line in lines:
        line = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", line)
        found = re.match(r"([a-z_]+(?:, [a-z_]+)*): (.*)", line)
        if found:
            if made and made[-1] and not made[-1].startswith((":", " ")):
                made.append("")
            for one in found[1].split(", "):
                kind = "param" if one in parameters else "ivar"
                made.append(f":{kind} {one}: {found[2]}")
        else:
            if made and made[-1].startswith(":") and line and not line.startswith(" "):
                made.append("")
            made.append(line)
    lines[:] = made


def _parameters(object) -> set[str]:
    try:
        return set(inspect.signature(object).parameters)
    except (TypeError, ValueError):
        return set()


def setup(app) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", convert)
    return {"parallel_read_safe": True}
