"""N01-N05, N15-N19, N21, N22: weights, states and logits that are no ordinary numbers."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable

import gguf_writer as writer
import numpy
import pytest
from capi import message, ok, sized
from gguf_writer import Kind, f32, text
from mixtral import _raw
from mixtral._raw import (
    MIXTRAL_CACHE_Q8_0 as CACHE_Q8_0,
    MIXTRAL_CONTEXT_FULL as FULL,
    MIXTRAL_INVALID_ARGUMENT as ARGUMENT,
    MIXTRAL_NUMERIC as NUMERIC,
    MIXTRAL_OK as OK,
)
from unharmed import Stepping, mxcsr, refused_step

pytestmark = pytest.mark.usefixtures("unharmed")

NAN, INFINITY = math.nan, math.inf
TOKENS = (1, 65, 66, 261)
TENSORS = [one.name.decode() for one in writer.model().tensors]
ISAS = [_raw.MIXTRAL_ISA_REFERENCE, _raw.MIXTRAL_ISA_AUTO]
FTZ, DAZ, ROUND_UP = 1 << 15, 1 << 6, 2 << 13


def spoiled(name: str, value: float, kind: str) -> writer.File:
    """The first number of each row, in F32 or F16, or of each block, its scale, is another one."""
    file = writer.model(kind=Kind[kind])
    tensor = file.tensor(name)
    weights, size = writer.gguf.constants.GGML_QUANT_SIZES[Kind(tensor.kind)]
    step = size if weights > 1 else size * tensor.dimensions[0]
    number = struct.pack("<f" if tensor.kind == Kind.F32 else "<e", value)
    data = bytearray(tensor.data)
    for start in range(0, len(data), step):
        data[start : start + len(number)] = number
    tensor.data = bytes(data)
    return file


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0"])
@pytest.mark.parametrize("name", TENSORS)
def test_N01_weight_that_is_no_number(stepping, name, kind):
    """Every kind of tensor: norms, embedding, attention, router, experts, output."""
    for value in (NAN, INFINITY):
        refused_step(stepping(spoiled(name, value, kind)), *TOKENS)


@pytest.mark.parametrize("value", [NAN, INFINITY, 0.0])
def test_N01_rotary_factor_that_is_no_number(stepping, value):
    """They divide frequencies: by 0 one is infinite, by an infinity it is 0."""
    file = writer.model()
    data = struct.pack("<8f", value, *[1.0] * 7)
    file.tensors.append(writer.Tensor(b"rope_freqs.weight", [8], 0, data))
    session = stepping(file)
    if value == INFINITY:
        ok(session.step(*TOKENS))
        assert all(map(math.isfinite, session.logits()))
    else:
        refused_step(session, *TOKENS)


def test_N01_session_is_as_before(stepping):
    """A row of the embedding that is NaN is met in the middle of a conversation."""
    file = writer.model(kind=Kind.F32)
    expected = stepping(file)
    embedding = file.tensor("token_embd.weight")
    row = 4 * embedding.dimensions[0]
    data = bytearray(embedding.data)
    data[66 * row : 67 * row] = struct.pack("<f", NAN) * (row // 4)
    embedding.data = bytes(data)
    session = stepping(file)
    for one in (expected, session):
        ok(one.step(1, 65))
    assert session.logits() == expected.logits()
    refused_step(session, 66)
    refused_step(session, 70, 71, 66)
    assert session.position() == 2
    for one in (expected, session):
        ok(one.step(70, 71))
    assert session.logits() == expected.logits()


@pytest.mark.parametrize("cache", [0, CACHE_Q8_0])
def test_N02_beyond_half_precision(stepping, cache):
    """The cache's numbers are halves: what does not fit is no silent infinity."""
    for name in ("attn_v", "attn_k"):
        file = writer.model(kind=Kind.F32)
        for layer in range(2):
            tensor = file.tensor(f"blk.{layer}.{name}.weight")
            values = numpy.frombuffer(tensor.data, numpy.float32) * 1e30
            tensor.data = values.tobytes()
        refused_step(stepping(file, cache_type=cache), *TOKENS)


def test_N02_products_are_summed_in_single_precision(stepping):
    """A hidden layer of 10^10, which no half holds, scaled back by the next matrix."""
    plain, scaled = writer.model(kind=Kind.F32), writer.model(kind=Kind.F32)
    for layer in range(2):
        for part, factor in (("up", 2.0**33), ("down", 2.0**-33)):
            tensor = scaled.tensor(f"blk.{layer}.ffn_{part}_exps.weight")
            values = numpy.frombuffer(tensor.data, numpy.float32) * numpy.float32(factor)
            tensor.data = values.tobytes()
    results = []
    for file in (plain, scaled):
        session = stepping(file)
        ok(session.step(*TOKENS))
        results.append(session.logits())
    # Powers of two change no digit.
    assert results[0] == results[1]


