#!/usr/bin/env python3
"""Writes a GGUF file with the shapes and tensor types of a real model and random weights.

    pip install gguf==0.19.0 numpy
    python make_shapes.py mistral-7b Q4_K_M OUT.gguf
    python make_shapes.py mixtral-8x7b Q4_K_M OUT.gguf --layers 8

For speed and memory: codes are random bytes, scales small and finite, so logits are finite and mean
nothing. Which tensor gets which type follows llama.cpp's recipes without importance matrix.
"""

import argparse
import pathlib
import sys
from collections.abc import Iterator
from dataclasses import replace

import gguf
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Oracle"))
from gguf_files import Kind, Shape, add_keys  # noqa: E402

SHAPES = {
    "mistral-7b": Shape(32, 4096, 32, 8, 128, 14336, 0, 0, 32000, 1e4, 32768),
    "mixtral-8x7b": Shape(32, 4096, 32, 8, 128, 14336, 8, 0, 32000, 1e6, 32768),
    "mixtral-8x22b": Shape(56, 6144, 48, 8, 128, 16384, 8, 0, 32768, 1e6, 65536),
    "nemo-12b": Shape(40, 5120, 32, 8, 128, 14336, 0, 0, 131072, 1e6, 131072),
    "demo": Shape(4, 256, 8, 2, 32, 256, 8, 0, 32000, 1e6, 4096),
}
# Where a block's f16 scales are, in bytes.
SCALES = {
    Kind.Q4_0: (0,),
    Kind.Q4_1: (0, 2),
    Kind.Q5_0: (0,),
    Kind.Q5_1: (0, 2),
    Kind.Q8_0: (0,),
    Kind.Q2_K: (80, 82),
    Kind.Q3_K: (108,),
    Kind.Q4_K: (0, 2),
    Kind.Q5_K: (0, 2),
    Kind.Q6_K: (208,),
}
# The type of most tensors of a recipe that mixes types.
MIXED = {
    "Q2_K": Kind.Q2_K,
    "Q3_K_M": Kind.Q3_K,
    "Q4_K_S": Kind.Q4_K,
    "Q4_K_M": Kind.Q4_K,
    "Q5_K_M": Kind.Q5_K,
}
RECIPES = ("F32", "F16", "BF16", "Q8_0", "Q6_K", "Q4_0", "Q4_1", "Q5_0", "Q5_1", *MIXED)


def attention_kind(recipe: str, part: str, layer: int, shape: Shape, base: Kind) -> Kind:
    """The type of an attention tensor under a recipe that mixes types."""
    eight = shape.experts == 8
    if part in ("attn_k", "attn_v") and eight:
        return Kind.Q8_0
    if part == "attn_v":
        if recipe == "Q2_K":
            return Kind.Q4_K if shape.heads // shape.kv_heads >= 4 else Kind.Q3_K
        if recipe == "Q3_K_M":
            return Kind.Q5_K if layer < 2 else Kind.Q4_K
        if recipe == "Q4_K_S":
            return Kind.Q5_K if layer < 4 else base
        return Kind.Q6_K if favoured(layer, shape.layers) else base
    if part == "attn_output":
        if eight:
            return Kind.Q5_K if recipe in ("Q2_K", "Q3_K_M", "Q4_K_S", "Q4_K_M") else base
        return {"Q2_K": Kind.Q3_K, "Q3_K_M": Kind.Q4_K}.get(recipe, base)
    return base


def favoured(layer: int, layers: int) -> bool:
    """The first and last eighth of the layers, and every third between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def tensor_kind(recipe: str, part: str, layer: int, shape: Shape) -> Kind:
    """llama.cpp's choice for one tensor."""
    if "norm" in part or part == "ffn_gate_inp":
        return Kind.F32
    base = MIXED.get(recipe) or Kind[recipe]
    if base in (Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0):
        return base
    if part == "output":
        return Kind.Q6_K
    if recipe not in MIXED:
        # Both four-bit and five-bit types without mixing keep K and V of eight experts precise.
        precise = shape.experts == 8 and part in ("attn_k", "attn_v")
        return Kind.Q8_0 if precise else base
    if part.startswith("attn"):
        return attention_kind(recipe, part, layer, shape, base)
    if part == "ffn_down":
        if recipe == "Q2_K":
            return Kind.Q3_K
        if recipe == "Q3_K_M":
            return Kind.Q5_K if layer < shape.layers // 16 else Kind.Q4_K
        if recipe == "Q4_K_S":
            return Kind.Q5_K if layer < shape.layers // 8 else base
        return Kind.Q6_K if favoured(layer, shape.layers) else base
    return base


