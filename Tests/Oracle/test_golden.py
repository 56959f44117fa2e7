"""The models in the repository against other engines' golden files: the quick part of oracle.py.

MIXTRAL_SMOLLM2 may name the GGUF that scripts/fetch_smollm2.py fetches; it is then checked too.
"""

import json
import os
import pathlib

import check_logits
import perplexity
import pytest

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
BUNDLED = HERE.parent.parent / "examples" / "models"
SMOLLM2 = os.environ.get(
    "MIXTRAL_SMOLLM2", str(HERE.parent.parent / ".build/models/SmolLM2-135M-Instruct.Q4_1.gguf")
)


def compare(model: str, stem: str, *more: str) -> dict:
    """check_logits.py with its default tolerances."""
    return check_logits.check(model, stem, check_logits.parser().parse_args([model, stem, *more]))


def failures(result: dict) -> list[str]:
    """The figures beyond the tolerances."""
    return [f"{p['name']}: {text}" for p in result["prompts"] for text in p["failures"]]


def test_nemo_shape_gives_transformers_logits_and_choices() -> None:
    model = str(HERE / "models" / "nemo-shape-demo-f16.gguf")
    result = compare(model, str(GOLDEN / "nemo-shape-demo"))
    assert not failures(result)
    assert result["choices"] == 64 and result["other_choices"] == 0
    for prompt in result["prompts"]:
        assert prompt["largest_along_path"] <= prompt["llama_cpp_distance"]


@pytest.mark.parametrize("name", ["mixtral-demo", "mistral-demo"])
def test_bundled_model_has_the_golden_ids(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    with check_logits.Model(BUNDLED / f"{name}-q4_k_m.gguf", threads=2) as model:
        for prompt in golden["prompts"]:
            ids = model.tokenize(prompt["prompt"], bos=True)
            assert ids[: len(prompt["ids"])] == prompt["ids"], prompt["name"]


@pytest.mark.parametrize("name", ["mixtral-demo", "mistral-demo"])
def test_bundled_model_has_llama_cpps_perplexity(name: str) -> None:
    golden = json.loads((GOLDEN / "perplexity.json").read_text())[name]["llama_cpp"]["q4_k_m"]
    text = (GOLDEN / "heldout.txt").read_bytes()
    # llama.cpp applies no sliding window to this architecture.
    result = perplexity.of_file(str(BUNDLED / f"{name}-q4_k_m.gguf"), text, -1, 2, None)
    assert (result["tokens"], result["scored"]) == (golden["tokens"], golden["scored"])
    assert abs(result["perplexity"] / golden["perplexity"] - 1) <= 0.005


def test_smollm2_is_as_near_to_f32_as_llama_cpp() -> None:
    assert not failures(compare(SMOLLM2, str(HERE / "smollm2" / "golden"), "--special"))