def sample(session: Stepping, **fields: object) -> tuple[int, int]:
    """A draw: its status and token."""
    sampler = ctypes.c_void_p()
    options = sized(_raw.mixtral_sampler_options, **fields)
    ok(_raw.mixtral_sampler_create(ctypes.byref(sampler), ctypes.byref(options)))
    token = _raw.mixtral_token(-7)
    status = _raw.mixtral_sample(ctypes.byref(token), session.session, sampler.value)
    ok(_raw.mixtral_free(sampler.value))
    return status, token.value


def with_logits(values: Callable[[int], float]) -> object:
    """A filter that puts other logits in the place of the model's."""

    @_raw.filter_callback
    def change(logits: object, count: int, _: object) -> int:
        for index in range(count):
            logits[index] = values(index)
        return 0

    return change


@pytest.mark.parametrize("isa", ISAS)
def test_N03_equal_logits(stepping, isa):
    session = stepping(writer.model().fill("output.weight", 0.0), isa)
    ok(session.step(*TOKENS))
    assert set(session.logits()) == {0.0}
    assert sample(session) == (OK, 0)
    drawn = {sample(session, temperature=1.0, seed=seed)[1] for seed in range(40)}
    # 40 draws of 262 equally likely ones are hardly ever few.
    assert len(drawn) > 20


@pytest.mark.parametrize("isa", ISAS)
def test_N04_logits_at_the_ends_of_single_precision(stepping, isa):
    """Their difference is no single number; the largest is chosen, and nothing is infinite."""
    # Only the state's first channel counts, so that no sum overflows on its way.
    rows = numpy.zeros((writer.SMALL.vocabulary, 32))
    rows[:, 0] = 1
    session = stepping(writer.model(kind=Kind.F32).fill("output.weight", rows), isa)
    ok(session.step(*TOKENS))
    (channel,) = set(session.logits())
    rows[:, 0] = numpy.where(numpy.arange(len(rows)) % 2, 3e38, -3e38) / channel
    session = stepping(writer.model(kind=Kind.F32).fill("output.weight", rows), isa)
    ok(session.step(*TOKENS))
    values = session.logits()
    assert min(values) < -2.9e38 and max(values) > 2.9e38 and all(map(math.isfinite, values))
    assert sample(session) == (OK, 1)
    for temperature in (1e-30, 1.0, 1e30):
        status, token = sample(session, temperature=temperature, top_p=0.9, min_p=0.1)
        assert (status, token % 2) == (OK, 1)
    assert sample(
        session, temperature=1.0, filter=with_logits(lambda i: (-3e38, 3e38)[i == 9])
    ) == (OK, 9)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_N05_all_logits_banned(stepping, temperature):
    session = stepping(writer.model())
    ok(session.step(*TOKENS))
    banned = with_logits(lambda _: -INFINITY)
    assert sample(session, temperature=temperature, filter=banned) == (NUMERIC, 0)
    assert "every token is banned" in message()
    one_left = with_logits(lambda index: 1.0 if index == 5 else -INFINITY)
    assert sample(session, temperature=temperature, filter=one_left) == (OK, 5)


def test_N15_nothing_stepped_yet(stepping):
    session = stepping(writer.model())
    for temperature in (0.0, 1.0):
        assert sample(session, temperature=temperature) == (ARGUMENT, 0)
        assert "step" in message()
    token = _raw.mixtral_token(-7)
    assert _raw.mixtral_sample(ctypes.byref(token), session.session, None) == ARGUMENT
    assert token.value == 0


@pytest.mark.parametrize("value", [NAN, INFINITY])
def test_N16_candidates_that_have_no_order(stepping, value):
    """None reaches the sorting: each is refused before."""
    session = stepping(writer.model())
    ok(session.step(*TOKENS))
    for index in (0, 7, writer.SMALL.vocabulary - 1):
        spoil = with_logits(lambda i, index=index: value if i == index else float(i))
        options = {"temperature": 1.0, "top_k": 5, "top_p": 0.5, "typical_p": 0.5, "report": 3}
        assert sample(session, filter=spoil, **options) == (NUMERIC, 0)
        assert f"logit of token {index} is" in message()


def test_N17_far_positions(stepping):
    """Scaled so that the second position is 2^31, the largest angle; the third has none."""
    file = writer.model().set("llama.rope.scaling.type", text("linear"))
    file.set("llama.rope.scaling.factor", f32(2.0**-31))
    session = stepping(file)
    ok(session.step(1, 65))
    assert all(map(math.isfinite, session.logits()))
    refused_step(session, 66)


