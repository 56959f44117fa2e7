"""Writes Sources/Text/ScalarClass+Table.swift: the class of every character, as tiktoken's regex
engine has it (tiktoken 0.14.0: Unicode 16.0).

    python3 scalar_classes.py > ../../../Sources/Text/ScalarClass+Table.swift

tiktoken drops what a pattern does not match, so what comes back of all characters is the class.
"""

import itertools
import textwrap

import tiktoken

CLASSES = {
    "U": r"[\p{Lu}\p{Lt}]",
    "L": r"\p{Ll}",
    "A": r"[\p{Lm}\p{Lo}]",
    "M": r"\p{M}",
    "N": r"\p{N}",
    "S": r"\s",
}
# Beyond the table only these have a class other than `other`.
TABLE = 0x40000
VARIATION_SELECTORS = range(0xE0100, 0xE01F0)
HEAD = """\
// Written by Tests/Oracle/tokenizers/scalar_classes.py with tiktoken 0.14.0 (Unicode 16.0).

extension ScalarClasses {
  /// The classes of U+0000 to U+3FFFF in order: a letter a run (`U` upper, `L` lower, `A` letter,
  /// `M` mark, `N` number, `S` white space, `_` other) and how many characters it has, if not one.
  static let runs = \"\"\"
"""


def classes() -> str:
    """A letter for each code point."""
    found = ["_"] * 0x110000
    scalars = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    ranks = {bytes([byte]): byte for byte in range(256)}
    for letter, pattern in CLASSES.items():
        encoding = tiktoken.Encoding(
            letter, pat_str=pattern, mergeable_ranks=ranks, special_tokens={}
        )
        for start in range(0, len(scalars), 1 << 16):
            tokens = encoding.encode_ordinary("".join(scalars[start : start + (1 << 16)]))
            for scalar in bytes(tokens).decode():
                assert found[ord(scalar)] == "_"
                found[ord(scalar)] = letter
    return "".join(found)


def main() -> None:
    found = classes()
    for value in range(TABLE, 0x110000):
        assert found[value] == ("M" if value in VARIATION_SELECTORS else "_"), hex(value)
    runs = []
    for letter, group in itertools.groupby(found[:TABLE]):
        count = len(list(group))
        runs.append(letter + (str(count) if count > 1 else ""))
    lines: list[str] = [""]
    for run in runs:
        if len(lines[-1]) + len(run) > 94:
            lines.append("")
        lines[-1] += run
    print(HEAD + textwrap.indent("\\\n".join(lines), "    ") + '\n    """\n}')


if __name__ == "__main__":
    main()
