"""include/mixtral.abi.json for tests, and the scripts that make it and use it."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
DESCRIPTION = ROOT / "include" / "mixtral.abi.json"
BASELINE = ROOT / "include" / "mixtral.abi.xml"
FROZEN = ROOT / "Tests" / "Boundary" / "frozen" / "0.1"


def read(path: pathlib.Path = DESCRIPTION) -> dict[str, Any]:
    description: dict[str, Any] = json.loads(path.read_text())
    return description


def named(members: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in members}


def copied(include: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """The headers in a folder of their own, to be changed."""
    return pathlib.Path(shutil.copytree(include, folder / "include"))


def script(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs one of the repository's scripts."""
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def without_growth(path: pathlib.Path) -> None:
    """Takes away from a description what was added behind the structs of the baseline that have a
    struct_size: abidiff's own suppression of members at the end is silent about other changes too. A field
    in the place of a reserved one is called so again."""
    old = {one.get("name"): one for one in ElementTree.parse(BASELINE).iter("class-decl")}
    tree = ElementTree.parse(path)
    for struct in tree.iter("class-decl"):
        before = old.get(struct.get("name"))
        if before is None or before.find("data-member/var-decl[@name='struct_size']") is None:
            continue
        size = int(before.get("size-in-bits", "0"))
        if size < int(struct.get("size-in-bits", "0")):
            struct.set("size-in-bits", str(size))
        for member in struct.findall("data-member"):
            if int(member.get("layout-offset-in-bits", "0")) >= size:
                struct.remove(member)
        for reserved in before.findall("data-member/var-decl[@name='reserved']/.."):
            offset = reserved.get("layout-offset-in-bits")
            for field in struct.findall(f"data-member[@layout-offset-in-bits='{offset}']/var-decl"):
                field.set("name", "reserved")
    tree.write(path)


def compared(include: pathlib.Path, folder: pathlib.Path) -> tuple[int, str]:
    """abidiff's verdict on the headers of a folder: its exit code and what it says."""
    described = folder / "described.xml"
    run = script("make_abi_baseline.py", "--include", include, "--output", described)
    assert run.returncode == 0, run.stderr
    without_growth(described)
    command = ["abidiff", "--no-added-syms", "--harmless", str(BASELINE), str(described)]
    run = subprocess.run(command, capture_output=True, text=True)
    return run.returncode, run.stdout + run.stderr
