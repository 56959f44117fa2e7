"""Writes include/mixtral.abi.xml, what abidiff compares later headers with: the C interface of the last
release as libabigail describes it.

    python scripts/make_abi_baseline.py [--include FOLDER] [--output FILE]

The library's own debug information speaks of Swift, so a stand-in is described: a C library with every
function of the headers and no code, exported by the same version script.
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import tempfile
from typing import Any

import headers
import make_abi


def stand_in(include: pathlib.Path, description: dict[str, Any]) -> str:
    """C source that defines every function."""
    lines = [headers.inclusions(include)]
    for one in description["functions"]:
        typed = [f"{some['type']} p{i}" for i, some in enumerate(one["parameters"])]
        uses = "".join(f"(void)p{i}; " for i in range(len(typed)))
        head = f"{one['returns']['type']} {one['name']}({', '.join(typed) or 'void'})"
        lines.append(f"{head} {{ {uses}return 0; }}")
    return "\n".join([*lines, ""])


def write(include: pathlib.Path, output: pathlib.Path) -> None:
    description = make_abi.Reader(include).description()
    with tempfile.TemporaryDirectory() as folder:
        source, library = pathlib.Path(folder, "mixtral.c"), pathlib.Path(folder, "mixtral.so")
        source.write_text(stand_in(include, description))
        exports = headers.ROOT / "exports.map"
        compile = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-g", "-shared", "-fPIC"]
        compile += [f"-ffile-prefix-map={folder}=.", f"-I{include}"]
        compile += [f"-Wl,--version-script={exports}", f"-Wl,-soname={description['library']}"]
        subprocess.run([*compile, str(source), "-o", str(library)], check=True)
        describe = ["abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-show-locs"]
        describe += ["--type-id-style", "hash", "--headers-dir", str(include)]
        subprocess.run([*describe, "--out-file", str(output), str(library)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--include", type=pathlib.Path, default=headers.INCLUDE)
    output = headers.INCLUDE / "mixtral.abi.xml"
    parser.add_argument("--output", type=pathlib.Path, default=output)
    arguments = parser.parse_args()
    write(arguments.include, arguments.output)


if __name__ == "__main__":
    main()
