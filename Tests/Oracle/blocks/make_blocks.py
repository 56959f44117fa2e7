#!/usr/bin/env python3
"""Makes golden blocks: random bytes of each tensor type and what the `gguf` package reads in them.

    pip install gguf==0.19.0 numpy && python make_blocks.py

TYPE.blocks   the rows as a GGUF file stores them
TYPE.values   the same rows as little-endian f32, by gguf.quants.dequantize
index.json    the type's id, rows, columns, bytes and SHA-256 of both files

All bits of the codes are random, so every code occurs. The f16 scales are finite; the first rows
hold the awkward ones (zeros, negatives, subnormals, the largest), the others are random.
"""

import argparse
import hashlib
import json
import pathlib
from importlib.metadata import version

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

HERE = pathlib.Path(__file__).parent
ROWS = 20

# Where a block's f16 scales are, in bytes.
SCALES = {
    Type.Q4_0: (0,),
    Type.Q4_1: (0, 2),
    Type.Q5_0: (0,),
    Type.Q5_1: (0, 2),
    Type.Q8_0: (0,),
    Type.Q2_K: (80, 82),
    Type.Q3_K: (108,),
    Type.Q4_K: (0, 2),
    Type.Q5_K: (0, 2),
    Type.Q6_K: (208,),
    Type.IQ4_NL: (0,),
}
FLOATS = (Type.F32, Type.F16, Type.BF16)
FLOAT_COLUMNS = 192

# +0, -0, the smallest and largest subnormal, the smallest normal, 1 and -1, 65504 and -65504.
AWKWARD_F16 = (
    0x0000,
    0x8000,
    0x0001,
    0x8001,
    0x03FF,
    0x83FF,
    0x0400,
    0x3C00,
    0xBC00,
    0x7BFF,
    0xFBFF,
)
AWKWARD_F32 = (0, 0x80000000, 1, 0x807FFFFF, 0x00800000, 0x3F800000, 0x7F7FFFFF, 0xFF7FFFFF)
AWKWARD_BF16 = tuple(bits >> 16 for bits in AWKWARD_F32) + (1, 0x8001)


def finite(random: np.random.Generator, count: int, dtype: str, exponent: int) -> np.ndarray:
    """`count` words of random bits without infinities and NaNs, whose `exponent` bits are all 1."""
    words = random.integers(0, np.iinfo(dtype).max, count, dtype=dtype, endpoint=True)
    while (bad := (words & exponent) == exponent).any():
        words[bad] = random.integers(0, np.iinfo(dtype).max, bad.sum(), dtype=dtype, endpoint=True)
    return words


def scales(random: np.random.Generator, count: int) -> np.ndarray:
    """Bits of f16 scales: half of all magnitudes, half of those that models have."""
    words = finite(random, count, "<u2", 0x7C00)
    usual = random.normal(0, 0.01, count).astype("<f2").view("<u2")
    return np.where(random.random(count) < 0.5, words, usual)


def floats(kind: Type, random: np.random.Generator) -> np.ndarray:
    """Rows of a float type: awkward values, random bits, then values of usual size."""
    dtype, exponent, awkward = {
        Type.F32: ("<u4", 0x7F800000, AWKWARD_F32),
        Type.F16: ("<u2", 0x7C00, AWKWARD_F16),
        Type.BF16: ("<u2", 0x7F80, AWKWARD_BF16),
    }[kind]
    words = finite(random, ROWS * FLOAT_COLUMNS, dtype, exponent)
    words[: len(awkward)] = awkward
    return words.view(np.uint8).reshape(ROWS, -1)


def blocks(kind: Type, random: np.random.Generator) -> np.ndarray:
    """Rows of a block type, bytes [ROWS, bytes a row]."""
    values, size = GGML_QUANT_SIZES[kind]
    per_row = 2 if values == 256 else 6
    raw = random.integers(0, 256, (ROWS * per_row, size), dtype=np.uint8)
    for number, offset in enumerate(SCALES[kind]):
        words = scales(random, len(raw))
        # The second scale runs through the list backwards, so that the pairs differ.
        awkward = AWKWARD_F16 if number == 0 else AWKWARD_F16[::-1]
        words[: len(awkward)] = awkward
        raw[:, offset : offset + 2] = words[:, None].view(np.uint8)
    return raw.reshape(ROWS, -1)


def write(kind: Type, folder: pathlib.Path) -> dict:
    """Writes both files of a type and returns its entry of the index."""
    random = np.random.default_rng([2024, int(kind)])
    raw = floats(kind, random) if kind in FLOATS else blocks(kind, random)
    values = dequantize(raw, kind).astype("<f4")
    if not np.isfinite(values).all():
        raise SystemExit(f"{kind.name}: a value is not finite")
    entry = {"id": int(kind), "rows": ROWS, "columns": int(values.shape[1])}
    for suffix, data in (("blocks", raw.tobytes()), ("values", values.tobytes())):
        if len(data) >= 65536:
            raise SystemExit(f"{kind.name}.{suffix}: {len(data)} bytes, at most 65535")
        (folder / f"{kind.name}.{suffix}").write_bytes(data)
        entry[suffix] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return entry


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=pathlib.Path, default=HERE, help="default: beside the script")
    arguments = parser.parse_args()
    kinds = sorted([*FLOATS, *SCALES], key=int)
    index = {
        "oracle": f"gguf {version('gguf')}, numpy {np.__version__}",
        "types": {kind.name: write(kind, arguments.out) for kind in kinds},
    }
    (arguments.out / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
