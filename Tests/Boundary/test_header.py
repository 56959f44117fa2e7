"""The headers stand alone in every language mode, and the library exports just what they declare."""

from __future__ import annotations

import re
import subprocess

import headers
import pytest

import contract


@pytest.mark.parametrize(
    ("language", "standard"), contract.MODES, ids=[mode for _, mode in contract.MODES]
)
@pytest.mark.parametrize("name", headers.names())
def test_compiles_alone_and_twice(name, include, language, standard):
    source = f"#include <{name}>\n#include <{name}>\nint mixtral_alone;\n"
    run = contract.compiled(include, source, language, standard)
    assert run.returncode == 0, run.stderr


def test_the_makefile_has_the_same_list(include):
    """HEADERS is the one list besides scripts/headers.py."""
    assert contract.of_make() == [f"include/{name}" for name in headers.names(include)]


def test_exports_exactly_the_declared_functions(include, library):
    run = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True
    )
    exported = {line.split()[-1] for line in run.stdout.splitlines() if line.split()[-2] != "A"}
    names = [contract.declared(include, name)["functions"] for name in headers.names(include)]
    assert {name.split("@")[0] for name in exported} == set().union(*names)
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
