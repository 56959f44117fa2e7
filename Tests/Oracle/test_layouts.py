"""Both layouts of the experts, every tensor type and odd shapes, against numpy and each other.

The models are small and random. The reference (reference_forward.py) is first checked against
transformers' golden files; then it judges the library.

A block type makes the library round activations to int8, and the cache rounds keys and values to
F16. The reference can round at the same places, and then both agree to f32's last digits, except
after a value so near the middle between two codes that f32 and f64 fall to different sides. That
is rare and follows from nothing but chance: so most of many short prompts must agree to f32, and
all of them within what the rounding itself does to the logits.
"""

import json
import pathlib
import zlib
from collections.abc import Iterator

import numpy as np
import older_layout
import pytest
import upcycle
from gguf_files import Kind, Shape, write_random
from mixtral import Model
from reference_forward import Reference, Rounding, f32_bound

TINY = pathlib.Path(__file__).parent / "tiny"
KINDS = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1")
SHAPES = {
    "dense": Shape(),
    "dense, tied, window": Shape(tied=True, window=5, kv_heads=1),
    "mixture": Shape(experts=8, rope_base=1e6),
    "mixture, window": Shape(experts=4, window=7, kv_heads=4),
    "heads of 6": Shape(heads=16, kv_heads=4, head_width=6),
    "heads of 10, wider than the hidden state": Shape(heads=16, kv_heads=2, head_width=10),
    "heads of 24, narrower": Shape(heads=4, width=160, head_width=24, feed_forward=96),
    "3 KV heads of 9": Shape(heads=9, kv_heads=3, head_width=24, window=6),
    "mixture, heads of 10": Shape(heads=16, kv_heads=2, head_width=10, experts=3),
}
LIBRARY = Rounding(cache=True, activations=True)
SHORT_PROMPTS = 16
SHORT = 4
LONG = 40


def prompts(seed: int, vocabulary: int) -> list[list[int]]:
    """Short prompts, then a long one; the first id is BOS."""
    random = np.random.default_rng(seed)
    lengths = [SHORT] * SHORT_PROMPTS + [LONG]
    return [[1, *random.integers(3, vocabulary, length - 1).tolist()] for length in lengths]


def library_logits(path: pathlib.Path, all_ids: list[list[int]], **options) -> list[np.ndarray]:
    """The library's logits at every position of each prompt, in f64."""
    with Model(path, threads=2, **options) as model, model.session(context=128) as session:
        results = []
        for ids in all_ids:
            session.rewind(0)
            results.append(np.array(session.step_logits(ids), np.float64))
        return results


def rms(x: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt((x * x).mean()))


def check_against_reference(path: pathlib.Path, seed: int) -> None:
    """The library agrees with numpy as sharply as the module's text says."""
    reference = Reference(str(path))
    all_ids = prompts(seed, len(reference.embedding.values))
    exact, rows, equal = [], [], 0
    for ids, ours in zip(all_ids, library_logits(path, all_ids)):
        plain, _ = reference.forward(ids)
        rounded, _ = reference.forward(ids, rounding=LIBRARY)
        assert ours.shape == plain.shape
        difference = ours - rounded
        if len(ids) == SHORT:
            equal += np.abs(difference).max() <= f32_bound(reference, rounded)
        # A different rounding point would add noise as large as the rounding's own.
        exact.append((rms(difference), rms(rounded - plain)))
        rows.extend(np.sqrt(((ours - plain) ** 2).mean(axis=1)) / plain.std())
    # A block of 32 has its largest value near 2 sigma: rounding adds noise of 2 / (127 √12), half a
    # per cent, to each of the ten products in a row; 5 % leaves room for what they amplify. The
    # median, because a token whose experts change with the noise is as good as another token.
    assert np.median(rows) <= 0.05
    assert equal >= SHORT_PROMPTS * 3 // 4, f"{equal} of {SHORT_PROMPTS} prompts are equal"
    ours, noise = (np.sqrt(np.mean(np.square(column))) for column in zip(*exact))
    assert ours <= noise / 2, f"{ours} from the rounded reference; rounding does {noise}"


@pytest.mark.parametrize("name", ["mixtral-tiny", "mistral-tiny"])
def test_reference_gives_transformers_logits(name: str) -> None:
    golden = json.loads((TINY / f"{name}.json").read_text())
    arrays = np.load(TINY / f"{name}.npz")
    reference = Reference(str(TINY / f"{name}-f16.gguf"))
    logits, hidden = reference.forward(golden["ids"])
    bound = f32_bound(reference, logits)
    assert np.abs(logits - arrays["logits"]).max() <= bound
    assert np.abs(hidden - arrays["hidden"]).max() <= bound
    if "logits_without_window" in arrays:
        logits, _ = reference.forward(golden["ids"], window=-1)
        assert np.abs(logits - arrays["logits_without_window"]).max() <= bound


