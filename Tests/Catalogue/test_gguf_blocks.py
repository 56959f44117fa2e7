"""G63, G64: blocks of every type whose scales or codes are extreme."""

from __future__ import annotations

import math
import struct

import gguf_writer as writer
import numpy
import pytest
from capi import ok
from gguf_writer import Kind
from mixtral import _raw
from unharmed import refused_step

pytestmark = pytest.mark.usefixtures("unharmed")

TOKENS = (1, 65, 66, 261)
ISAS = [_raw.MIXTRAL_ISA_REFERENCE, _raw.MIXTRAL_ISA_AUTO]
# Where the half-precision scales of a block lie, by type.
SCALES = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q2_K": (80, 82),
    "Q3_K": (108,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
    "IQ4_NL": (0,),
}


def blocks(kind: str, scale: float, fill: int | None, seed: int = 3) -> writer.File:
    """A dense model of 256 columns, one matrix in a type: its scales, and random or equal bytes."""
    file = writer.model(writer.WIDE)
    tensor = file.tensor("blk.0.ffn_up.weight")
    tensor.kind = int(Kind[kind])
    _, size = writer.gguf.constants.GGML_QUANT_SIZES[Kind[kind]]
    random = numpy.random.default_rng(seed)
    data = random.integers(0, 256, (tensor.size // size, size), numpy.uint8)
    if fill is not None:
        data[:] = fill
    for place in SCALES[kind]:
        data[:, place : place + 2] = numpy.frombuffer(struct.pack("<e", scale), numpy.uint8)
    tensor.data = data.tobytes()
    return file


@pytest.mark.parametrize("kind", SCALES)
def test_G63_scale_that_is_no_number(stepping, kind):
    for value in (math.nan, math.inf, -math.inf):
        refused_step(stepping(blocks(kind, value, None)), *TOKENS)


@pytest.mark.parametrize("kind", SCALES)
def test_G63_scale_of_zero_or_next_to_it(stepping, kind):
    results = []
    for value in (0.0, -0.0, 2.0**-24):
        session = stepping(blocks(kind, value, None))
        ok(session.step(*TOKENS))
        results.append(session.logits())
        assert all(map(math.isfinite, results[-1]))
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("kind", SCALES)
@pytest.mark.parametrize("fill", [0x00, 0x3F, 0x7F, 0x80, 0xFF])
def test_G64_equal_codes_everywhere(stepping, kind, fill):
    """Mins and scales of all ones, and every index of a table: nothing outside is read."""
    results = []
    for isa in ISAS:
        session = stepping(blocks(kind, 2.0**-12, fill), isa)
        ok(session.step(*TOKENS))
        results.append(session.logits())
        assert all(map(math.isfinite, results[-1]))
    assert results[0] == results[1]
