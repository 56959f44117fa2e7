"""Habits that Sources should lose, counted by room, beside ceilings that only fall.

`python Tests/Style/ceilings.py [ROOM...]` lists each place; `--lower` writes ceilings.json anew. What
moves from room to room takes its share of a ceiling along: `--lower` refuses only when a sum over all
rooms, or the number of long functions, has risen.
"""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import re
import sys
from collections.abc import Callable

import swift_text

CEILINGS = pathlib.Path(__file__).with_name("ceilings.json")
LONG_FUNCTION = 40
LONG = "lines of functions over 40"
# Where a guard that returns makes an impossible state silent.
MAY_NOT_BE_SILENT = {"Forward", "Quantization"}

WRAPPING = re.compile(r"&[-+*]")
SILENT = re.compile(r"\belse\s*\{\s*return\s*\}")
RIDDLE = re.compile(r"(What|Who|Whoever|Whatever|One)\b")


def line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


def wrapping(path: pathlib.Path) -> list[int]:
    text = swift_text.code(path)
    return [line(text, match) for match in WRAPPING.finditer(text)]


def counting_loops(path: pathlib.Path) -> list[int]:
    return swift_text.counting_loops(swift_text.code(path))


def silent_guards(path: pathlib.Path) -> list[int]:
    if swift_text.room(path) not in MAY_NOT_BE_SILENT:
        return []
    text = swift_text.code(path)
    return [line(text, match) for match in SILENT.finditer(text)]


def riddles(path: pathlib.Path) -> list[int]:
    blocks = swift_text.comment_blocks(path.read_text("utf-8"))
    return [number for number, words in blocks if RIDDLE.match(words)]


MEASURES: dict[str, Callable[[pathlib.Path], list[int]]] = {
    "wrapping operators": wrapping,
    "while loops that only count": counting_loops,
    "guards that make an impossible state silent": silent_guards,
    "comments that begin with what, who or one": riddles,
}


def places(measure: str, room: str) -> list[str]:
    return [
        f"{swift_text.name(path)}:{number}"
        for path in swift_text.TEXTS
        if swift_text.room(path) == room
        for number in MEASURES[measure](path)
    ]


def rooms() -> list[str]:
    return sorted({swift_text.room(path) for path in swift_text.TEXTS})


def counts(measure: str) -> dict[str, int]:
    return {room: found for room in rooms() if (found := len(places(measure, room)))}


def long_functions() -> dict[str, int]:
    """The functions over 40 lines, and of how many each has."""
    found: collections.Counter[str] = collections.Counter()
    for path in swift_text.TEXTS:
        for function in swift_text.functions(path):
            if function.line_count > LONG_FUNCTION:
                found[function.name] = max(found[function.name], function.line_count)
    return dict(sorted(found.items()))


def measured() -> dict[str, dict[str, int]]:
    return {LONG: long_functions()} | {name: counts(name) for name in MEASURES}


def allowed() -> dict[str, dict[str, int]]:
    return json.loads(CEILINGS.read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", default=rooms())
    parser.add_argument("--lower", action="store_true", help="write ceilings that have fallen")
    arguments = parser.parse_args()
    if arguments.lower:
        found = measured()
        if len(found[LONG]) > len(allowed()[LONG]):
            sys.exit(f"{LONG}: {len(found[LONG])} functions, more than {len(allowed()[LONG])}")
        for name, ceiling in allowed().items():
            if sum(found[name].values()) > sum(ceiling.values()):
                sys.exit(f"{name}: {sum(found[name].values())}, more than {sum(ceiling.values())}")
        CEILINGS.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
        return
    for name, count in long_functions().items():
        print(f"{LONG}\t{count}\t{name}")
    for measure in MEASURES:
        for room in arguments.rooms:
            for place in places(measure, room):
                print(f"{measure}\t{place}")


if __name__ == "__main__":
    main()