@pytest.mark.parametrize("name", ["mixtral-tiny", "mistral-tiny"])
def test_library_gives_transformers_logits(name: str) -> None:
    golden = json.loads((TINY / f"{name}.json").read_text())
    arrays = np.load(TINY / f"{name}.npz")
    path = TINY / f"{name}-f16.gguf"
    reference = Reference(str(path))
    for window, key in ((None, "logits"), (-1, "logits_without_window")):
        if key not in arrays:
            continue
        (ours,) = library_logits(path, [golden["ids"]], sliding_window=window)
        plain, _ = reference.forward(golden["ids"], window)
        rounded, _ = reference.forward(golden["ids"], window, LIBRARY)
        # No further off than three times what a cache in F16 does by itself.
        noise = rms(rounded - plain)
        assert rms(ours - arrays[key]) <= 3 * noise
        assert rms(ours - rounded) <= noise / 2
    with Model(path, threads=2) as model, model.session(context=128) as session:
        token, path_taken = golden["ids"], []
        for _ in golden["greedy"]:
            path_taken.append(int(np.argmax(session.step(token))))
            token = path_taken[-1:]
    assert path_taken == golden["greedy"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_type_and_shape(tmp_path: pathlib.Path, shape: str, kind: str) -> None:
    seed = zlib.crc32(f"{shape} {kind}".encode())
    path = write_random(tmp_path / "model.gguf", SHAPES[shape], Kind[kind], seed)
    check_against_reference(path, seed)


def mixtures(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Merged files: the golden one, then random ones of several types."""
    yield TINY / "mixtral-tiny-f16.gguf"
    for kind in KINDS:
        yield write_random(folder / f"{kind}.gguf", SHAPES["mixture, window"], Kind[kind], 5)


def test_one_tensor_for_each_expert_gives_the_same_bits(tmp_path: pathlib.Path) -> None:
    for path in mixtures(tmp_path):
        older = tmp_path / "older.gguf"
        older_layout.rewrite(path, older)
        names = Reference(str(older)).tensors
        assert "blk.0.ffn_up.3.weight" in names and "blk.0.ffn_up_exps.weight" not in names
        all_ids = prompts(6, 1000)
        for merged, split in zip(library_logits(path, all_ids), library_logits(older, all_ids)):
            assert np.array_equal(merged, split), path.name


@pytest.mark.parametrize("kinds", ["Q8_0 Q4_0", "F16 Q5_1 Q4_1", "F32 BF16 Q5_0 Q4_0 Q8_0"])
def test_experts_of_a_layer_may_differ_in_type(tmp_path: pathlib.Path, kinds: str) -> None:
    source = write_random(tmp_path / "merged.gguf", SHAPES["mixture"], Kind.F32, 9)
    older = tmp_path / "older.gguf"
    older_layout.rewrite(source, older, [Kind[kind] for kind in kinds.split()])
    stored = {
        Reference(str(older)).tensors[f"blk.1.ffn_down.{e}.weight"].tensor_type for e in range(8)
    }
    assert stored == {Kind[kind] for kind in kinds.split()}
    check_against_reference(older, 10)


@pytest.mark.parametrize("older", [False, True], ids=["merged", "older"])
def test_identical_experts_give_the_dense_logits(tmp_path: pathlib.Path, older: bool) -> None:
    """A layer in f32: no rounding to fewer bits stands between the experts and the logits."""
    shape = Shape(layers=1)
    dense = write_random(tmp_path / "dense.gguf", shape, Kind.F32, 12)
    mixture = tmp_path / "mixture.gguf"
    upcycle.upcycle(dense, mixture, experts=5, older=older)
    reference = Reference(str(dense))
    all_ids = prompts(13, shape.vocabulary)
    ours = zip(all_ids, library_logits(dense, all_ids), library_logits(mixture, all_ids))
    for ids, one, many in ours:
        assert (np.abs(one - many) <= upcycling_bound(reference, ids)).all()


def upcycling_bound(reference: Reference, ids: list[int]) -> np.ndarray:
    """How far identical experts may be from a dense model of one layer in f32, a logit at a time.

    w1·y + w2·y is rounded five times (two weights, two products, a sum) and added to the residual
    x, in both models: at most 8 ε (|x| + |y|) of a channel. The norm divides that by the root of
    the mean square, which itself moves by no more than the error's norm over the state's. Then each
    model's products with the output matrix may be off by (n + 2) ε of the sum of their terms'
    magnitudes.
    """
    x = reference.embedding.values[ids]
    x = x + reference.attention(reference.norm(x, "blk.0.attn_norm"), 0, 0, LIBRARY)
    parts = [reference.matrix(f"blk.0.ffn_{part}") for part in ("gate", "up", "down")]
    y = reference.feed_forward(reference.norm(x, "blk.0.ffn_norm"), parts, LIBRARY)
    error = 8 * (np.abs(x) + np.abs(y))
    state = np.linalg.norm(x + y, axis=1, keepdims=True)
    gain = np.abs(reference.matrix("output_norm").values)
    direct = error / (state / reference.width**0.5) * gain
    normed = np.abs(reference.norm(x + y, "output_norm"))
    common = np.linalg.norm(error, axis=1, keepdims=True) / state + 2 * (reference.width + 2)
    return 2.0**-24 * (direct + common * normed) @ np.abs(reference.output.values).T


@pytest.mark.parametrize("kind", ["F16", "Q8_0", "Q4_0"])
def test_identical_experts_in_deeper_models(tmp_path: pathlib.Path, kind: str) -> None:
    """Codes and a cache follow the experts, so a last bit may move a code: within the noise."""
    dense = write_random(tmp_path / "dense.gguf", Shape(layers=3), Kind[kind], 14)
    mixture = tmp_path / "mixture.gguf"
    upcycle.upcycle(dense, mixture, experts=8)
    reference = Reference(str(dense))
    all_ids = prompts(15, 1003)
    distances = []
    ours = zip(all_ids, library_logits(dense, all_ids), library_logits(mixture, all_ids))
    for ids, one, many in ours:
        noise = reference.forward(ids, rounding=LIBRARY)[0] - reference.forward(ids)[0]
        distances.append((rms(one - many), rms(noise)))
    ours, noise = (np.sqrt(np.mean(np.square(column))) for column in zip(*distances))
    assert ours <= noise / 2
