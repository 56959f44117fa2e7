"""Sizes, offsets and values as the C compiler has them."""

from __future__ import annotations

import json
import pathlib
import subprocess
import tempfile

import headers


def measure(
    include: pathlib.Path,
    scalars: list[str],
    structs: dict[str, list[str]],
    constants: list[str],
) -> dict[str, list[int]]:
    """[size, signed, floating] of a type, [size] of a struct, [offset, size] of "struct.field", and
    [value] of a constant, by name."""
    facts = [
        (name, f"sizeof({name}), ({name})-1 < ({name})1, ({name})0.5 != 0") for name in scalars
    ]
    for name, fields in structs.items():
        facts.append((name, f"sizeof({name})"))
        facts += [
            (f"{name}.{one}", f"offsetof({name}, {one}), sizeof((({name} *)0)->{one})")
            for one in fields
        ]
    facts += [(name, name) for name in constants]
    lines = [f'  show("{name}", (const long long[]){{{fact}, END}});' for name, fact in facts]
    program = "\n".join([headers.inclusions(include), *_BEGINNING, *lines, "  return 0;", "}", ""])
    with tempfile.TemporaryDirectory() as folder:
        source, binary = pathlib.Path(folder, "layout.c"), pathlib.Path(folder, "layout")
        source.write_text(program)
        subprocess.run(["cc", "-std=c99", f"-I{include}", source, "-o", binary], check=True)
        shown = subprocess.run([binary], check=True, capture_output=True, text=True).stdout
    return dict(json.loads(line) for line in shown.splitlines())


_BEGINNING = """#include <limits.h>
#include <stdio.h>

#define END LLONG_MIN

static void show(const char *name, const long long *numbers) {
  printf("[\\"%s\\", [", name);
  for (int i = 0; numbers[i] != END; i++) printf("%s%lld", i ? ", " : "", numbers[i]);
  puts("]]");
}

int main(void) {""".split("\n")
