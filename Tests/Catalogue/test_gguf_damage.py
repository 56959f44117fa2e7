"""G58, G59: a small model, cut everywhere and with every bit of its header flipped, in one process.

G60, random damage, is the business of Tests/Fuzz.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import pathlib

import gguf_writer as writer
import pytest
from mixtral import _raw
from unharmed import Stepping, load

pytestmark = pytest.mark.usefixtures("unharmed")

REFUSALS = {
    _raw.MIXTRAL_MALFORMED,
    _raw.MIXTRAL_UNSUPPORTED,
    _raw.MIXTRAL_LIMIT_EXCEEDED,
}
PIECES = 8
STRIDE = 499
# A leak of the smallest allocation at one refused load in 30,000 would be more than this.
SPARE = 256 << 10


class Allocated(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = [
        *((name, ctypes.c_size_t) for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd")),
        *((name, ctypes.c_size_t) for name in ("usmblks", "fsmblks", "uordblks", "fordblks")),
        ("keepcost", ctypes.c_size_t),
    ]


def allocated() -> int:
    """Bytes that malloc has given out."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = Allocated
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


def small() -> writer.File:
    """A model whose header is short: one layer, and 8 pieces, none of them a byte."""
    file = writer.model(dataclasses.replace(writer.SMALL, layers=1))
    for name in ("token_embd.weight", "output.weight"):
        tensor = file.tensor(name)
        tensor.dimensions[1] = PIECES
        tensor.data = tensor.data[: tensor.size]
    pieces = [b"<unk>", b"<s>", b"</s>"] + [b"p%d" % index for index in range(3, PIECES)]
    kinds = [2, 3, 3] + [1] * (PIECES - 3)
    return writer.set_vocabulary(file, pieces, [-1.0] * PIECES, kinds)


def attempt(path: pathlib.Path) -> bool:
    """Loads, and steps what loads: a model, or one of the statuses that a file may give."""
    status, handle, sentence = load(path)
    if status != _raw.MIXTRAL_OK:
        assert status in REFUSALS, sentence
        assert sentence and "\n" not in sentence
        return False
    with Stepping(handle, context=8) as stepping:
        assert stepping.step(1, 2, 3, 4) in (_raw.MIXTRAL_OK, _raw.MIXTRAL_NUMERIC)
    return True


def test_G58_cut_everywhere(tmp_path):
    file = small()
    whole = file.bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole)
    assert attempt(path)
    before = allocated()
    last = len(file.tensors[-1].data)
    end = len(whole) - file.padded(last) + last
    # The data at a stride, the header at each byte; from the end on, as each cut only shortens.
    for size in (*range(end - 1, len(file.header()), -STRIDE), *range(len(file.header()), -1, -1)):
        os.truncate(path, size)
        assert not attempt(path), f"cut to {size} bytes"
    assert allocated() - before < SPARE


def test_G59_every_bit_of_the_header(tmp_path):
    whole = small().bytes()
    header = len(small().header())
    path = tmp_path / "flipped.gguf"
    path.write_bytes(whole)
    assert attempt(path)
    before = allocated()
    models = 0
    with path.open("r+b", buffering=0) as file:
        for byte in range(header):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([whole[byte] ^ 1 << bit]), byte)
                models += attempt(path)
            os.pwrite(file.fileno(), whole[byte : byte + 1], byte)
    # A letter of a piece may be any other one.
    assert models > 100
    assert attempt(path)
    assert allocated() - before < SPARE
