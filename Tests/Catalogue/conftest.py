"""The fixtures of Tests/Boundary, and a host in C (host.c) for what Python cannot try."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
specification = importlib.util.spec_from_file_location(
    "boundary_fixtures", HERE.parent / "Boundary" / "conftest.py"
)
boundary = importlib.util.module_from_spec(specification)
specification.loader.exec_module(boundary)
globals().update({name: one for name, one in vars(boundary).items() if name[0] != "_"})
sys.path.append(str(HERE.parent / "Faults"))


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    from process import Host

    return Host(tmp_path_factory.mktemp("host"), boundary.LIBRARY.resolve())