def tensors(shape: Shape) -> Iterator[tuple[str, str, int, tuple[int, ...]]]:
    """Name, part, layer and dimensions (the contiguous last) of every tensor."""
    hidden, inner = shape.width, shape.feed_forward
    query, key = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    yield "token_embd.weight", "token_embd", 0, (shape.vocabulary, hidden)
    yield "output_norm.weight", "norm", 0, (hidden,)
    yield "output.weight", "output", 0, (shape.vocabulary, hidden)
    copies = (shape.experts,) if shape.experts else ()
    merged = "_exps" if shape.experts else ""
    parts = {
        "attn_norm": (hidden,),
        "attn_q": (query, hidden),
        "attn_k": (key, hidden),
        "attn_v": (key, hidden),
        "attn_output": (hidden, query),
        "ffn_norm": (hidden,),
        **({"ffn_gate_inp": (shape.experts, hidden)} if shape.experts else {}),
        "ffn_gate": (*copies, inner, hidden),
        "ffn_up": (*copies, inner, hidden),
        "ffn_down": (*copies, hidden, inner),
    }
    for layer in range(shape.layers):
        for part, dimensions in parts.items():
            suffix = merged if part in ("ffn_gate", "ffn_up", "ffn_down") else ""
            yield f"blk.{layer}.{part}{suffix}.weight", part, layer, dimensions


def random_data(kind: Kind, dimensions: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Values of a float type, or bytes whose last dimension is a row's."""
    if kind == Kind.F32 and len(dimensions) == 1:
        return np.ones(dimensions, np.float32)
    if kind in (Kind.F32, Kind.F16, Kind.BF16):
        values = random.standard_normal(dimensions, dtype=np.float32) * np.float32(0.02)
        return gguf.quants.quantize(values, kind)
    values, size = gguf.constants.GGML_QUANT_SIZES[kind]
    blocks = int(np.prod(dimensions)) // values
    raw = np.frombuffer(bytearray(random.bytes(blocks * size)), np.uint8).reshape(blocks, size)
    for offset in SCALES[kind]:
        scale = random.uniform(1e-4, 4e-4, blocks).astype("<f2")
        raw[:, offset : offset + 2] = scale.view(np.uint8).reshape(blocks, 2)
    return raw.reshape(*dimensions[:-1], -1)


def write(out: pathlib.Path, name: str, shape: Shape, recipe: str, seed: int) -> int:
    """Writes the file tensor by tensor and returns its size in bytes."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(out, "llama")
    add_keys(writer, shape, f"{name} {recipe} (random)")
    plan = []
    for tensor, part, layer, dimensions in tensors(shape):
        kind = tensor_kind(recipe, part, layer, shape)
        values, size = gguf.constants.GGML_QUANT_SIZES[kind]
        row = dimensions[-1] // values * size
        stored = (*dimensions[:-1], row)
        count = int(np.prod(stored))
        writer.add_tensor_info(tensor, stored, np.dtype(np.uint8), count, raw_dtype=kind)
        plan.append((kind, dimensions))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for kind, dimensions in plan:
        writer.write_tensor_data(random_data(kind, dimensions, random).view(np.uint8))
    writer.close()
    return out.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("out", type=pathlib.Path, metavar="OUT.gguf")
    parser.add_argument("--layers", type=int, help="fewer layers than the real model")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    shape = SHAPES[options.shape]
    shape = replace(shape, layers=options.layers or shape.layers)
    size = write(options.out, options.shape, shape, options.recipe, options.seed)
    print(f"{options.out}: {size} bytes")


if __name__ == "__main__":
    main()
