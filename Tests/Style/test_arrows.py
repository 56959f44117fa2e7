"""Imports go one way, and the code, Package.swift and the tree in CONTRIBUTING.md say the same."""

from __future__ import annotations

import re

import pytest
import rooms
import swift_text

MANIFEST = (rooms.ROOT / "Package.swift").read_text("utf-8")
DECLARED = rooms.manifest_dependencies(MANIFEST)
TREE = rooms.CONTRIBUTING.read_text("utf-8")
every_room = pytest.mark.parametrize("room", rooms.ARROWS)


def imports(path) -> set[str]:
    return set(re.findall(r"^(?:@\w+ )?import (?:\w+ )?(\w+)", swift_text.code(path), re.MULTILINE))


def sources(room: str) -> list:
    return [path for path in swift_text.SOURCES if swift_text.room(path) == room]


def test_every_folder_is_a_room_of_the_table():
    assert {path.name for path in (rooms.ROOT / "Sources").iterdir()} == set(rooms.ARROWS)


def test_arrows_go_one_way():
    order = list(rooms.ARROWS)
    for room, imported in rooms.ARROWS.items():
        assert imported - {"CMixtral"} <= set(order[: order.index(room)]), room


@every_room
def test_what_is_imported_is_what_the_table_says(room):
    found = set().union(*(imports(path) for path in sources(room)))
    synchronized = {"Synchronization"} if room in rooms.SYNCHRONIZED else set()
    assert found == rooms.ARROWS[room] - rooms.REACHED.get(room, set()) | synchronized


@every_room
def test_the_manifest_declares_what_the_table_says(room):
    assert DECLARED[room] == rooms.ARROWS[room]


def test_every_room_has_one_row_of_the_tree_in_the_order_of_the_arrows():
    listed = [room for row in rooms.ROW.finditer(TREE) for room in rooms.rooms_of(row)]
    assert listed == list(rooms.ARROWS)


def test_the_tree_says_the_imports_of_the_table():
    assert TREE == rooms.with_columns(TREE), "`make contributing` writes the column anew"


def test_the_drawing_of_the_rooms():
    """Every room stands in it, and arrows go to a lower line but for the two that the page names."""
    page = (rooms.ROOT / "docs/internals/rooms.md").read_text("utf-8")
    drawing = page.split("```text\n")[1].split("```")[0].splitlines()
    known = {name: i for i, line in enumerate(drawing) for name in re.findall(r"[A-Z]\w+", line)}
    assert set(rooms.ARROWS) <= set(known)
    not_down = {
        f"{room} imports {each}"
        for room, imported in rooms.ARROWS.items()
        for each in imported - {"CMixtral"}
        if known[each] <= known[room]
    }
    assert not_down == set(re.findall(r"\w+ imports Kernels\w+|\w+ imports Platform", page))


def test_the_column_of_a_row(monkeypatch):
    arrows = {"A": set(), "B": {"A", "CMixtral"}, "C1": {"B", "A"}, "C2": {"A", "C1"}}
    monkeypatch.setattr(rooms, "ARROWS", arrows)
    row = "| `Sources/B` | `words` | {} |"
    assert rooms.with_columns(row.format("B, A")) == row.format("A")
    assert rooms.with_columns("| `Sources/B` | `words` | |") == row.format("A")
    assert rooms.with_columns("| `Sources/A` | words | B |") == "| `Sources/A` | words | |"
    several = rooms.with_columns("| `Sources/C1`, `C2` | words | |")
    assert several == "| `Sources/C1`, `C2` | words | A; C1 also B; C2 also C1 |"


def test_a_manifest_is_read():
    manifest = """
    .systemLibrary(name: "C", path: "include"), .target(name: "A"), .target(
      name: "B", dependencies: ["A"], swiftSettings: x(["-a"])),
    .testTarget(name: "T", dependencies: [
      "A", "B",
    ])
    """
    assert rooms.manifest_dependencies(manifest) == {
        "C": set(),
        "A": set(),
        "B": {"A"},
        "T": {"A", "B"},
    }
