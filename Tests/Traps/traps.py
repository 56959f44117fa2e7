"""The compiler's own checks that are left in the rooms: overflows, indexes, ranges, conversions.

Each is a call of the function that Package.swift names with -trap-function, in the object files of the
release build. `python traps.py [ROOM]` lists them; with --lower it writes lower ceilings.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MIXTRAL_BUILD", ROOT / ".build" / "release"))
CEILINGS = pathlib.Path(__file__).with_name("ceilings.json")
ROOMS = (
    *("Base", "Formats", "Quantization", "Text", "Sampling", "Workers", "Model", "Conversion"),
    "Mixtral",
)
KERNELS = (
    *("Kernels", "KernelsReference", "KernelsAVX2", "KernelsAVXVNNI", "KernelsAVX512"),
    "Forward",
)
TRAP = re.compile(r"R_X86_64_\w+\s+(platform_trap|a_check_was_left_in_\w+)\b")

# Code of the standard library that the compiler wrote into a room for the room's types. Its checks
# cannot be avoided by who calls it, only by not calling it.
OUTLINED = {
    "arrays": re.compile(r"Array|_SliceBuffer|Collection|Sequence|IndexingIterator"),
    "sorting": re.compile(r"_stableSort|_mergeTopRuns|_insertionSort|_merge<|_finalizeRuns"),
    "dictionaries": re.compile(r"Dictionary|NativeSet|Set\.|_HashTable"),
    "strings": re.compile(r"String|Unicode|Substring|UTF8"),
}


def tool(name: str, *arguments: str, text: str | None = None) -> str:
    if not shutil.which(name):
        raise SystemExit(f"{name} is missing")
    done = subprocess.run(
        [name, *arguments], check=True, capture_output=True, text=True, input=text
    )
    return done.stdout


def objects(room: str) -> list[pathlib.Path]:
    # The build keeps the objects of files that are gone.
    sources = {path.name for path in (ROOT / "Sources" / room).rglob("*.swift")}
    found = sorted((BUILD / f"{room}.build").glob("*.swift.o"))
    found = [path for path in found if path.name.removesuffix(".o") in sources]
    if not found:
        raise SystemExit(
            f"{BUILD}/{room}.build has no objects: build the library first (make), or say in "
            "MIXTRAL_BUILD where they are"
        )
    return found


def calls(room: str, pattern: re.Pattern[str]) -> collections.Counter[str]:
    """How many lines of disassembly match, by the mangled function that they are in."""
    found: collections.Counter[str] = collections.Counter()
    for path in objects(room):
        function = ""
        for line in tool("objdump", "-dr", "--no-show-raw-insn", str(path)).splitlines():
            if line.endswith(">:"):
                function = line.split("<", 1)[1][:-2]
            elif pattern.search(line):
                found[function] += 1
    return found


def demangled(names: list[str]) -> list[str]:
    listed = "".join(f"{name}\n" for name in names)
    return tool("swift", "demangle", "--simplified", "--compact", text=listed).splitlines()


def cause(mangled: str, name: str) -> str:
    """Whose check it is: the room's own code's, or that of one part of the standard library."""
    # $s12Room…, and extensions of the library's types by a room, such as $sSa7FormatsE….
    if re.match(r"\$s(\d|S[a-zA-Z]\d+[A-Z]\w*?E|s\w+?\d+(?:Base|Formats)\w*?E)", mangled):
        return "own code"
    for part in ("sorting", "dictionaries", "arrays", "strings"):
        if OUTLINED[part].search(name):
            return part
    return "other"


def measure(room: str) -> dict[str, collections.Counter[str]]:
    """The room's checks by cause, and of each the functions that have them."""
    found = calls(room, TRAP)
    sorted_names = sorted(found)
    result: dict[str, collections.Counter[str]] = {}
    for mangled, name in zip(sorted_names, demangled(sorted_names)):
        result.setdefault(cause(mangled, name), collections.Counter())[name] += found[mangled]
    return result


def counts(room: str) -> dict[str, int]:
    return {part: functions.total() for part, functions in sorted(measure(room).items())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", nargs="*", default=ROOMS)
    parser.add_argument("--lower", action="store_true", help="write ceilings that have fallen")
    arguments = parser.parse_args()
    for room in arguments.rooms:
        for part, functions in measure(room).items():
            for name, count in functions.most_common():
                print(f"{room}\t{part}\t{count}\t{name}")
    if arguments.lower:
        ceilings = {room: counts(room) for room in ROOMS}
        ceilings = {room: found for room, found in ceilings.items() if found}
        CEILINGS.write_text(json.dumps(ceilings, indent=2) + "\n")


if __name__ == "__main__":
    main()
