"""Microseconds of processor time of a draw at 32,000 logits: each option alone, one session, sixteen in turn.

    make bench-sampling [ARGUMENTS="--other OLD/libmixtral.so.1 --other-bindings OLD/python --spread 3"]

The logits are normal with the given standard deviations: 1 is flatter than any text, 3 about a text at high
temperature, 6 peaked. With --other a second library takes turns, A B A B; --draws N compares instead
what both draw, N tokens an option set, from logits of many shapes.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import cpuinfo
import gguf
import make_shapes
import numpy as np
from tabulate import tabulate

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OURS = pathlib.Path(os.environ.get("MIXTRAL_LIBRARY", ROOT / ".build" / "lib" / "libmixtral.so.1"))
BINDINGS = ROOT / "bindings" / "python"
SHAPE = make_shapes.Shape(1, 64, 2, 1, 32, 64, 0, 0, 32000, 1e4, 4096)
SETS: dict[str, dict] = {
    "greedy": {},
    "temperature": {"temperature": 0.8},
    "top-k 40": {"temperature": 0.8, "top_k": 40},
    "top-k 4000": {"temperature": 0.8, "top_k": 4000},
    "top-p 0.9": {"temperature": 0.8, "top_p": 0.9},
    "min-p 0.05": {"temperature": 0.8, "min_p": 0.05},
    "typical 0.9": {"temperature": 0.8, "typical_p": 0.9},
    "top-k, top-p, min-p": {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
    "penalties": {"temperature": 0.8, "repetition_penalty": 1.1},
    "report of 5": {"report": 5},
}
MORE = {
    "temperature 0.01": {"temperature": 0.01},
    "temperature 100": {"temperature": 100.0},
    "top-k 1000, typical": {"temperature": 1.0, "top_k": 1000, "typical_p": 0.5},
    "typical 0.2, top-p 0.7": {"temperature": 1.3, "typical_p": 0.2, "top_p": 0.7},
    "typical, top-p, min-p": {"temperature": 1, "typical_p": 0.95, "top_p": 0.9, "min_p": 0.01},
    "top-p 0.3": {"temperature": 1, "top_p": 0.3},
    "top-p 0.999": {"temperature": 1, "top_p": 0.999},
    "min-p 0.5": {"temperature": 2, "min_p": 0.5},
    "bias": {"temperature": 1, "top_p": 0.8, "logit_bias": {5: 2.0, 17: -1.5, 9000: 4.0}},
    "all penalties": {
        "temperature": 1,
        "top_p": 0.9,
        "repetition_penalty": 1.3,
        "frequency_penalty": 0.4,
        "presence_penalty": -0.3,
        "penalty_window": 64,
        "report": 3,
    },
}


def write_model(path: pathlib.Path, spread: float) -> None:
    """A model of one layer whose logits have about that standard deviation."""
    random = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "llama")
    make_shapes.add_keys(writer, SHAPE, f"logits of spread {spread}")
    for name, part, _, dimensions in make_shapes.tensors(SHAPE):
        values = np.ones(dimensions, np.float32)
        if len(dimensions) > 1:
            values = random.standard_normal(dimensions, dtype=np.float32)
            values *= np.float32(spread / 8 if part == "output" else 0.02)
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Engine:
    """A library in a process of its own."""

    def __init__(self, library: pathlib.Path, bindings: pathlib.Path, *arguments: str) -> None:
        paths = {"PYTHONPATH": str(bindings), "MIXTRAL_LIBRARY": str(library)}
        environment = {**os.environ, **paths}
        self.process = subprocess.Popen(
            [sys.executable, HERE / "engine_sampling.py", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.answer()

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"an engine ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, kind: str, options: dict) -> dict:
        self.process.stdin.write(f"{kind} {json.dumps(options)}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def time_draws(engines: list[Engine], rounds: int) -> list[list[str]]:
    rows = []
    for name, options in SETS.items():
        answers = [[engine.ask("draws", options) for engine in engines] for _ in range(rounds)]
        row = [name]
        for key in ("one", "turns"):
            times = [statistics.median(a[n][key] for a in answers) for n in range(len(engines))]
            best = [min(a[n][key + " best"] for a in answers) for n in range(len(engines))]
            row += [f"{middle:.0f} ({low:.0f})" for middle, low in zip(times, best)]
            if len(engines) == 2:
                row.append(f"{times[1] / times[0]:.1f} ({best[1] / best[0]:.1f})")
        rows.append(row)
        print("\t".join(row), file=sys.stderr, flush=True)
    return rows


def compare_draws(engines: list[Engine], draws: int) -> list[list[str]]:
    rows = []
    for name, options in {**SETS, **MORE}.items():
        asked = {**options, "seed": len(rows) + 1, "draws": draws}
        drawn = [engine.ask("tokens", asked)["tokens"] for engine in engines]
        differing = sum(a != b for a, b in zip(*drawn))
        rows.append([name, str(len(drawn[0])), str(len(set(drawn[0]))), str(differing)])
        print("\t".join(rows[-1]), file=sys.stderr, flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--other", type=pathlib.Path, help="a library that takes turns")
    parser.add_argument("--other-bindings", type=pathlib.Path, default=BINDINGS, metavar="FOLDER")
    parser.add_argument("--isa", default="", help="a table that both have to take")
    parser.add_argument("--spread", type=float, nargs="*", default=[1.0, 3.0, 6.0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--draws", type=int, default=0)
    options = parser.parse_args()
    libraries = [(OURS, BINDINGS)]
    if options.other:
        libraries.append((options.other, options.other_bindings))
    print(f"{cpuinfo.get_cpu_info()['brand_raw']}, {SHAPE.vocabulary} logits\n")
    with tempfile.TemporaryDirectory() as folder:
        for spread in [1.0] if options.draws else options.spread:
            file = pathlib.Path(folder) / f"{spread}.gguf"
            write_model(file, spread)
            engines = [Engine(*library, str(file), options.isa) for library in libraries]
            if options.draws:
                rows = compare_draws(engines, options.draws)
                print(tabulate(rows, ["options", "drawn", "different tokens", "not the same"]))
            else:
                heads = ["", "other", "other/ours"][: len(libraries) + len(libraries) // 2]
                heads = [f"{w} {h}".strip() for w in ("one", "16 in turn") for h in heads]
                rows = time_draws(engines, options.rounds)
                print(f"µs of a draw, standard deviation {spread}: median (best)\n")
                print(
                    tabulate(rows, ["options", *heads], tablefmt="github", stralign="right"), "\n"
                )
            for engine in engines:
                engine.close()


if __name__ == "__main__":
    main()
