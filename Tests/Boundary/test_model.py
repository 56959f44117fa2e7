"""Whole models against transformers in f32 (the golden files name its version).

The tolerance: weights are the file's, so what differs is the cache, whose keys and values are
rounded to F16 (2^-11), and the order of sums. Over the few layers of these models that stays
under 2^-8 of the logits' own size (root mean square).
"""

from __future__ import annotations

import json

import mixtral
import numpy
import pytest
from mixtral._model import ISA_NUMBERS

RELATIVE = 2.0**-8


def assert_close(found, expected):
    scale = float(numpy.sqrt(numpy.mean(numpy.square(expected, dtype="float64"))))
    error = numpy.asarray(found, dtype="float64") - expected
    assert float(numpy.sqrt(numpy.mean(error**2))) <= RELATIVE * scale
    assert float(numpy.abs(error).max()) <= 8 * RELATIVE * scale


def greedy(session, count: int) -> list[int]:
    tokens = []
    while len(tokens) < count:
        tokens.append(session.sample())
        session.feed(tokens[-1:])
    return tokens


@pytest.mark.parametrize("name", ["mixtral-tiny", "mistral-tiny"])
class TestTiny:
    @pytest.fixture
    def golden(self, oracle, name):
        return json.loads((oracle / "tiny" / f"{name}.json").read_text())

    @pytest.fixture
    def arrays(self, oracle, name):
        return numpy.load(oracle / "tiny" / f"{name}.npz")

    @pytest.fixture
    def tiny(self, request, name):
        return request.getfixturevalue("model" if name == "mixtral-tiny" else "windowed")

    def test_every_logit(self, tiny, golden, arrays):
        with tiny.session() as session:
            assert_close(session.step_logits(golden["ids"]), arrays["logits"])

    def test_greedy_tokens(self, tiny, golden):
        with tiny.session() as session:
            session.feed(golden["ids"])
            assert greedy(session, len(golden["greedy"])) == golden["greedy"]

    def test_info(self, tiny, golden):
        shape = golden["hyperparameters"]
        info = tiny.info
        assert info.layers == shape["num_hidden_layers"]
        assert info.hidden_width == shape["hidden_size"]
        assert info.heads == shape["num_attention_heads"]
        assert info.kv_heads == shape["num_key_value_heads"]
        assert info.head_width == shape["hidden_size"] // shape["num_attention_heads"]
        assert info.feed_forward_width == shape["intermediate_size"]
        assert info.experts == shape.get("num_local_experts", 0)
        assert info.experts_used == shape.get("num_experts_per_tok", 0)
        assert info.vocabulary == shape["vocab_size"]
        assert info.context_length == shape["max_position_embeddings"]
        assert info.sliding_window == shape.get("sliding_window", 0)
        assert info.tied_embeddings == shape["tie_word_embeddings"]
        assert info.rope_base == shape["rope_parameters"]["rope_theta"]
        assert info.norm_epsilon == pytest.approx(shape["rms_norm_eps"])
        assert (info.bos_token, info.eos_token, info.unknown_token) == (1, 2, 0)
        assert info.threads == 2
        assert info.isa in ISA_NUMBERS

    def test_info_counts(self, tiny, golden, oracle, name):
        shape = golden["hyperparameters"]
        h, f = shape["hidden_size"], shape["intermediate_size"]
        kv = h * shape["num_key_value_heads"] // shape["num_attention_heads"]
        experts = shape.get("num_local_experts", 1)
        used = shape.get("num_experts_per_tok", 1)
        router = h * experts if experts > 1 else 0
        embeddings = shape["vocab_size"] * h * (1 if shape["tie_word_embeddings"] else 2)
        layer = 2 * h * h + 2 * h * kv + 2 * h + router
        layers = shape["num_hidden_layers"]
        info = tiny.info
        assert info.parameters == embeddings + h + layers * (layer + experts * 3 * h * f)
        assert 0 < info.active_parameters <= info.parameters
        assert info.parameters - info.active_parameters >= layers * (experts - used) * 3 * h * f
        assert info.file_size == (oracle / "tiny" / f"{name}-f16.gguf").stat().st_size
        # Keys and values of all layers in F16.
        assert info.cache_size_per_position == layers * 2 * kv * 2
        assert info.unused_tensors == 0

    def test_metadata(self, tiny, golden):
        everything = tiny.metadata()
        assert everything["general.architecture"] == "llama"
        assert tiny.metadata("general.architecture") == "llama"
        layers = golden["hyperparameters"]["num_hidden_layers"]
        assert tiny.metadata("llama.block_count") == layers
        assert everything["llama.block_count"] == layers
        assert everything["tokenizer.ggml.tokens"]["count"] == tiny.info.vocabulary
        assert len(tiny.metadata("tokenizer.ggml.tokens")) == tiny.info.vocabulary
        tensors = everything["tensors"]
        assert sum(one["count"] for one in tensors.values()) == tiny.info.tensors
        assert set(tensors) == {"F16", "F32"}
        with pytest.raises(mixtral.NotFoundError, match="no.such.key"):
            tiny.metadata("no.such.key")


def test_without_the_window(mistral_tiny, oracle):
    golden = json.loads((oracle / "tiny" / "mistral-tiny.json").read_text())
    arrays = numpy.load(oracle / "tiny" / "mistral-tiny.npz")
    with mixtral.Model(mistral_tiny, sliding_window=-1) as model:
        assert model.info.sliding_window == 0
        with model.session() as session:
            assert_close(session.step_logits(golden["ids"]), arrays["logits_without_window"])


def test_heads_wider_than_the_hidden_width_gives(nemo_shape, oracle):
    golden = json.loads((oracle / "golden" / "nemo-shape-demo.json").read_text())
    with mixtral.Model(nemo_shape) as model:
        assert model.info.heads * model.info.head_width == 384
        assert model.info.hidden_width == 256
        for one in golden["prompts"]:
            with model.session() as session:
                logits = session.step(one["ids"])
                assert_close(logits[one["top10"]], numpy.array(one["logits"]))
                assert greedy(session, len(one["greedy"])) == one["greedy"]


def test_the_bundled_model_knows_its_dialect(demo):
    """Held-out text of its kind is far likelier than chance, which is log 32000 = 10.4."""
    ids = demo.tokenize("And the LORD spake unto Moses, saying,", bos=True)
    with demo.session() as session:
        rows = numpy.asarray(session.step_logits(ids), dtype="float64")
    highest = rows.max(axis=1, keepdims=True)
    totals = numpy.log(numpy.exp(rows - highest).sum(axis=1)) + highest[:, 0]
    losses = [totals[i] - rows[i, token] for i, token in enumerate(ids[1:])]
    assert numpy.mean(losses) < 5


def test_load_progress(mixtral_tiny):
    seen = []
    mixtral.Model(mixtral_tiny, progress=lambda done, total: seen.append((done, total))).close()
    assert seen
    assert seen == sorted(seen)
    assert seen[-1][0] == seen[-1][1]
    assert len({total for _, total in seen}) == 1
