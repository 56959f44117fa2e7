"""Writes include/mixtral.abi.xml, what abidiff compares later headers with: the C interface of the last
release as libabigail describes it.

    python scripts/make_abi_baseline.py [--header FILE] [--output FILE]

The library's own debug information speaks of Swift, so a stand-in is described: a C library with every
function of the header and no code, exported by the same version script.
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import tempfile
from typing import Any

import make_abi


def stand_in(description: dict[str, Any]) -> str:
    """C source that defines every function."""
    lines = ["#include <mixtral.h>"]
    for one in description["functions"]:
        typed = [f"{some['type']} p{i}" for i, some in enumerate(one["parameters"])]
        uses = "".join(f"(void)p{i}; " for i in range(len(typed)))
        head = f"{one['returns']['type']} {one['name']}({', '.join(typed) or 'void'})"
        lines.append(f"{head} {{ {uses}return 0; }}")
    return "\n".join([*lines, ""])


def write(header: pathlib.Path, output: pathlib.Path) -> None:
    description = make_abi.Reader(header).description()
    with tempfile.TemporaryDirectory() as folder:
        source, library = pathlib.Path(folder, "mixtral.c"), pathlib.Path(folder, "mixtral.so")
        source.write_text(stand_in(description))
        exports = make_abi.ROOT / "exports.map"
        compile = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-g", "-shared", "-fPIC"]
        compile += [f"-ffile-prefix-map={folder}=.", f"-I{header.parent}"]
        compile += [f"-Wl,--version-script={exports}", f"-Wl,-soname={description['library']}"]
        subprocess.run([*compile, str(source), "-o", str(library)], check=True)
        describe = ["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs"]
        describe += ["--type-id-style", "hash", "--headers-dir", str(header.parent)]
        subprocess.run([*describe, "--out-file", str(output), str(library)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--header", type=pathlib.Path, default=make_abi.ROOT / "include/mixtral.h")
    parser.add_argument(
        "--output", type=pathlib.Path, default=make_abi.ROOT / "include/mixtral.abi.xml"
    )
    arguments = parser.parse_args()
    write(arguments.header, arguments.output)


if __name__ == "__main__":
    main()
