"""The sizes of structs with `struct_size` that cut no field in two, which Swift reads in no header.

Used by make_declarations.py.
"""

from __future__ import annotations

from typing import Any

PATH = "Sources/Mixtral/StructSizes.swift"

HEAD = """\
// Sizes of the structs of the headers, this release's and those of older ones, that cut no field in
// two. Made by scripts/make_declarations.py.
import CMixtral
"""

IN_A_LINE = 12


def struct_sizes(description: dict[str, Any]) -> str:
    """The text of the file."""
    return HEAD + "".join(
        _extension(one["name"], _boundaries(one))
        for one in sorted(description["structs"], key=lambda one: one["name"])
        if one["sized"]
    )


def _boundaries(struct: dict[str, Any]) -> list[int]:
    """Where a field begins or ends."""
    found = {struct["size"]}
    for field in struct["fields"]:
        found |= {field["offset"], field["offset"] + field["size"]}
    return sorted(found - {0})


def _extension(name: str, sizes: list[int]) -> str:
    rows = [sizes[i : i + IN_A_LINE] for i in range(0, len(sizes), IN_A_LINE)]
    cases = "".join(f"    case {', '.join(map(str, row))}: true\n" for row in rows)
    return f"""
extension {name}: SizedStruct {{
  static func isWhole(_ size: Int) -> Bool {{
    switch size {{
{cases}    default: false
    }}
  }}
}}
"""
