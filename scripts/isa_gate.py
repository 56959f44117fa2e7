"""Looks for instructions that an old processor lacks where one might run them.

    isa_gate.py OBJECTS LIBRARY ARCHITECTURE

Rooms of plain instructions and rooms of vector instructions have functions of the same name: what the
compiler writes into each room for itself. The linker keeps one of them, and whoever runs it must have
its instructions. So no function that a plain room's object defines may hold vector instructions in the
linked library, which is not stripped. Prints what it found; fails on a violation.
"""

from __future__ import annotations

import collections
import pathlib
import re
import shutil
import subprocess
import sys

VECTOR_ROOMS = {
    "x86_64": {"KernelsAVX2", "KernelsAVXVNNI", "KernelsAVX512"},
    "aarch64": {"KernelsDotProd", "KernelsI8MM"},
}
# What the least processor of each architecture lacks. Of x86-64, mnemonics of AVX and later begin with v; the others
# came with processors that have AVX2. Of arm64: products of bytes and of bfloat16, arithmetic on halves, atomics of
# one instruction, and registers of other lengths.
BEYOND = {
    "x86_64": re.compile(
        r"\t(v[a-z]\w*|andn|bextr|bls[ir]|blsmsk|bzhi|mulx|pdep|pext|rorx|sarx|shlx|shrx|lzcnt"
        r"|movbe|popcnt|k(mov|or|and|xor|not|test|shift|unpck|add)[a-z]*)\b"
    ),
    "aarch64": re.compile(
        r"\t(u?s?u?dot|u?s?mmla|bf(dot|mmla|mlal[bt]|cvtn?2?)|f(ml[as]l2?|cadd|cmla|jcvtzs)"
        r"|sqrdml[as]h|(ld|st)(add|clr|eor|set|[su]max|[su]min)(a?l?[bh]?)|swp\w*|casp?(a?l?[bh]?)"
        r"|(f(add|sub|mul|div|ml[as]|cvt[amnpz][su])|scvtf|ucvtf)\tv\d+\.[48]h"
        r"|ldapu?r\w*|\w+\t[zp]\d+\b.*)\b"
    ),
}


def tool(name: str, *arguments: str) -> str:
    swift = shutil.which("swiftc")
    beside = pathlib.Path(swift or "").resolve().parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is missing")
    return subprocess.run([found, *arguments], check=True, capture_output=True, text=True).stdout


def defined(path: pathlib.Path) -> set[str]:
    """The functions that an object defines, also those that other objects may define too."""
    lines = (line.split(None, 2) for line in tool("llvm-nm", str(path)).splitlines())
    return {parts[2] for parts in lines if len(parts) == 3 and parts[1] in "tTwW"}


def functions_with(instructions: re.Pattern[str], library: str) -> collections.Counter[str]:
    """How many of the instructions each function of a library holds."""
    found: collections.Counter[str] = collections.Counter()
    function = ""
    for line in tool("llvm-objdump", "-d", "--no-show-raw-insn", library).splitlines():
        if line.endswith(">:"):
            function = line.split("<", 1)[1][:-2]
        elif instructions.search(line):
            found[function] += 1
    return found


def violations(objects: pathlib.Path, library: str, architecture: str) -> list[str]:
    rooms = VECTOR_ROOMS[architecture]
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for path in sorted(objects.glob("*.build/*.o")):
        if path.name == f"{path.parent.stem}.o" or path.name.endswith(".c.o"):
            names[path.parent.stem in rooms] |= defined(path)
    if not names[True] or not names[False]:
        raise SystemExit(f"{objects} has no objects of the library")
    found = functions_with(BEYOND[architecture], library)
    shared = names[True] & names[False]
    print(
        f"{len(names[False])} functions of plain rooms, {len(shared)} of them in vector rooms too; "
        f"{len(found)} functions hold vector instructions"
    )
    if not found:
        raise SystemExit("no function holds vector instructions: this is no library of all tables")
    return [
        f"{name}: {count}"
        for name, count in sorted(found.items())
        if name not in names[True] - names[False]
    ]


def main() -> None:
    objects, library, architecture = sys.argv[1:]
    bad = violations(pathlib.Path(objects), library, architecture)
    if bad:
        raise SystemExit("vector instructions where old processors come:\n  " + "\n  ".join(bad))


if __name__ == "__main__":
    main()
