#!/usr/bin/env python3
"""This library and llama.cpp on one file, one after the other and again: A B A B.

    PYTHONPATH=bindings/python python Tests/Benchmarks/compare.py FILE.gguf --prompt 256 --decode 32

Each measurement is a process of its own, so neither engine's threads, pages or peak memory touch
the other's. The file is read once before the first, so that all find it in the page cache if it
fits. What counts is the ratio of the two within one run on one machine; rates alone do not travel.
"""

import argparse
import json
import pathlib
import platform
import statistics
import subprocess
import sys

import measure

HERE = pathlib.Path(__file__).resolve().parent
ENGINES = {"libmixtral": "bench_mixtral.py", "llama.cpp": "peer_llama_cpp.py"}


def child(engine: str, options: argparse.Namespace) -> dict:
    """One measurement in a process of its own."""
    command = [sys.executable, str(HERE / ENGINES[engine]), options.file, "--json"]
    for name in ("prompt", "decode", "depth", "threads", "runs"):
        command += [f"--{name}", str(getattr(options, name))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{engine} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout.splitlines()[-1])


def read_through(path: str) -> None:
    """Reads a file once, so that the first engine is not the only one that waits for the disk."""
    with open(path, "rb") as file:
        while file.read(1 << 24):
            pass


def processor() -> str:
    """The processor's name."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def summary(results: list[dict]) -> dict:
    """Of each engine the best of all runs and the median of the medians, and ours over theirs."""
    table: dict[str, dict] = {}
    for engine in ENGINES:
        own = [result for result in results if result["engine"] == engine]
        entry = {
            "load_seconds": min(result["load_seconds"] for result in own),
            "peak_bytes": max(result["peak_bytes"] for result in own),
        }
        for phase in ("prompt", "decode"):
            rates = [result[phase] for result in own if result[phase]]
            if rates:
                entry[phase] = {
                    "best": max(rate["best"] for rate in rates),
                    "median": round(statistics.median(rate["median"] for rate in rates), 2),
                }
        table[engine] = entry
    ours, theirs = (table[engine] for engine in ENGINES)
    ratios = {
        f"{phase}_{kind}": round(ours[phase][kind] / theirs[phase][kind], 3)
        for phase in ("prompt", "decode")
        if phase in ours
        for kind in ("best", "median")
    }
    return {"engines": table, "ratios": ratios}


def show(result: dict) -> None:
    """Prints a Markdown table."""
    print(f"{result['file']}, {result['threads']} threads, {result['processor']}\n")
    phases = [phase for phase in ("prompt", "decode") if phase in result["engines"]["libmixtral"]]
    titles = [f"{phase} {result[phase]}, best (median) tokens/s" for phase in phases]
    print("| engine | " + " | ".join(titles) + " | load s | peak MB |")
    print("| --- |" + " --: |" * (len(titles) + 2))
    for engine, entry in result["engines"].items():
        cells = [f"{entry[phase]['best']} ({entry[phase]['median']})" for phase in phases]
        cells += [f"{entry['load_seconds']:.2f}", f"{entry['peak_bytes'] / 1e6:.0f}"]
        print(f"| {engine} | " + " | ".join(cells) + " |")
    ratios = [
        f"{result['ratios'][f'{phase}_best']} ({result['ratios'][f'{phase}_median']})"
        for phase in phases
    ]
    print("| ours / theirs | " + " | ".join(ratios) + " | | |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    measure.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=2, help="times that both are measured")
    options = parser.parse_args()
    read_through(options.file)
    results = []
    for _ in range(options.rounds):
        for engine in ENGINES:
            results.append(child(engine, options))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    result = {
        "file": pathlib.Path(options.file).name,
        "processor": processor(),
        **{name: getattr(options, name) for name in ("threads", "prompt", "decode", "depth")},
        **summary(results),
        "runs": results,
    }
    print(json.dumps(result)) if options.json else show(result)


if __name__ == "__main__":
    main()
