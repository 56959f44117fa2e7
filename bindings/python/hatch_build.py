"""Puts the library into the wheel when MIXTRAL_WHEEL_LIBRARY names it, for MIXTRAL_WHEEL_TAG (`make wheel`).

Without it the wheel is Python only, and finds a library that the system's packages installed.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = pathlib.Path(__file__).resolve().parents[2]


class LibraryHook(BuildHookInterface):
    """Adds the library and the licences of what is linked into it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        library = os.environ.get("MIXTRAL_WHEEL_LIBRARY")
        if not library or version == "editable":
            return
        files = build_data["force_include"]
        files[library] = f"mixtral/{pathlib.Path(library).name}"
        for notice in (ROOT / "LICENSE", ROOT / "packaging" / "THIRD-PARTY.md"):
            files[str(notice)] = f"mixtral/{notice.name}"
        # The systems that the library was linked for (packaging/packages.mk).
        build_data["pure_python"] = False
        build_data["tag"] = os.environ["MIXTRAL_WHEEL_TAG"]
