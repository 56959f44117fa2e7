#!/usr/bin/env python3
"""Runs a program as on another processor, played by qemu-user.

    python Tests/Baseline/processors.py nehalem .build/examples/complete MODEL PROMPT

An instruction that the processor lacks ends the program with SIGILL, as it would there. What a
program starts is not emulated, so the tests that run this way start none.
"""

from __future__ import annotations

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent

# Without the features that qemu does not play and would warn of.
PROCESSORS = {
    "least": "Opteron_G2",  # of 2006: SSE3 and cmpxchg16b, which Swift's runtime asks for
    "nehalem": "Nehalem",  # SSE4.2 and popcnt: what distributions call x86-64-v2
    "haswell": "Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid",  # AVX2: x86-64-v3
}


# arm64 without dot products of bytes, with them, and with all that qemu plays.
ARM64_PROCESSORS = ("cortex-a72", "neoverse-n1", "max")


def emulated(name: str, *without: str) -> list[str]:
    """The words before a program's: the processor's name, the features taken away from it.

    The folder of that name holds what /proc/cpuinfo says there; qemu would show this machine's.
    """
    cpu = ",".join([PROCESSORS[name], *(f"-{feature}" for feature in without)])
    return ["qemu-x86_64", "-cpu", cpu, "-L", str(HERE / name)]


def emulated_arm64(name: str) -> list[str]:
    """The same of a program for arm64, with the C library that it was linked for."""
    return ["qemu-aarch64", "-cpu", name, "-L", "/usr/aarch64-linux-gnu"]


if __name__ == "__main__":
    words = [*emulated(sys.argv[1]), *sys.argv[2:]]
    os.execvp(words[0], words)
