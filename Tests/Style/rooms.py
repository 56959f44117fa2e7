"""The imports of each room: this table, the targets of Package.swift and the tree in CONTRIBUTING.md agree.

`python Tests/Style/rooms.py --write` (make contributing) fills the tree's column of imports. A new
room is a target of Package.swift, a line here and a row of the tree.
"""

from __future__ import annotations

import argparse
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"

# The rooms that each room imports, no more and no fewer.
ARROWS: dict[str, set[str]] = {
    "Platform": set(),
    "Intrinsics": set(),
    "Kernels": set(),
    "KernelsReference": {"Kernels"},
    "KernelsAVX2": {"Intrinsics", "Kernels"},
    "KernelsAVXVNNI": {"Intrinsics", "Kernels"},
    "KernelsAVX512": {"Intrinsics", "Kernels"},
    "KernelsNEON": {"Intrinsics", "Kernels"},
    "KernelsDotProd": {"Intrinsics", "Kernels"},
    "KernelsI8MM": {"Intrinsics", "Kernels"},
    "Base": {"Platform"},
    "Formats": {"Base", "Platform"},
    "Quantization": {"Base", "Formats", "Kernels"},
    "Text": {"Base", "Formats"},
    "Sampling": {"Base", "Kernels"},
    "Workers": {"Base", "Platform"},
    "Forward": {"Base", "Kernels", "Workers"},
    "Model": {"Base", "Formats", "Forward", "Kernels", "Quantization", "Text", "Workers"},
    "Conversion": {"Base", "Formats", "Model", "Quantization", "Workers"},
    "Mixtral": {
        *(
            "Base",
            "CMixtral",
            "Conversion",
            "Platform",
            "Model",
            "Sampling",
            "Text",
            "Formats",
            "Forward",
            "Kernels",
        ),
        *("KernelsReference", "KernelsAVX2", "KernelsAVXVNNI", "KernelsAVX512"),
        *("KernelsNEON", "KernelsDotProd", "KernelsI8MM"),
    },
}
# The rooms that a room reaches by the names of their functions, without an import: Embedded Swift would
# compile them again with the importer's instruction set.
REACHED: dict[str, set[str]] = {
    "Mixtral": {room for room in ARROWS if room.startswith("Kernels")} - {"Kernels"}
}
# The rooms in which locks and atomics may stand.
SYNCHRONIZED = {"Base", "Workers", "Forward", "Model", "Mixtral"}

ROW = re.compile(r"^\| (`Sources/.*?) \| (.*) \| ?(.*?) ?\|$", re.MULTILINE)


def manifest_dependencies(manifest: str) -> dict[str, set[str]]:
    """The dependencies that each target of a Package.swift declares."""
    targets = re.compile(
        r'\.(?:systemLibrary|target|executableTarget|testTarget)\(\s*name: "(\w+)"'
    )
    starts = [*targets.finditer(manifest)]
    ends = [match.start() for match in starts[1:]] + [len(manifest)]
    found = {}
    for match, end in zip(starts, ends):
        listed = re.search(r"dependencies: \[(.*?)\]", manifest[match.end() : end], re.DOTALL)
        found[match[1]] = set(re.findall(r'"(\w+)"', listed[1])) if listed else set()
    return found


def rooms_of(row: re.Match[str]) -> list[str]:
    """The rooms that a row of the tree names in its first cell."""
    return [name.removeprefix("Sources/") for name in re.findall(r"`([\w/]+)`", row[1])]


def column(rooms: list[str]) -> str:
    """The imports cell of a row: what all have, then what one has besides."""

    def spelled(names: set[str]) -> str:
        return ", ".join(name for name in ARROWS if name in names)

    internal = [{name for name in ARROWS[room] if name in ARROWS} for room in rooms]
    common = set.intersection(*internal)
    parts = [spelled(common)]
    parts += [
        f"{room} also {spelled(own - common)}" for room, own in zip(rooms, internal) if own - common
    ]
    return "; ".join(part for part in parts if part)


def with_columns(text: str) -> str:
    """CONTRIBUTING.md with the column of imports that ARROWS says."""

    def row(match: re.Match[str]) -> str:
        imports = column(rooms_of(match))
        return f"| {match[1]} | {match[2]} | {imports + ' ' if imports else ''}|"

    return ROW.sub(row, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write CONTRIBUTING.md")
    arguments = parser.parse_args()
    text = with_columns(CONTRIBUTING.read_text("utf-8"))
    if arguments.write:
        CONTRIBUTING.write_text(text, "utf-8")
    else:
        print("\n".join(match[0] for match in ROW.finditer(text)))


if __name__ == "__main__":
    main()
