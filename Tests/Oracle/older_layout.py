#!/usr/bin/env python3
"""Rewrites a Mixtral GGUF in the layout before April 2024: one tensor for each expert.

    python older_layout.py MIXTRAL.gguf OUT.gguf [--types q8_0,q4_0]

blk.N.ffn_gate_exps.weight [experts, rows, columns] becomes blk.N.ffn_gate.E.weight for each expert
E, and so do up and down. Bytes are copied as they are; with --types expert E is decoded and encoded
again (by gguf's quantizers) in the type E mod their number, so that a layer's experts differ.
"""

import argparse
import pathlib
import re
from collections.abc import Iterator

import gguf
from gguf_files import Kind, Tensor, copy, decode, encode

MERGED = re.compile(r"(blk\.\d+\.ffn_(?:gate|up|down))_exps\.weight")


def split(reader: gguf.GGUFReader, kinds: list[Kind]) -> Iterator[Tensor]:
    """All tensors of a file, merged ones as one for each expert."""
    for tensor in reader.tensors:
        match = MERGED.fullmatch(tensor.name)
        if not match:
            yield tensor.name, tensor.data, tensor.tensor_type
            continue
        values = decode(tensor) if kinds else None
        for expert, data in enumerate(tensor.data):
            name = f"{match[1]}.{expert}.weight"
            if values is None:
                yield name, data, tensor.tensor_type
            else:
                yield encode(name, values[expert], kinds[expert % len(kinds)])


def rewrite(source: pathlib.Path, target: pathlib.Path, kinds: list[Kind] | None = None) -> None:
    """Writes `target` in the older layout; `kinds` re-encodes the experts."""
    reader = gguf.GGUFReader(source)
    copy(reader, target, split(reader, kinds or []))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--types", help="types that the experts take in turn: f16,q8_0,q4_0,…")
    options = parser.parse_args()
    names = options.types.upper().split(",") if options.types else []
    rewrite(options.source, options.target, [Kind[name] for name in names])


if __name__ == "__main__":
    main()
