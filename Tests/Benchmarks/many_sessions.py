#!/usr/bin/env python3
"""Sessions decoding together: tokens a second of all of them by step_many, against one session.

PYTHONPATH=bindings/python python Tests/Benchmarks/many_sessions.py FILE.gguf

Every round measures each number of sessions once; ratios are of the medians.
"""

import argparse
import contextlib
import statistics
import time

import measure
from mixtral import Model, step_many


def rate(model: Model, sessions: int, steps: int) -> float:
    """Tokens a second of all sessions together; the first step warms up."""
    with contextlib.ExitStack() as stack:
        group = [stack.enter_context(model.session()) for _ in range(sessions)]
        ids = measure.tokens(sessions * (steps + 1), 0, model.info.vocabulary)
        start = 0.0
        for step in range(steps + 1):
            if step == 1:
                start = time.perf_counter()
            inputs = [[ids[step * sessions + one]] for one in range(sessions)]
            failed = [error for error in step_many(group, inputs) if error]
            if failed:
                raise failed[0]
        return sessions * steps / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", metavar="FILE.gguf")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    counts = (1, 2, 4, 8, 16)
    found: dict[int, list[float]] = {count: [] for count in counts}
    with Model(options.file, threads=options.threads) as model:
        for _ in range(options.rounds):
            for count in counts:
                found[count].append(rate(model, count, options.steps))
    one = statistics.median(found[1])
    print("| sessions | tokens/s, best (median) | against one (medians) |\n| --: | --: | --: |")
    for count in counts:
        median = statistics.median(found[count])
        print(f"| {count} | {max(found[count]):.1f} ({median:.1f}) | {median / one:.2f} |")


if __name__ == "__main__":
    main()
