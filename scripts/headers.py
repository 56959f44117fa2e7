"""The public headers: include/mixtral.h and those of include/mixtral/, each of which includes it.

They are listed here for Python and as HEADERS in the Makefile, and nowhere else. A header is named as
programs include it, "mixtral/chat.h"; what mirrors it in other folders bears its stem, "chat".
"""

from __future__ import annotations

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
INCLUDE = ROOT / "include"


def names(include: pathlib.Path = INCLUDE) -> list[str]:
    """mixtral.h first, the others in the order of their names."""
    return ["mixtral.h", *sorted(f"mixtral/{one.name}" for one in include.glob("mixtral/*.h"))]


def stem(name: str) -> str:
    return pathlib.PurePath(name).stem


def inclusions(include: pathlib.Path = INCLUDE) -> str:
    """C lines that include them all."""
    return "".join(f"#include <{name}>\n" for name in names(include))
