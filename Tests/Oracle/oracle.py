#!/usr/bin/env python3
"""Checks the library against other engines on the F16 masters: `make oracle MODELS=DIR`.

    PYTHONPATH=bindings/python python Tests/Oracle/oracle.py DIR --work WORK-FOLDER

DIR holds mixtral-demo-f16.gguf and mistral-demo-f16.gguf. In order: logits and greedy tokens of
both and of the model of Nemo's shape against the golden files (check_logits.py); both quantised to
10 types by llama.cpp into the work folder, where the Q4_K_M files must be the bundled ones;
perplexities of the held-out text against golden/perplexity.json, within --perplexity-tolerance per
cent. llama.cpp applies no sliding window, so against its figures neither do we; with the window the
F16 master is compared with transformers. --smollm2 adds a real model. Ends with Markdown tables.
"""

import argparse
import hashlib
import json
import pathlib
import sys

import check_logits
import perplexity
import quantise

HERE = pathlib.Path(__file__).resolve().parent
BUNDLED = HERE.parent.parent / "examples" / "models"
GOLDEN = HERE / "golden"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def sha256(path: pathlib.Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def logits(model: pathlib.Path, stem: pathlib.Path, threads: int, *more: str) -> dict:
    """Compares a model with golden files by check_logits.py's default tolerances."""
    command = [str(model), str(stem), "--threads", str(threads), *more]
    result = check_logits.check(str(model), str(stem), check_logits.parser().parse_args(command))
    check_logits.show(result)
    return result


def measure(
    model: pathlib.Path,
    kind: str,
    text: bytes,
    golden: float,
    options: argparse.Namespace,
    window=None,
) -> dict:
    """Perplexity of a model beside another engine's."""
    result = perplexity.of_file(str(model), text, window, options.threads, options.chunks)
    result |= {"type": kind, "golden": golden}
    result["per_cent"] = round(100 * (result["perplexity"] / golden - 1), 3)
    result["passed"] = abs(result["per_cent"]) <= options.perplexity_tolerance
    print(f"{result['model']}: {result['perplexity']}, golden {golden}, {result['per_cent']:+} %")
    return result


def perplexities(name: str, options: argparse.Namespace) -> list[dict]:
    """Perplexities of one demo model in all types."""
    golden = json.loads((GOLDEN / "perplexity.json").read_text())[name]
    text = (GOLDEN / "heldout.txt").read_bytes()
    master = options.models / f"{name}-f16.gguf"
    kinds = options.types.split(",")
    files = quantise.quantise_all(master, options.work, kinds, options.threads)
    results = []
    for kind, file in files.items():
        figure = golden["llama_cpp"][kind]["perplexity"]
        results.append(measure(file, kind, text, figure, options, window=-1))
        if kind == "q4_k_m" and sha256(file) != sha256(BUNDLED / file.name):
            results[-1]["passed"] = False
            print(f"{file.name} is not the bundled file")
    exact = golden.get("transformers_f32_with_window_256", golden.get("transformers_f32"))
    results.append(measure(master, "f16, f32 oracle", text, exact["perplexity"], options))
    return results


def smollm2(path: pathlib.Path, options: argparse.Namespace) -> tuple[dict, dict]:
    """Logits and perplexity of the real model."""
    if sha256(path) != SMOLLM2_SHA256:
        raise SystemExit(f"{path.name} is not the file that the golden files are about")
    stem = HERE / "smollm2" / "golden"
    compared = logits(path, stem, options.threads, "--special")
    golden = json.loads(stem.with_suffix(".json").read_text())["perplexity"]
    size = json.loads((GOLDEN / "heldout.txt.sections.json").read_text())["sections"]
    size = max(part["end"] for part in size if part["group"] in ("en-bible", "en"))
    text = (GOLDEN / "heldout.txt").read_bytes()[:size]
    figure = golden["llama_cpp_q4_1"]["perplexity"]
    return compared, measure(path, "q4_1", text, figure, options)


def tables(compared: list[dict], measured: list[dict]) -> str:
    """Both kinds of results as Markdown."""
    verdict = {True: "yes", False: "**NO**"}
    lines = ["| model | largest difference | along greedy paths | same choices | passed |"]
    lines += ["| --- | --: | --: | --: | --- |"]
    for r in compared:
        largest = "" if r["largest"] is None else f"{r['largest']:.5f}"
        same = r["choices"] - r["other_choices"]
        line = f"| {r['model']} | {largest} | {r['largest_along_path']:.5f} "
        lines.append(f"{line}| {same} of {r['choices']} | {verdict[r['passed']]} |")
    lines += ["", "| model | type | perplexity | oracle | difference | passed |"]
    lines += ["| --- | --- | --: | --: | --: | --- |"]
    for r in measured:
        line = f"| {r['model']} | {r['type']} | {r['perplexity']} | {r['golden']} "
        lines.append(f"{line}| {r['per_cent']:+.3f} % | {verdict[r['passed']]} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=pathlib.Path, metavar="DIR")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(".build/oracle"))
    parser.add_argument("--types", default=",".join(quantise.TYPES), help="default: %(default)s")
    parser.add_argument("--smollm2", type=pathlib.Path, metavar="FILE.gguf")
    parser.add_argument("--perplexity-tolerance", type=float, default=0.5, metavar="PER_CENT")
    parser.add_argument("--chunks", type=int, help="fewer chunks: a rehearsal, the figures differ")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the results")
    options = parser.parse_args()
    names = ("mixtral-demo", "mistral-demo")
    compared = [
        logits(options.models / f"{name}-f16.gguf", GOLDEN / name, options.threads)
        for name in names
    ]
    nemo = HERE / "models" / "nemo-shape-demo-f16.gguf"
    compared.append(logits(nemo, GOLDEN / "nemo-shape-demo", options.threads))
    measured = [result for name in names for result in perplexities(name, options)]
    if options.smollm2:
        logits_result, perplexity_result = smollm2(options.smollm2, options)
        compared.append(logits_result)
        measured.append(perplexity_result)
    if options.json:
        options.json.write_text(json.dumps({"logits": compared, "perplexity": measured}) + "\n")
    print("\n" + tables(compared, measured))
    sys.exit(not all(r["passed"] for r in compared + measured))


if __name__ == "__main__":
    main()
