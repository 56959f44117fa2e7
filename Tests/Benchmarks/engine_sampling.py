"""Draws with the library that MIXTRAL_LIBRARY names, for bench_sampling.py.

    engine_sampling.py FILE.gguf TABLE

Answers each line `KIND OPTIONS` (JSON) on standard input by a line of JSON: `draws` measures the processor time of
a draw in microseconds, of one session and of sixteen in turn; `tokens` says what is drawn from logits of many shapes.
"""

from __future__ import annotations

import ctypes
import json
import statistics
import sys
import time

import numpy as np
from mixtral import Model, Sampler, _raw

SESSIONS = 16
DRAWS = 64
SHAPES = ("text", "normal", "wide", "flat", "levels", "banned", "equal", "two", "huge")


def shaped(shape: str, count: int, random: np.random.Generator) -> np.ndarray:
    """Logits of one of the shapes; ties in `levels`, `equal` and `two`."""
    normal = random.standard_normal(count)
    if shape == "text":
        # Few likely tokens and a long tail.
        normal = np.log(random.pareto(1.0, count) + 1e-3) * 1.5
    elif shape == "wide":
        normal = normal * 5
    elif shape == "flat":
        normal = normal * 0.01
    elif shape == "levels":
        normal = np.round(normal * 3)
    elif shape == "banned":
        normal[random.random(count) < 0.7] = -np.inf
        normal[random.integers(count)] = 0
    elif shape == "equal":
        normal = np.full(count, 2.5)
    elif shape == "two":
        normal = np.where(random.random(count) < 0.5, 1.0, 3.0)
    elif shape == "huge":
        normal = np.clip(normal, -3, 3) * 1e38
    return normal.astype(np.float32)


def measure(sessions: list, options: dict) -> dict[str, float]:
    token = _raw.mixtral_token()
    out = ctypes.byref(token)
    samplers = [Sampler(**{**options, "seed": n}) for n in range(SESSIONS)]

    def batch(pairs: list[tuple[int, int]]) -> float:
        start = time.thread_time_ns()
        for session, sampler in pairs:
            if _raw.mixtral_sample(out, session, sampler):
                raise SystemExit(_raw.mixtral_last_error().decode())
        return (time.thread_time_ns() - start) / len(pairs) / 1000

    one = [(sessions[0]._handle, samplers[0]._handle)] * DRAWS
    turns = [(a._handle, b._handle) for a, b in zip(sessions, samplers)] * (DRAWS // SESSIONS)
    results = {}
    for name, pairs in (("one", one), ("turns", turns)):
        batch(pairs)
        results[name] = statistics.median(batch(pairs) for _ in range(5))
        results[name + " best"] = min(batch(pairs) for _ in range(5))
    return results


def tokens(session: object, vocabulary: int, options: dict, draws: int) -> list[int]:
    """The tokens drawn from `draws` logits, a shape after another."""
    random = np.random.default_rng(options.get("seed", 0))
    drawn = []
    logits = shaped(SHAPES[0], vocabulary, random)

    def give(room: object) -> None:
        ctypes.memmove(ctypes.addressof(pointer_of(room)), logits.ctypes.data, logits.nbytes)

    sampler = Sampler(**options, filter=give)
    for index in range(draws):
        if index % 4 == 0:
            logits = shaped(SHAPES[index // 4 % len(SHAPES)], vocabulary, random)
        drawn.append(session.sample(sampler))
        if options.get("report"):
            drawn.extend(candidate.token for candidate in sampler.report())
    return drawn


def pointer_of(room: object) -> ctypes.c_float:
    return ctypes.c_float.from_buffer(memoryview(room).cast("B"))


def main() -> None:
    start = time.monotonic()
    model = Model(sys.argv[1], threads=1, isa=sys.argv[2] or None)
    sessions = []
    for index in range(SESSIONS):
        session = model.session(context=256)
        session.step([1, *range(300 + index, 400 + index), 3 + index])
        sessions.append(session)
    print(json.dumps({"seconds": time.monotonic() - start}), flush=True)
    for line in sys.stdin:
        kind, options = line.split(" ", 1)
        options = json.loads(options)
        if "logit_bias" in options:
            options["logit_bias"] = {int(k): v for k, v in options["logit_bias"].items()}
        if kind == "draws":
            answer = measure(sessions, options)
        else:
            draws = options.pop("draws")
            answer = {"tokens": tokens(sessions[0], 32000, options, draws)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
