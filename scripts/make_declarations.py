"""Writes what other languages declare of the C interface, from include/mixtral.abi.json:

    python scripts/make_declarations.py [--check] [--description FILE] [--root FOLDER]

- include/module.modulemap, by which Swift sees the headers as CMixtral;
- Sources/Mixtral/StructSizes.swift, the sizes of structs (declare_swift.py);
- bindings/python/mixtral/_raw/, a module for each header (declare_ctypes.py);
- the declarations in the examples of runtimes that do not read C headers (declare_examples.py).
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from typing import Any

import declare_ctypes
import declare_examples
import declare_swift
import headers

RAW = "bindings/python/mixtral/_raw"


def module_map(description: dict[str, Any]) -> str:
    lines = [f'  header "{one["name"]}"' for one in description["headers"]]
    return "\n".join(["module CMixtral {", *lines, "  export *", "}", ""])


def outputs(description: dict[str, Any], root: pathlib.Path) -> dict[pathlib.Path, str]:
    """Every file that is written, with its text."""
    made = {root / "include" / "module.modulemap": module_map(description)}
    made[root / declare_swift.PATH] = declare_swift.struct_sizes(description)
    for name, text in declare_ctypes.modules(description).items():
        made[root / RAW / name] = text
    for name in declare_examples.EXAMPLES:
        path = root / "examples" / name
        made[path] = declare_examples.renewed(name, path.read_text(), description)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    described = headers.INCLUDE / "mixtral.abi.json"
    parser.add_argument("--description", type=pathlib.Path, default=described)
    parser.add_argument("--root", type=pathlib.Path, default=headers.ROOT)
    parser.add_argument("--check", action="store_true", help="only say whether all is current")
    arguments = parser.parse_args()
    made = outputs(json.loads(arguments.description.read_text()), arguments.root)
    stale = [one for one in (arguments.root / RAW).glob("*.py") if one not in made]
    for path, text in made.items():
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(path)
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    if arguments.check and stale:
        old = ", ".join(sorted(str(one.relative_to(arguments.root)) for one in stale))
        sys.exit(f"{old}: not what {arguments.description} says; run make abi")
    for path in stale:
        if path not in made:
            path.unlink()


if __name__ == "__main__":
    main()
