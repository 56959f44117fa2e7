"""Programs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

from conftest import PYTHON


def python(*words: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python, which finds the package of the checkout."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(PYTHON), **environment},
        input=stdin,
        capture_output=True,
        text=True,
    )
