"""Biases and the spellings of linear scaling, against transformers and llama.cpp (family/).

The files have matrices in F16, and the library keeps keys and values in F16 and sums in f32: that
makes some 0.02 of logits that spread by 3 to 6 (llama.cpp on the same files: 0.02). The smallest
mistake that these files can show makes 5 (`attn_factor`), so a bound of 0.05 tells right from wrong.
"""

import json
import pathlib

import numpy as np
import pytest
from family import make_family
from mixtral import Model, UnsupportedError

FAMILY = pathlib.Path(__file__).parent / "family"
BOUND = 0.05
LLAMA_CPP = json.loads((FAMILY / "llama_cpp.json").read_text())


def logits(path: pathlib.Path, ids: np.ndarray, positions: np.ndarray, **options) -> np.ndarray:
    with Model(path, threads=2, **options) as model, model.session() as session:
        return np.asarray(session.step_logits(ids.tolist()))[positions]


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max())


@pytest.mark.parametrize("name", make_family.CASES)
def test_the_models_are_transformers_models(name: str) -> None:
    golden = np.load(FAMILY / f"{name}.npz")
    found = logits(FAMILY / f"{name}.gguf", golden["ids"], golden["positions"])
    # The oracles agree with each other far within the bound.
    assert difference(golden["llama_cpp"], golden["transformers"]) < 1e-3
    assert difference(golden["exact"], golden["transformers"]) < 1e-3
    assert difference(found, golden["transformers"]) < BOUND


def test_the_files_are_those_that_the_script_writes(tmp_path: pathlib.Path) -> None:
    make_family.make_models(tmp_path)
    for name in make_family.CASES:
        file = f"{name}.gguf"
        assert (tmp_path / file).read_bytes() == (FAMILY / file).read_bytes()


@pytest.mark.parametrize("name", make_family.VARIANTS)
def test_spellings_of_linear_scaling(name: str, tmp_path: pathlib.Path) -> None:
    assert LLAMA_CPP[name] < 1e-3
    golden = np.load(FAMILY / "linear.npz")
    path = tmp_path / "variant.gguf"
    make_family.rewrite(FAMILY / "linear.gguf", path, *make_family.VARIANTS[name])
    found = logits(path, golden["ids"], golden["positions"][-2:])
    assert difference(found, np.load(FAMILY / "variants.npz")[name]) < BOUND


@pytest.mark.parametrize("name", ["attn_q", "attn_k", "attn_v", "attn_output"])
@pytest.mark.parametrize("layer", [0, 1])
def test_each_bias_counts(name: str, layer: int, tmp_path: pathlib.Path) -> None:
    """A file without one of them is another model, and so is the golden."""
    golden = np.load(FAMILY / "bias.npz")
    path = tmp_path / "less.gguf"
    left_out = f"blk.{layer}.{name}.bias"
    make_family.rewrite(FAMILY / "bias.gguf", path, {}, (left_out,))
    ids, positions = golden["ids"], golden["positions"]
    found = logits(path, ids, positions)
    exact = make_family.Exact(path).logits(ids.tolist(), positions.tolist())
    assert difference(found, exact) < BOUND
    # Keys that differ by a constant change no answer at the first position.
    assert difference(exact, golden["exact"]) > 10 * BOUND


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rope.scaling.type", ("string", "yarn")),
        ("rope.scaling.type", ("string", "longrope")),
        ("attention.temperature_scale", ("float32", 0.1)),
    ],
)
def test_what_is_not_computed_is_refused_by_name(key, value, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "other.gguf"
    make_family.rewrite(FAMILY / "linear.gguf", path, {key: value}, ())
    with pytest.raises(UnsupportedError, match=key):
        Model(path, threads=1)


def test_packed_biases(tmp_path: pathlib.Path) -> None:
    import mixtral

    mixtral.pack(FAMILY / "bias.gguf", tmp_path / "packed.gguf")
    golden = np.load(FAMILY / "bias.npz")
    expected = logits(FAMILY / "bias.gguf", golden["ids"], golden["positions"])
    for mapped in (False, True):
        found = logits(tmp_path / "packed.gguf", golden["ids"], golden["positions"], map=mapped)
        assert np.array_equal(found, expected)
