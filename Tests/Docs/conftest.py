"""A folder where a page's programs run: it looks like the checkout, and nothing of the checkout changes."""

from __future__ import annotations

import os
import pathlib
import sys

import blocks
import pytest

# Folders that the guides name relative to the checkout.
sys.path.append(str(blocks.ROOT / "scripts"))
LINKED = ("include", "bindings", "examples")


def pytest_sessionstart(session: pytest.Session) -> None:
    if not (blocks.ROOT / ".build/lib/libmixtral.so.1").is_file():
        pytest.exit("the library is missing: build it first (make)", returncode=1)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in LINKED:
        (tmp_path / name).symlink_to(blocks.ROOT / name)
    (tmp_path / ".build").mkdir()
    (tmp_path / ".build/lib").symlink_to(blocks.ROOT / ".build/lib")
    return tmp_path


@pytest.fixture
def environment() -> dict[str, str]:
    """As the guides ask for it: Python finds the package, and C programs the library."""
    tools = pathlib.Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PYTHONPATH": "bindings/python",
        "LD_LIBRARY_PATH": str(blocks.ROOT / ".build/lib"),
    }
