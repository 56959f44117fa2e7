"""The compiler's checks that are left in the library: overflows, indexes, ranges, conversions.

Each is a call of the function that Package.swift names with -trap-function, in the linked library, which
holds the standard library's code too: Embedded Swift compiles it into the rooms. Whose a check is, the
name of its function says. `python traps.py [ROOM]` lists them; with --lower it writes lower ceilings.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = pathlib.Path(os.environ.get("MIXTRAL_UNSTRIPPED", ROOT / ".build/lib/unstripped"))
CEILINGS = pathlib.Path(__file__).with_name("ceilings.json")
LINK = (ROOT / "scripts" / "link.sh").read_text()
# The rooms of this machine's library.
ROOMS = sorted(
    re.search(r'^plain="([^"]*)"', LINK, re.MULTILINE)[1].split()
    + re.search(rf'{platform.machine()}\)\n *tables="([^"]*)"', LINK)[1].split()
)
TRAP = re.compile(r"\t(call|j\w+|bl?)\s.*<platform_trap>")
# The part of the functions whose names are those of the standard library.
LIBRARY_PART = "standard library"


def tool(name: str, *arguments: str, text: str | None = None) -> str:
    if not shutil.which(name):
        raise SystemExit(f"{name} is missing")
    done = subprocess.run(
        [name, *arguments], check=True, capture_output=True, text=True, input=text
    )
    return done.stdout


@functools.cache
def disassembly() -> list[str]:
    if not LIBRARY.exists():
        raise SystemExit(f"{LIBRARY} is missing: build the library first (make)")
    return tool("objdump", "-d", "--no-show-raw-insn", str(LIBRARY)).splitlines()


def functions_with(pattern: re.Pattern[str]) -> collections.Counter[str]:
    """The number of lines of disassembly that match, by the mangled function that they are in."""
    found: collections.Counter[str] = collections.Counter()
    function = ""
    for line in disassembly():
        if line.endswith(">:"):
            function = line.split("<", 1)[1][:-2]
        elif pattern.search(line):
            found[function] += 1
    return found


def room(mangled: str) -> str | None:
    """The room of a function, also of one that extends a type of the standard library; else None."""
    if name := re.match(r"\$e(\d+)", mangled):
        return mangled[name.end() :][: int(name[1])]
    extended = re.match(rf"\$e[Ss]\w*?\d+({'|'.join(ROOMS)})\w*?E", mangled)
    return extended[1] if extended else None


def demangled(names: list[str]) -> list[str]:
    listed = "".join(f"{name}\n" for name in names)
    return tool("swift", "demangle", "--simplified", "--compact", text=listed).splitlines()


def measure() -> dict[str, collections.Counter[str]]:
    """The checks of each room's own functions and of the standard library's, by function."""
    found = functions_with(TRAP)
    names = sorted(found)
    result: dict[str, collections.Counter[str]] = {}
    for mangled, name in zip(names, demangled(names)):
        part = room(mangled) or LIBRARY_PART
        result.setdefault(part, collections.Counter())[name] += found[mangled]
    return result


def counts() -> dict[str, int]:
    return {part: functions.total() for part, functions in sorted(measure().items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="rooms; by default all, and the standard library")
    parser.add_argument("--lower", action="store_true", help="write ceilings that have fallen")
    arguments = parser.parse_args()
    for part, functions in sorted(measure().items()):
        for name, count in functions.most_common():
            if not arguments.parts or part in arguments.parts:
                print(f"{part}\t{count}\t{name}")
    if arguments.lower:
        CEILINGS.write_text(json.dumps(counts(), indent=2) + "\n")


if __name__ == "__main__":
    main()
