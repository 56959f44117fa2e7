"""AVX-512 and AVX-VNNI, in the machine that machine.py plays; see there."""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Callable

import pytest

from conftest import AVX2, AVX512, AVXVNNI, CASES, LIBRARY
from machine import play

pytestmark = pytest.mark.machine

# The tables of a processor; the library chooses the last.
TABLES = {"icelake": [AVX2, AVX512], "sapphire": [AVX2, AVXVNNI, AVX512], "arrow": [AVX2, AVXVNNI]}


@pytest.mark.parametrize("name", TABLES)
def test_every_table_gives_the_same_tokens_and_bits(
    here: Callable[[str], list[str]], bits: pathlib.Path, name: str
) -> None:
    words, expected = [], []
    for case, (model, ids, tokens) in CASES.items():
        for isa in [0, *TABLES[name]]:
            words.append([bits, model, isa, len(tokens), *ids])
            expected.append([str(isa or TABLES[name][-1]), *here(case)[1:]])
    commands = "; echo =; ".join(shlex.join(map(str, each)) for each in words)
    files = {bits, *(case.model for case in CASES.values())}
    status, said = play(name, commands, files, LIBRARY)
    assert status == 0
    assert [part.split() for part in said.split("=")] == expected