def test_N17_more_than_the_context(stepping):
    session = stepping(writer.model(), context=4)
    ok(session.step(1, 65, 66))
    before = session.logits()
    assert session.step(1, 2) == FULL
    assert (session.position(), session.logits()) == (3, before)
    ok(session.step(261))
    assert session.step(1) == FULL
    for context in (2**24 + 1, 2**31, 2**32 - 1):
        handle = ctypes.c_void_p(1)
        options = sized(_raw.mixtral_session_options, context=context)
        status = _raw.mixtral_session_create(
            ctypes.byref(handle), session.model, ctypes.byref(options)
        )
        assert (status, handle.value) == (ARGUMENT, None)
        assert str(context) in message()


def test_N18_router_of_nan(stepping):
    file = writer.model(kind=Kind.F32)
    for layer in range(2):
        file.fill(f"blk.{layer}.ffn_gate_inp.weight", NAN)
    refused_step(stepping(file), *TOKENS)


@pytest.mark.parametrize("isa", ISAS)
def test_N18_ties_of_the_router(stepping, isa):
    """The lowest two are chosen: the others are NaN and do not show."""
    session = stepping(routed(0.0, spoiled_experts=(2, 3)), isa)
    ok(session.step(*TOKENS))
    assert all(map(math.isfinite, session.logits()))
    refused_step(stepping(routed(0.0, spoiled_experts=(1,)), isa), *TOKENS)


def routed(rows: object, spoiled_experts: tuple[int, ...] = ()) -> writer.File:
    file = writer.model(kind=Kind.F32)
    for layer in range(2):
        file.fill(f"blk.{layer}.ffn_gate_inp.weight", rows)
        for part in ("gate", "up", "down"):
            tensor = file.tensor(f"blk.{layer}.ffn_{part}_exps.weight")
            values = numpy.frombuffer(tensor.data, numpy.float32).reshape(4, 32, 32).copy()
            values[list(spoiled_experts)] = NAN
            tensor.data = values.tobytes()
    return file


@pytest.mark.parametrize("isa", ISAS)
def test_N18_weights_of_the_experts_sum_to_one(stepping, isa):
    """With one expert's probability 1 and another's 0, two are as one."""
    # The first or the last is far above the others, whatever the sign of the state's sum.
    rows = numpy.repeat(numpy.float32([[0], [1e30], [2e30], [3e30]]), 32, axis=1)
    results = []
    for used in (1, 2):
        file = routed(rows).set("llama.expert_used_count", writer.u32(used))
        session = stepping(file, isa)
        ok(session.step(*TOKENS))
        results.append(session.logits())
    assert results[0] == results[1]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("bits", [FTZ | DAZ, ROUND_UP], ids=["flush to zero", "round up"])
def test_N19_host_that_rounds_otherwise(stepping, isa, bits):
    """Weights and states of 10^-39 are the same to every host, whose state stays its own."""
    file = writer.model(kind=Kind.F32)
    tensor = file.tensor("blk.0.ffn_down_exps.weight")
    tensor.data = (numpy.frombuffer(tensor.data, numpy.float32) * 1e-38).tobytes()
    file.fill("token_embd.weight", numpy.arange(1, 33) * 1e-40)
    expected = stepping(file, isa)
    ok(expected.step(*TOKENS))
    assert any(expected.logits())
    with mxcsr(bits):
        session = stepping(file, isa)
        status = session.step(*TOKENS)
        # Python itself would flush them to zero here.
        bits = session.logit_bits()
    ok(status)
    assert bits == expected.logit_bits()


def test_N21_zeros_in_a_quantised_cache(stepping):
    file = writer.model(kind=Kind.F32)
    for layer in range(2):
        file.fill(f"blk.{layer}.attn_k.weight", 0.0).fill(f"blk.{layer}.attn_v.weight", 0.0)
    results = []
    for cache in (0, CACHE_Q8_0):
        session = stepping(file, cache_type=cache)
        ok(session.step(*TOKENS))
        results.append(session.logits())
    assert results[0] == results[1]
    assert all(map(math.isfinite, results[0]))


@pytest.mark.parametrize("isa", ISAS)
def test_N22_norm_of_zeros(stepping, isa):
    session = stepping(writer.model(kind=Kind.F32).fill("token_embd.weight", 0.0), isa)
    ok(session.step(*TOKENS))
    assert set(session.logits()) == {0.0}


@pytest.mark.parametrize("isa", ISAS)
def test_N22_norm_of_large_states(stepping, isa):
    """Squares of 10^30 do not fit into single precision: finite, or said, and never zeros."""
    file = writer.model(kind=Kind.F32)
    file.fill("token_embd.weight", numpy.resize([1e30, -1e30, 2e30], 32))
    session = stepping(file, isa)
    status = session.step(*TOKENS)
    assert status == NUMERIC or any(session.logits())
    # The largest whose squares fit.
    file.fill("token_embd.weight", numpy.resize([1e18, -1e18, 2e18], 32))
    session = stepping(file, isa)
    ok(session.step(*TOKENS))
    assert all(map(math.isfinite, session.logits())) and any(session.logits())
