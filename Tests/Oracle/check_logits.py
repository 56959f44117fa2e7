#!/usr/bin/env python3
"""Compares the library's logits and greedy tokens with golden files of other engines.

    PYTHONPATH=bindings/python python Tests/Oracle/check_logits.py \\
        MODEL.gguf Tests/Oracle/golden/mixtral-demo

The second argument is the golden files' common stem: STEM.json and, if there, STEM-logits.npz.
For every prompt the golden ids are fed (and compared with those of our tokenizer), every stored row
of logits is compared, and then the golden greedy path is fed: our choice at each step must be the
golden one. Rows named logits-no-window are compared with the sliding window off.

What fails: a row, or a top logit of a step, further off than --tolerance; a mean difference of a
row beyond --mean-tolerance; other ids; another choice where the golden gap between first and second
is at least twice the tolerance (below that, logits within the tolerance may choose otherwise).

Defaults: 0.01 and 0.002. For logits of about 10, as the F16 models' are, 0.01 is twice the
precision of F16 (2^-11 of a value), in which the cache keeps keys and values. Where the golden file
compares the f32 model with a file of integer types it records llama.cpp's distance. Ours is
rounding of the same kind and size, but independent of it: no row may be off by more than twice the
largest of those distances, and none by more than that distance on average. In other cases pass
--tolerance.
"""

import argparse
import json
import pathlib
import sys
from dataclasses import asdict, dataclass, field

import numpy as np
from mixtral import Model

TOLERANCE = 0.01
MEAN_TOLERANCE = 0.002
NEAR_TIE = 0.01
# The distances recorded are few and of the last rows alone; rounding elsewhere may be unluckier.
INDEPENDENT = 2


@dataclass
class Difference:
    """Of two rows: the largest and the mean of |ours - golden|."""

    largest: float
    mean: float

    @staticmethod
    def of(ours: np.ndarray, golden: np.ndarray) -> "Difference":
        gap = np.abs(ours.astype(np.float64) - golden)
        return Difference(round(float(gap.max()), 6), round(float(gap.mean()), 6))


@dataclass
class OtherChoice:
    """A step at which we choose another token than the golden file."""

    step: int
    golden: int
    ours: int
    gap: float


@dataclass
class PromptReport:
    """The figures of one prompt."""

    name: str
    tokens: int
    same_ids: bool
    rows: dict[str, Difference] = field(default_factory=dict)
    steps: int = 0
    other_choices: list[OtherChoice] = field(default_factory=list)
    # Largest difference of a golden top logit along the greedy path.
    largest_along_path: float = 0.0
    near_ties: dict[int, float] = field(default_factory=dict)
    llama_cpp_distance: float | None = None
    # The same path judged by the f32 model's choices, where the path is llama.cpp's.
    f32_agree: int | None = None
    llama_cpp_f32_agree: int | None = None
    failures: list[str] = field(default_factory=list)


def stored_rows(arrays: dict[str, np.ndarray], name: str, kind: str) -> dict[int, np.ndarray]:
    """Position to row of a prompt's stored logits, in order."""
    prefix = f"{name}/{kind}/"
    found = {int(k[len(prefix) :]): v for k, v in arrays.items() if k.startswith(prefix)}
    return dict(sorted(found.items()))


def follow(model: Model, ids: list[int], wanted: list[int], path: list[int]) -> tuple[dict, list]:
    """Logits at the wanted positions of the prompt, and before each token of the path."""
    with model.session(context=len(ids) + len(path)) as session:
        rows, done = {}, 0
        for position in sorted({*wanted, len(ids) - 1}):
            rows[position] = np.array(session.step(ids[done : position + 1]))
            done = position + 1
        along = [rows[len(ids) - 1]]
        along += [np.array(session.step([token])) for token in path[:-1]]
    return rows, along


def golden_steps(prompt: dict) -> list[dict]:
    """The golden top ids and logits of each step: of all steps, or of the first alone."""
    if "steps" in prompt:
        return prompt["steps"]
    return [{"ids": prompt["top10"], "logits": prompt["logits"]}] if "top10" in prompt else []


def check_prompt(
    model: Model, prompt: dict, arrays: dict[str, np.ndarray], options: argparse.Namespace
) -> PromptReport:
    """Feeds one prompt and its greedy path and compares everything the golden files have."""
    name, ids, path = prompt.get("name", prompt["prompt"][:20]), prompt["ids"], prompt["greedy"]
    own = model.tokenize(prompt["prompt"], bos=True, special=options.special)
    # Long prompts are cut after their number of tokens, so ours may go on.
    report = PromptReport(name, len(ids), own[: len(ids)] == ids)
    golden = stored_rows(arrays, name, "logits")
    rows, along = follow(model, ids, list(golden), path)
    report.rows = {str(p): Difference.of(rows[p], row) for p, row in golden.items()}
    report.steps = len(path)
    steps = golden_steps(prompt)
    for step, row in zip(steps, along):
        far = float(np.abs(row[step["ids"]] - np.array(step["logits"])).max())
        report.largest_along_path = max(report.largest_along_path, round(far, 6))
    gaps = [step.get("gap", prompt.get("min_gap", 0.0)) for step in steps]
    gaps += [prompt.get("min_gap", 0.0)] * (len(path) - len(gaps))
    report.near_ties = {i: g for i, g in enumerate(gaps) if g < NEAR_TIE and "steps" in prompt}
    chosen = [int(row.argmax()) for row in along]
    report.other_choices = [
        OtherChoice(i, want, got, gaps[i])
        for i, (want, got) in enumerate(zip(path, chosen))
        if want != got
    ]
    if "f32_argmax_along_greedy" in prompt:
        exact = prompt["f32_argmax_along_greedy"]
        report.f32_agree = sum(a == b for a, b in zip(chosen, exact))
        report.llama_cpp_f32_agree = sum(a == b for a, b in zip(path, exact))
    report.llama_cpp_distance = prompt.get(
        "max_abs_diff_llama_cpp_to_f32", prompt.get("llama_cpp_max_abs_diff")
    )
    return report


