"""include/mixtral.abi.json for tests, and the scripts that make it."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
DESCRIPTION = ROOT / "include" / "mixtral.abi.json"
FROZEN = ROOT / "Tests" / "Boundary" / "frozen" / "0.1"


def read(path: pathlib.Path = DESCRIPTION) -> dict[str, Any]:
    description: dict[str, Any] = json.loads(path.read_text())
    return description


def named(members: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in members}


def script(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs one of the repository's scripts."""
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)
