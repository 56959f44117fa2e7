"""The library for arm64 on processors that qemu plays: the tokens and bits of this machine, kernel by kernel too."""

from __future__ import annotations

import itertools
import pathlib
import subprocess
from collections.abc import Callable

import pytest

from conftest import CASES, DOTPROD, I8MM, NEON, REFERENCE, ROOT, said
from processors import ARM64_PROCESSORS, emulated_arm64

pytestmark = pytest.mark.arm64

# The tables that each processor runs, the best last.
TABLES = {
    "cortex-a72": [REFERENCE, NEON],
    "neoverse-n1": [REFERENCE, NEON, DOTPROD],
    "max": [REFERENCE, NEON, DOTPROD, I8MM],
}
NAMES = {NEON: "neon", DOTPROD: "dotprod", I8MM: "i8mm"}
# The demo models with plain code take an emulator half a minute, and processors share code.
QUICK = {
    *((name, isa, "mixtral-tiny") for name, tables in TABLES.items() for isa in tables),
    *((name, TABLES[name][-1], case) for name in TABLES for case in CASES),
}


@pytest.fixture(scope="session")
def bits_arm64(folder: pathlib.Path) -> pathlib.Path:
    """bits.c for arm64."""
    library = ROOT / ".build" / "lib-aarch64"
    words = ["aarch64-linux-gnu-gcc", "-std=c99", "-O2", "-Wall", "-Wextra", "-pedantic"]
    words += ["-Werror", f"-I{ROOT / 'include'}", "-o", str(folder / "bits-arm64")]
    words += [str(pathlib.Path(__file__).with_name("bits.c")), f"-L{library}", "-lmixtral"]
    subprocess.run([*words, f"-Wl,-rpath,{library}"], check=True)
    return folder / "bits-arm64"


@pytest.mark.parametrize(
    ("name", "isa", "case"),
    [
        pytest.param(*each, marks=[] if each in QUICK else [pytest.mark.slow])
        for name, tables in TABLES.items()
        for each in itertools.product([name], tables, CASES)
    ],
)
def test_the_same_tokens_and_bits(
    here: Callable[[str], list[str]], bits_arm64: pathlib.Path, name: str, isa: int, case: str
) -> None:
    table, *tokens, digest = said([*emulated_arm64(name), str(bits_arm64)], CASES[case], isa)
    assert int(table) == isa
    assert list(map(int, tokens)) == CASES[case].tokens
    assert [*tokens, digest] == here(case)[1:]


@pytest.mark.parametrize("name", ARM64_PROCESSORS)
def test_the_best_table_is_chosen(bits_arm64: pathlib.Path, name: str) -> None:
    words = [*emulated_arm64(name), str(bits_arm64)]
    assert int(said(words, CASES["mistral-tiny"])[0]) == TABLES[name][-1]


@pytest.mark.parametrize("name", ARM64_PROCESSORS)
@pytest.mark.parametrize("isa", [2, 3, 4, NEON, DOTPROD, I8MM])
def test_a_table_that_the_processor_lacks(bits_arm64: pathlib.Path, name: str, isa: int) -> None:
    if isa in TABLES[name]:
        return
    words = [*emulated_arm64(name), str(bits_arm64), str(CASES["mistral-tiny"].model)]
    done = subprocess.run([*words, str(isa), "0", "1"], capture_output=True, text=True)
    expected = f"UNSUPPORTED: isa is {isa}; this processor does not have it\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.parametrize("name", ARM64_PROCESSORS)
def test_every_kernel_has_the_bits_of_the_reference(name: str) -> None:
    words = [*emulated_arm64(name), str(ROOT / ".build" / "kernel-check-aarch64")]
    done = subprocess.run(words, capture_output=True, text=True)
    *tables, result = done.stdout.splitlines()
    print(f"{name}: {result}")
    assert done.returncode == 0, done.stdout
    assert tables == [NAMES[isa] for isa in TABLES[name][1:]]
