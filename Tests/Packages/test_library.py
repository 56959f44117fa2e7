"""The library file as another machine sees it: what it needs, offers, and gives away."""

from __future__ import annotations

import pathlib
import re

import headers
import pytest

from conftest import LIBRARY, ROOT, elf, make, run

PORTABLE = ROOT / ".build" / "portable" / "libmixtral.so.1"
# The library as `make` links it, and as the wheel and the tarball have it; of each the libraries that the system has
# to bring, and the oldest glibc that does. (Threads were a library of their own before glibc 2.34.)
NEEDED = {
    LIBRARY: {"libc.so.6", "libm.so.6"},
    PORTABLE: {"libc.so.6", "libm.so.6", "libpthread.so.0"},
}
GLIBC = {LIBRARY: (2, 34), PORTABLE: (2, 17)}
LARGEST = 3_500_000
every_library = pytest.mark.parametrize("library", NEEDED, ids=lambda path: path.parent.name)


@pytest.fixture(scope="module", autouse=True)
def portable() -> None:
    make("portable")


@every_library
def test_names(library: pathlib.Path) -> None:
    assert elf(library, "SONAME") == ["libmixtral.so.1"]
    assert set(elf(library, "NEEDED")) == NEEDED[library]
    assert not elf(library, "RUNPATH") + elf(library, "RPATH")


@every_library
def test_size(library: pathlib.Path) -> None:
    assert library.stat().st_size <= LARGEST


@every_library
def test_exports(library: pathlib.Path) -> None:
    """The functions of the headers, and their version."""
    lines = run("nm", "--dynamic", "--defined-only", library).splitlines()
    exports = {line.split()[-1] for line in lines} - {"MIXTRAL_1"}
    texts = [(headers.INCLUDE / name).read_text() for name in headers.names()]
    functions = set(re.findall(r"^[\w ]+[ *](mixtral_\w+)\(", "\n".join(texts), re.MULTILINE))
    assert exports == {f"{name}@@MIXTRAL_1" for name in functions}


@every_library
def test_versions_of_symbols(library: pathlib.Path) -> None:
    found = re.findall(r"\(?\b([A-Z]+)_([\d.]+)\b", run("objdump", "-T", library))
    assert {name for name, _ in found} == {"GLIBC", "MIXTRAL"}
    versions = [tuple(map(int, number.split("."))) for name, number in found if name == "GLIBC"]
    assert max(versions) <= GLIBC[library]


@every_library
def test_nothing_of_the_build_machine(library: pathlib.Path) -> None:
    """No path of the checkout, of who built it, or of the compiler."""
    text = library.read_bytes()
    compiler = pathlib.Path(run("bash", "-c", "realpath $(command -v swift)").strip()).parents[2]
    for folder in (ROOT, pathlib.Path.home(), compiler):
        assert len(folder.parts) > 1
        assert bytes(folder) not in text


@every_library
def test_hardening(library: pathlib.Path) -> None:
    """No executable stack, no relocations in code; symbols are bound at load, then read-only."""
    headers = run("readelf", "--program-headers", "--wide", library).splitlines()
    assert [line.split()[6] for line in headers if "GNU_STACK" in line] == ["RW"]
    assert any("GNU_RELRO" in line for line in headers)
    dynamic = run("readelf", "--dynamic", "--wide", library)
    assert "TEXTREL" not in dynamic
    assert re.search(r"\(FLAGS_1\).*\bNOW\b", dynamic)
