"""Sphinx extension: reference/c gets the text made from include/mixtral.abi.json at its end."""

from __future__ import annotations

import header_reference

PAGE = "reference/c"


def append(app, name: str, source: list[str]) -> None:
    if name == PAGE:
        source[0] += "\n" + header_reference.text()


def outdated(app, env, added, changed, removed) -> list[str]:
    """The page is read anew each time: what it is made from lies outside docs."""
    return [PAGE]


def setup(app) -> dict[str, bool]:
    app.connect("source-read", append)
    app.connect("env-get-outdated", outdated)
    return {"parallel_read_safe": True}
