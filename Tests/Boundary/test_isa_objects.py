"""The object files of the ISA modules hold no code that the linker may put in place of other code.

A weak symbol exists once after linking, whichever object it comes from. If one of KernelsAVX512 had a
name that baseline modules use too, a processor without AVX-512 could end up running it. So a symbol
that can be merged or called from outside carries the name of its module, or it is one of the few
helpers of the compiler, and then its code is free of instructions that baseline lacks.

MIXTRAL_BUILD is the folder of the release build; by default .build/release.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MIXTRAL_BUILD", ROOT / ".build" / "release"))

# How Swift mangles each module: spelled out, and after "Kernels" has occurred as its first word.
MODULES = {
    "KernelsAVX2": ("11KernelsAVX2", "0A4AVX2"),
    "KernelsAVXVNNI": ("14KernelsAVXVNNI", "0A7AVXVNNI"),
    "KernelsAVX512": ("13KernelsAVX512", "0A6AVX512"),
}
# Helpers that the compiler emits under one name in every module that needs them.
SHARED_HELPERS = re.compile(r"__swift_instantiate\w+|\$s7Kernels11KernelTableVWO[a-z]")
# The symbols that the modules call: Swift's runtime, the table's initialiser and types of Kernels
# and of the standard library, and these of C, which are built for the baseline.
UNDEFINED = re.compile(
    r"swift_\w+|\$s7Kernels(11KernelTableV(N|_9floatRows\w+fC)"
    r"|(5Lanes|9VectorISA|10ProductISA|9TileSizes|11DoubleLanes)Mp)"
    r"|\$ss\w+Mn|\$sytWV|memset|memcpy|memmove|sqrtf|__stack_chk_fail"
)
# Mnemonics of AVX and later begin with v; these came with AVX2-era processors without it.
BEYOND_BASELINE = re.compile(
    r"\tv[a-z]|\t(andn|bextr|bls[ir]|blsmsk|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx|lzcnt|tzcnt"
    r"|movbe|popcnt|k(mov|or|and|xor|not|test|shift|unpck|add)[a-z]*)\b"
)


def tool(name: str, *arguments: str) -> str:
    if not shutil.which(name):
        pytest.fail(f"{name} is missing: install binutils", pytrace=False)
    return subprocess.run([name, *arguments], check=True, capture_output=True, text=True).stdout


def objects(module: str) -> list[pathlib.Path]:
    found = sorted((BUILD / f"{module}.build").glob("*.o"))
    if not found:
        pytest.fail(
            f"{BUILD}/{module}.build has no objects: build the library first (make), or say in "
            "MIXTRAL_BUILD where they are",
            pytrace=False,
        )
    return found


def symbols(path: pathlib.Path, *options: str) -> list[tuple[str, str]]:
    """(kind, name) of each symbol."""
    lines = tool("nm", *options, str(path)).splitlines()
    return [
        (match[1], match[2]) for line in lines if (match := re.search(r" ([A-Za-z]) (.+)$", line))
    ]


def own(module: str, name: str) -> bool:
    return any(spelling in name for spelling in MODULES[module])


@pytest.mark.parametrize("module", MODULES)
def test_code_that_can_be_merged_has_the_name_of_its_module(module):
    foreign = [
        f"{path.name}: {name}"
        for path in objects(module)
        for kind, name in symbols(path, "--defined-only")
        if kind in "TWi" and not own(module, name) and not SHARED_HELPERS.fullmatch(name)
    ]
    assert not foreign


@pytest.mark.parametrize("module", MODULES)
def test_shared_helpers_hold_baseline_code(module):
    for path in objects(module):
        for kind, name in symbols(path, "--defined-only"):
            if kind not in "TW" or own(module, name):
                continue
            code = tool("objdump", "-d", "--no-show-raw-insn", f"--disassemble={name}", str(path))
            body = [line for line in code.splitlines() if re.match(r"\s+[0-9a-f]+:\t", line)]
            assert body, name
            assert not [line for line in body if BEYOND_BASELINE.search(line)], name


@pytest.mark.parametrize("module", MODULES)
def test_nothing_unknown_is_called(module):
    own_names = {name for path in objects(module) for _, name in symbols(path, "--defined-only")}
    unknown = {
        name
        for path in objects(module)
        for _, name in symbols(path, "--undefined-only")
        if name not in own_names and not own(module, name) and not UNDEFINED.fullmatch(name)
    }
    assert not unknown


@pytest.mark.parametrize("module", MODULES)
def test_the_modules_hold_vector_code(module):
    """The check above sees the instructions it looks for."""
    code = "".join(tool("objdump", "-d", "--no-show-raw-insn", str(p)) for p in objects(module))
    assert "\tvfmadd" in code
    assert BEYOND_BASELINE.search(code)
    assert ("%zmm" in code) == (module == "KernelsAVX512")
