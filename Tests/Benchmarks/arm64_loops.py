#!/usr/bin/env python3
"""The inner loops of the products of arm64, counted: no timing.

    make library ARCH=aarch64 && python Tests/Benchmarks/arm64_loops.py

For every table and type of block, of the innermost loops with the fewest products of a code and an activation by
instruction (one row of activations) and with the most (the rows of a tile): the products by instruction, and by
cycle as llvm-mca of Debian's llvm-19 computes it for a Neoverse N1 and V1, all data in the first cache.
"""

from __future__ import annotations

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
OBJECTS = ROOT / ".build" / "embedded-aarch64" / "release"
# The instruction of each table's products, and how many of them it makes.
TABLES = {"NEON": ("smlal2?", 8), "DotProd": ("sdot", 16), "I8MM": ("usdot", 16)}
PROCESSORS = ("neoverse-n1", "neoverse-v1")
# In the order of PanelType, whose plain values have three closures in Table.swift and the others two.
TYPES = ("f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0")
TYPES += ("q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "iq4_NL", "iq4_XS")
PRODUCT = re.compile(r"5TableO6panels\w+cfU(\d+)_$")
BRANCH = re.compile(r"\t(?:b|b\.\w+|cbn?z|tbn?z)\t(?:.*, )?0x([0-9a-f]+)")


def functions(room: str) -> dict[str, list[str]]:
    """The instructions of each function of a room's object."""
    words = ["llvm-objdump-19", "-d", "--no-show-raw-insn", f"{OBJECTS}/{room}.build/{room}.o"]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.endswith(">:"):
            body = found[line.split("<", 1)[1][:-2]] = []
        elif re.match(r" +[0-9a-f]+:", line):
            body.append(line)
    return found


def innermost(body: list[str]) -> list[list[str]]:
    """The loops of a function that hold no other loop."""
    places = {int(line.split(":")[0], 16): i for i, line in enumerate(body)}
    loops = set()
    for end, line in enumerate(body):
        target = BRANCH.search(line)
        start = places.get(int(target[1], 16)) if target else None
        if start is not None and start <= end:
            loops.add((start, end))
    return [
        body[start : end + 1]
        for start, end in loops
        if not any((a, b) != (start, end) and start <= a and b <= end for a, b in loops)
    ]


def cycles(loop: list[str], processor: str) -> float:
    """Cycles of one turn of a loop by llvm-mca."""
    lines = [line.split("\t", 1)[1] for line in loop if "<" not in line]
    words = ["llvm-mca-19", "-mtriple=aarch64", f"-mcpu={processor}", "-mattr=+dotprod,+i8mm"]
    words += ["-iterations=100"]
    done = subprocess.run(words, input="\n".join(lines), check=True, capture_output=True, text=True)
    return int(re.search(r"Total Cycles: +(\d+)", done.stdout)[1]) / 100


def row(room: str, body: list[str]) -> list[str]:
    """Of the loops with the fewest and with the most products by instruction: these, and by cycle."""
    instruction, width = TABLES[room]
    found = []
    for loop in innermost(body):
        products = width * sum(re.search(rf"\t{instruction}\t", line) is not None for line in loop)
        if products:
            found.append((products / len(loop), products, loop))
    cells = []
    for rate, products, loop in (min(found), max(found)):
        rates = [products / cycles(loop, processor) for processor in PROCESSORS]
        cells += [f"{rate:.1f}", *(f"{each:.0f}" for each in rates)]
    return cells


def main() -> None:
    heads = [
        f"{count}: {what}"
        for count in ("fewest", "most")
        for what in ("an instruction", "N1", "V1")
    ]
    print(f"| table | type | {' | '.join(heads)} |")
    print("| --- | --- | " + "--: | " * len(heads))
    for room in TABLES:
        bodies = {}
        for name, body in functions(f"Kernels{room}").items():
            if match := PRODUCT.search(name):
                bodies[int(match[1])] = body
        for i, kind in enumerate(TYPES[3:]):
            print(f"| {room} | {kind} | {' | '.join(row(room, bodies[8 + 2 * i]))} |")


if __name__ == "__main__":
    main()
