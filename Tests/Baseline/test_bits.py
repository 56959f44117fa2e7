"""On every processor the same tokens and bits, and the best table that it runs."""

from __future__ import annotations

import itertools
import pathlib
import signal
import subprocess
from collections.abc import Callable

import pytest

from conftest import AVX2, AVX512, AVXVNNI, CASES, REFERENCE, said, tiny
from processors import PROCESSORS, emulated

CHOICES = {"least": REFERENCE, "nehalem": REFERENCE, "haswell": AVX2}
# The features that code for AVX2 may use: without any of these the library has to do without it.
# Of BMI1 nothing can be said: without it qemu 7.2 refuses BMI2's bzhi too, and then not even
# glibc's strings work.
NEEDED = ["avx2", "fma", "f16c", "movbe", "bmi2", "abm", "xsave"]
INSTRUCTIONS = {
    "pcmpgtq %xmm0, %xmm0": {"nehalem", "haswell"},
    "vxorps %ymm0, %ymm0, %ymm0": {"haswell"},
    "vpaddb %ymm0, %ymm0, %ymm0": {"haswell"},
    "vfmadd231ps %ymm0, %ymm0, %ymm0": {"haswell"},
    "vcvtph2ps %xmm0, %ymm0": {"haswell"},
    "mulx %rax, %rax, %rax": {"haswell"},
}
QUICK = {
    *(("haswell", case) for case in CASES),
    ("least", "mistral-tiny"),
    ("nehalem", "mixtral-tiny"),
    ("nehalem", "mixtral-demo"),
}
ONE = [str(tiny("mistral-tiny").model), "0", "0", "1"]


@pytest.mark.parametrize("instruction", INSTRUCTIONS)
def test_the_emulator_knows_what_a_processor_lacks(folder: pathlib.Path, instruction: str) -> None:
    program = folder / "instruction"
    source = f'int main(void) {{ __asm__ volatile("{instruction}"); return 0; }}'
    words = ["cc", "-x", "c", "-", "-o", str(program)]
    subprocess.run(words, input=source, check=True, text=True)
    for name in PROCESSORS:
        done = subprocess.run([*emulated(name), str(program)], capture_output=True)
        expected = 0 if name in INSTRUCTIONS[instruction] else -signal.SIGILL
        assert done.returncode == expected, name


@pytest.mark.parametrize(
    ("name", "case"),
    [
        pytest.param(name, case, marks=[] if (name, case) in QUICK else [pytest.mark.slow])
        for name, case in itertools.product(PROCESSORS, CASES)
    ],
)
def test_the_same_tokens_and_bits(
    here: Callable[[str], list[str]], bits: pathlib.Path, name: str, case: str
) -> None:
    table, *tokens, digest = said([*emulated(name), str(bits)], CASES[case])
    assert int(table) == CHOICES[name]
    assert list(map(int, tokens)) == CASES[case].tokens
    assert [*tokens, digest] == here(case)[1:]


@pytest.mark.parametrize("feature", NEEDED)
def test_without_a_feature_of_avx2_there_is_no_avx2(bits: pathlib.Path, feature: str) -> None:
    words = [*emulated("haswell", feature), str(bits), *ONE]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[0]) == REFERENCE


@pytest.mark.parametrize("name", PROCESSORS)
@pytest.mark.parametrize("isa", [AVX2, AVX512, AVXVNNI])
def test_a_table_that_the_processor_lacks(bits: pathlib.Path, name: str, isa: int) -> None:
    words = [*emulated(name), str(bits), ONE[0], str(isa), *ONE[2:]]
    done = subprocess.run(words, capture_output=True, text=True)
    if isa == CHOICES[name]:
        assert (done.returncode, int(done.stdout.split()[0])) == (0, isa)
    else:
        expected = f"UNSUPPORTED: isa is {isa}; this processor does not have it\n"
        assert (done.returncode, done.stderr) == (1, expected)