def judge(
    report: PromptReport, tolerance: float, mean_tolerance: float, path_tolerance: float
) -> None:
    """Fills in what is beyond the tolerances."""
    if not report.same_ids:
        report.failures.append("other ids than the golden ones")
    for position, difference in report.rows.items():
        if not difference.largest <= tolerance:
            report.failures.append(f"row {position}: {difference.largest} off, at most {tolerance}")
        if not difference.mean <= mean_tolerance:
            report.failures.append(
                f"row {position}: mean {difference.mean}, at most {mean_tolerance}"
            )
    if not report.largest_along_path <= path_tolerance:
        found = f"{report.largest_along_path} off, at most {path_tolerance}"
        report.failures.append(f"top logits along the path: {found}")
    for other in report.other_choices:
        if other.gap >= 2 * tolerance:
            report.failures.append(f"step {other.step}: {other.ours}, not {other.golden}")


def tolerances(prompts: list[dict], options: argparse.Namespace) -> tuple[float, float, float]:
    """Largest and mean difference of a row, and the largest along the greedy path."""
    peer = max(p.get("max_abs_diff_llama_cpp_to_f32", 0.0) for p in prompts)
    largest, mean = options.tolerance, options.mean_tolerance
    if largest is None:
        largest = INDEPENDENT * peer if peer else TOLERANCE
    if mean is None:
        mean = peer if peer else MEAN_TOLERANCE * largest / TOLERANCE
    # Where the path is llama.cpp's own its logits are off too.
    return largest, mean, largest + peer


def check(path: str, stem: str, options: argparse.Namespace) -> dict:
    """Compares a model with a golden stem; the result is ready for JSON."""
    golden = json.loads(pathlib.Path(stem + ".json").read_text("utf-8"))
    file = pathlib.Path(stem + "-logits.npz")
    arrays = dict(np.load(file)) if file.exists() else {}
    tolerance, mean, along = tolerances(golden["prompts"], options)
    with Model(path, threads=options.threads, isa=options.isa) as model:
        reports = [check_prompt(model, p, arrays, options) for p in golden["prompts"]]
    unwindowed = {p["name"]: p for p in golden["prompts"] if "name" in p}
    unwindowed = {n: stored_rows(arrays, n, "logits-no-window") for n in unwindowed}
    if any(unwindowed.values()):
        with Model(path, threads=options.threads, isa=options.isa, sliding_window=-1) as model:
            for prompt, report in zip(golden["prompts"], reports):
                stored = unwindowed[report.name]
                rows, _ = follow(model, prompt["ids"], list(stored), [])
                for position, row in stored.items():
                    report.rows[f"{position} no window"] = Difference.of(rows[position], row)
    for report in reports:
        judge(report, tolerance, mean, along)
    return {
        "model": pathlib.Path(path).name,
        "golden": pathlib.Path(stem).name,
        "tolerance": tolerance,
        "mean_tolerance": mean,
        "largest": max((d.largest for r in reports for d in r.rows.values()), default=None),
        "largest_along_path": max(r.largest_along_path for r in reports),
        "choices": sum(r.steps for r in reports),
        "other_choices": sum(len(r.other_choices) for r in reports),
        "passed": not any(r.failures for r in reports),
        "prompts": [asdict(r) for r in reports],
    }


def show(result: dict) -> None:
    """Prints the result for people."""
    print(f"{result['model']} against {result['golden']}, tolerance {result['tolerance']}")
    for r in result["prompts"]:
        rows = ", ".join(f"{p}: {d['largest']:.5f} ({d['mean']:.5f})" for p, d in r["rows"].items())
        same = r["steps"] - len(r["other_choices"])
        line = f"  {r['name']}: {r['tokens']} tokens, {same} of {r['steps']} greedy"
        line += f", top logits within {r['largest_along_path']:.5f}"
        print(line + (f"; rows {rows}" if rows else ""))
        if r["llama_cpp_distance"] is not None:
            print(f"    llama.cpp is {r['llama_cpp_distance']} from the f32 model")
        if r["f32_agree"] is not None:
            print(f"    f32 choices: ours {r['f32_agree']}, llama.cpp's {r['llama_cpp_f32_agree']}")
        if r["near_ties"]:
            print(f"    golden gaps below {NEAR_TIE}: {r['near_ties']}")
        for other in r["other_choices"]:
            print(
                f"    step {other['step']}: {other['ours']}, "
                f"golden {other['golden']}, gap {other['gap']}"
            )
        for failure in r["failures"]:
            print(f"    FAILED {failure}")


def parser() -> argparse.ArgumentParser:
    """The command line; oracle.py uses its defaults."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL.gguf")
    parser.add_argument("golden", metavar="STEM")
    parser.add_argument("--tolerance", type=float, help="largest |difference| of a logit")
    parser.add_argument("--mean-tolerance", type=float, help="mean |difference| of a row")
    parser.add_argument("--special", action="store_true", help='prompts hold control tokens: "<s>"')
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--isa", choices=["reference", "avx2", "avxvnni", "avx512"])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main() -> None:
    options = parser().parse_args()
    result = check(options.model, options.golden, options)
    print(json.dumps(result)) if options.json else show(result)
    sys.exit(not result["passed"])


if __name__ == "__main__":
    main()
