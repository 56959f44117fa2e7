"""The library file as another machine sees it: what it needs, offers, and gives away."""

from __future__ import annotations

import pathlib
import re

import headers
import pytest

from conftest import LIBRARY, ROOT, elf, run

# Libraries that the system has to bring, and the oldest versions that do: those of Ubuntu 22.04; Debian 12 is newer.
NEEDED = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"}
CEILINGS = {"GLIBC": (2, 35), "GCC": (4, 2, 0)}


def test_names() -> None:
    assert elf(LIBRARY, "SONAME") == ["libmixtral.so.1"]
    assert set(elf(LIBRARY, "NEEDED")) == NEEDED
    assert not elf(LIBRARY, "RUNPATH") + elf(LIBRARY, "RPATH")


def test_exports() -> None:
    """The functions of the headers, and their version."""
    lines = run("nm", "--dynamic", "--defined-only", LIBRARY).splitlines()
    exports = {line.split()[-1] for line in lines} - {"MIXTRAL_1"}
    texts = [(headers.INCLUDE / name).read_text() for name in headers.names()]
    functions = set(re.findall(r"^[\w ]+[ *](mixtral_\w+)\(", "\n".join(texts), re.MULTILINE))
    assert exports == {f"{name}@@MIXTRAL_1" for name in functions}


def test_versions_of_symbols(capsys: pytest.CaptureFixture[str]) -> None:
    highest: dict[str, tuple[int, ...]] = {}
    for name, number in re.findall(r"\(?\b([A-Z]+)_([\d.]+)\b", run("objdump", "-T", LIBRARY)):
        version = tuple(int(part) for part in number.split("."))
        if name != "MIXTRAL":
            highest[name] = max(version, highest.get(name, version))
    with capsys.disabled():
        print("\nhighest symbol versions:", {name: highest[name] for name in sorted(highest)})
    assert set(highest) == set(CEILINGS)
    assert all(highest[name] <= CEILINGS[name] for name in highest)


def test_nothing_of_the_build_machine() -> None:
    """No path of the checkout, of who built it, or of the compiler."""
    text = LIBRARY.read_bytes()
    compiler = pathlib.Path(run("bash", "-c", "realpath $(command -v swift)").strip()).parents[2]
    for folder in (ROOT, pathlib.Path.home(), compiler):
        assert len(folder.parts) > 1
        assert bytes(folder) not in text


def test_hardening() -> None:
    """No executable stack, no relocations in code; symbols are bound at load, then read-only."""
    headers = run("readelf", "--program-headers", "--wide", LIBRARY).splitlines()
    assert [line.split()[6] for line in headers if "GNU_STACK" in line] == ["RW"]
    assert any("GNU_RELRO" in line for line in headers)
    dynamic = run("readelf", "--dynamic", "--wide", LIBRARY)
    assert "TEXTREL" not in dynamic
    assert re.search(r"\(FLAGS_1\).*\bNOW\b", dynamic)
