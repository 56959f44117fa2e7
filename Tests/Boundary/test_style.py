"""The house style as tests: import arrows, sizes of files and lines, words that may not stand in Sources."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "Sources").rglob("*.swift"))

# What each room may import besides the standard library; the arrows of CONTRIBUTING.md.
ARROWS = {
    "Kernels": set(),
    "KernelsAVX2": {"Intrinsics", "Kernels"},
    "KernelsAVXVNNI": {"Intrinsics", "Kernels", "KernelsAVX2"},
    "KernelsAVX512": {"Intrinsics", "Kernels"},
    "Base": {"Platform", "Glibc", "Synchronization"},
    "Formats": {"Base", "Platform", "Glibc"},
    "Quantization": {"Base", "Formats", "Intrinsics", "Kernels"},
    "Text": {"Base", "Formats"},
    "Sampling": {"Base", "Kernels"},
    "Workers": {"Base", "Platform", "Glibc", "Synchronization"},
    "Forward": {"Base", "Kernels", "Workers", "Synchronization"},
    "Model": {
        *("Base", "Formats", "Forward", "Kernels", "Quantization", "Text", "Workers"),
        "Synchronization",
    },
    "Mixtral": {
        *("Base", "CMixtral", "Platform", "Model", "Sampling", "Text", "Formats", "Kernels"),
        *("KernelsAVX2", "KernelsAVXVNNI", "KernelsAVX512", "Glibc", "Synchronization"),
    },
}
# These files own the system calls; elsewhere in their rooms Glibc is not imported.
SYSTEM_FILES = {
    "Base": {"Growable.swift", "Memory.swift"},
    "Formats": {"SystemCalls.swift"},
    "Workers": {"Workers.swift"},
    "Mixtral": {"Call.swift", "Guard.swift", "Handles.swift"},
}
FORBIDDEN = re.compile(
    r"\btry!|\bas!|\bfatalError\(|\bprecondition(Failure)?\(|\bprint\(|\bdebugPrint\(|\bexit\("
    r"|\bassert(ionFailure)?\(|\bunowned(?!\(unsafe\))|\bunsafelyUnwrapped\b|\bdump\("
    r"|\bimport (Foundation|Dispatch)\b|\.allocate\(byteCount|\bTODO\b|\bFIXME\b|[\w\])]!(?![=\w(])"
)


def room(path: pathlib.Path) -> str:
    return path.relative_to(ROOT / "Sources").parts[0]


def code(path: pathlib.Path) -> list[str]:
    """Lines without comments and without the text of strings."""
    lines = []
    for line in path.read_text().splitlines():
        line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
        lines.append(re.sub(r"//.*", "", line))
    return lines


def name(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_room_has_an_arrow():
    assert {room(path) for path in SOURCES} == set(ARROWS)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_imports_follow_the_arrows(path):
    imports = set(re.findall(r"^import (\w+)", path.read_text(), re.MULTILINE))
    assert imports <= ARROWS[room(path)]
    if "Glibc" in imports:
        assert path.name in SYSTEM_FILES[room(path)]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_nothing_ends_the_host(path):
    found = [
        f"{number}: {line.strip()}"
        for number, line in enumerate(code(path), 1)
        if FORBIDDEN.search(line)
    ]
    assert not found


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_sizes(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= (600 if room(path).startswith("Kernels") else 400)
    assert max(map(len, lines)) <= 100


def test_the_forward_pass_is_a_page():
    """Its phases read like the paper; how they are computed is in the files beside it."""
    assert len((ROOT / "Sources/Forward/ForwardPass.swift").read_text().splitlines()) <= 200


def test_the_public_interface_is_the_header():
    """`public` belongs to the boundary; the generic kernels need it to inline into the ISA modules."""
    found = {
        room(path)
        for path in SOURCES
        if any(re.search(r"^\s*(@\w+(\(.*\))? )*public ", line) for line in code(path))
    }
    assert found <= {"Mixtral", *(name for name in ARROWS if name.startswith("Kernels"))}
