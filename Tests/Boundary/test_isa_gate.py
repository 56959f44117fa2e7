"""The gate that every build of the library goes through: no vector instruction where an old processor comes."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OBJECTS = ROOT / ".build" / "embedded" / "release"
LIBRARY = ROOT / ".build" / "lib" / "unstripped"
GATE = ROOT / "scripts" / "isa_gate.py"
PACKAGE = (ROOT / "Package.swift").read_text()
# The rooms with an instruction set, by architecture.
ROOM = r'name: "(Kernels\w+)",[^)]*?\n\s*swiftSettings: kernels\("-march={}'
VECTOR_ROOMS = {
    "x86_64": re.findall(ROOM.format("x86-64"), PACKAGE),
    "aarch64": re.findall(ROOM.format("armv8"), PACKAGE),
}


def gate(objects: pathlib.Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(GATE), str(objects), str(LIBRARY), "x86_64"]
    return subprocess.run(words, capture_output=True, text=True)


def test_the_library_passes():
    done = gate(OBJECTS)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ functions hold vector instructions", done.stdout)


@pytest.mark.parametrize("room", VECTOR_ROOMS["x86_64"])
def test_vector_instructions_in_a_plain_room_are_found(room, tmp_path):
    """The same library, of which one room of vector instructions is taken for a plain one."""
    for folder in OBJECTS.glob("*.build"):
        name = "Plain.build" if folder.name == f"{room}.build" else folder.name
        (tmp_path / name).mkdir()
        for path in folder.glob("*.o"):
            link = "Plain.o" if path.name == f"{room}.o" else path.name
            (tmp_path / name / link).symlink_to(path)
    done = gate(tmp_path)
    assert done.returncode != 0
    assert "vector instructions where old processors come" in done.stderr
    assert room in done.stderr


@pytest.mark.parametrize("architecture", VECTOR_ROOMS)
def test_every_room_with_an_instruction_set_is_known_to_the_gate(architecture):
    named = re.search(rf'"{architecture}": \{{([^}}]*)\}}', GATE.read_text())
    assert named and set(re.findall(r"\w+", named[1])) == set(VECTOR_ROOMS[architecture])
    assert VECTOR_ROOMS[architecture]


def test_every_room_is_linked_once_and_plain_ones_first():
    """SwiftPM's order is that of the names, which is no rule; ours is written in scripts/link.sh."""
    script = (ROOT / "scripts" / "link.sh").read_text()
    plain, *tables = [
        words.split() for words in re.findall(r'\n *(?:plain|tables)="([^"]*)"', script)
    ]
    rooms = [path.name for path in (ROOT / "Sources").iterdir() if [*path.rglob("*.swift")]]
    assert sorted(sum(tables, plain)) == sorted(rooms)
    # NEON is a part of every arm64 processor; it comes before what is not.
    assert tables == [VECTOR_ROOMS["x86_64"], ["KernelsNEON", *VECTOR_ROOMS["aarch64"]]]
