"""The header stands alone in every language mode, and the library exports just what it declares."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
MODES = [
    ("c", "c99"),
    ("c", "c11"),
    ("c", "c17"),
    ("c++", "c++11"),
    ("c++", "c++17"),
    ("c++", "c++20"),
]


@pytest.mark.parametrize(("language", "standard"), MODES, ids=[mode for _, mode in MODES])
def test_compiles_alone_and_twice(header, language, standard, tmp_path):
    source = tmp_path / "alone"
    source.write_text("#include <mixtral.h>\n#include <mixtral.h>\nint mixtral_alone;\n")
    run = subprocess.run(
        ["cc", *STRICT, "-x", language, f"-std={standard}", "-I", str(header.parent), str(source)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


def declared(header: pathlib.Path) -> set[str]:
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.DOTALL)
    return set(re.findall(r"\b(mixtral_\w+)\s*\([^)]", text))


def test_exports_exactly_the_declared_functions(header, library):
    run = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True
    )
    exported = {line.split()[-1] for line in run.stdout.splitlines() if line.split()[-2] != "A"}
    assert {name.split("@")[0] for name in exported} == declared(header)
    assert {name.partition("@@")[2] for name in exported} == {"MIXTRAL_1"}


def test_needs_only_the_system(library):
    run = subprocess.run(
        ["readelf", "-d", str(library)], capture_output=True, text=True, check=True
    )
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", run.stdout))
    # Not libstdc++: packaging/link/libstdc++.so says why.
    allowed = {"libc.so.6", "libm.so.6", "libgcc_s.so.1"}
    assert needed <= allowed | {"ld-linux-x86-64.so.2", "libpthread.so.0", "libdl.so.2"}
    assert re.findall(r"\(SONAME\).*\[(.*)\]", run.stdout) == ["libmixtral.so.1"]
    assert "NODELETE" in run.stdout
