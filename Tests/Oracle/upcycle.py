#!/usr/bin/env python3
"""Makes a mixture of identical experts out of a dense model.

    python upcycle.py DENSE.gguf OUT.gguf [--experts 8] [--older]

Each expert is the dense feed-forward, byte for byte; the router is random; two experts are used.
Their weights add to 1, so the logits are the dense model's up to the rounding of that sum.
"""

import argparse
import pathlib
import re
from collections.abc import Iterator

import gguf
import numpy as np
from gguf_files import Kind, Tensor, copy

DENSE = re.compile(r"(blk\.\d+)\.(ffn_(?:gate|up|down))\.weight")


def mixture(reader: gguf.GGUFReader, experts: int, older: bool, seed: int) -> Iterator[Tensor]:
    """All tensors of the mixture."""
    random = np.random.default_rng(seed)
    width = reader.fields["llama.embedding_length"].contents()
    for tensor in reader.tensors:
        match = DENSE.fullmatch(tensor.name)
        if not match:
            yield tensor.name, tensor.data, tensor.tensor_type
            continue
        if match[2] == "ffn_gate":
            router = random.standard_normal((experts, width), dtype=np.float32)
            yield f"{match[1]}.ffn_gate_inp.weight", router / np.float32(width**0.5), Kind.F32
        if older:
            for expert in range(experts):
                yield f"{match[1]}.{match[2]}.{expert}.weight", tensor.data, tensor.tensor_type
        else:
            data = np.repeat(tensor.data[None], experts, axis=0)
            yield f"{match[1]}.{match[2]}_exps.weight", data, tensor.tensor_type


def upcycle(
    source: pathlib.Path, target: pathlib.Path, experts: int = 8, older: bool = False, seed: int = 1
) -> None:
    """Writes the mixture."""
    reader = gguf.GGUFReader(source)
    changes = {"llama.expert_count": experts, "llama.expert_used_count": 2}
    copy(reader, target, mixture(reader, experts, older, seed), changes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--experts", type=int, default=8)
    parser.add_argument("--older", action="store_true", help="one tensor for each expert")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    upcycle(options.source, options.target, options.experts, options.older, options.seed)


if __name__ == "__main__":
    main()
