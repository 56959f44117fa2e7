#!/usr/bin/env python3
"""Writes llama.txt: what llama.cpp's samplers keep of seeded logits.

Oracle: llama.cpp by way of llama-cpp-python 0.3.36. Run: python3 make_goldens.py with that package.

Lines: `logits NAME v0 v1 ...` (floats as C hexadecimal), `history NAME t0 t1 ...`, then cases:
`case NAME key=value ... | token:probability ...`, survivors by falling probability.
Case keys are those of the options; the samplers run in the order of include/mixtral.h.
"""

import ctypes
import math
import random
import struct
from pathlib import Path

import llama_cpp
from llama_cpp import llama_cpp as L

assert llama_cpp.__version__ == "0.3.36", llama_cpp.__version__


def as_float(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def hexadecimal(value: float) -> str:
    return as_float(value).hex()


def run(
    logits: list[float], history: list[int], options: dict[str, float]
) -> list[tuple[int, float]]:
    """Applies the samplers that `options` turn on and a final softmax; returns the survivors."""
    data = (L.llama_token_data * len(logits))()
    for token, logit in enumerate(logits):
        data[token].id, data[token].logit, data[token].p = token, logit, 0.0
    pointer = ctypes.cast(data, L.llama_token_data_p)
    array = L.llama_token_data_array(pointer, len(logits), -1, False)

    def apply(sampler) -> None:
        assert sampler
        L.llama_sampler_apply(sampler, ctypes.byref(array))
        L.llama_sampler_free(sampler)

    names = ("repetition", "frequency", "presence")
    penalties = [options.get(f"{name}_penalty", 0.0) for name in names]
    if any(penalties):
        window = int(options.get("penalty_window", 0)) or len(history)
        sampler = L.llama_sampler_init_penalties(
            len(logits), window, penalties[0] or 1.0, penalties[1], penalties[2]
        )
        for token in history:
            L.llama_sampler_accept(sampler, token)
        apply(sampler)
    if "top_k" in options:
        apply(L.llama_sampler_init_top_k(int(options["top_k"])))
    if "typical_p" in options:
        apply(L.llama_sampler_init_typical(options["typical_p"], 1))
    if "top_p" in options:
        apply(L.llama_sampler_init_top_p(options["top_p"], 1))
    if "min_p" in options:
        apply(L.llama_sampler_init_min_p(options["min_p"], 1))
    apply(L.llama_sampler_init_temp(options.get("temperature", 1.0)))
    kept = [(array.data[i].id, array.data[i].logit) for i in range(array.size)]
    # The last softmax in double, so that only the oracle's own logits decide.
    largest = max(logit for _, logit in kept)
    weights = [(token, math.exp(logit - largest)) for token, logit in kept if logit > -math.inf]
    total = sum(weight for _, weight in weights)
    probabilities = [(token, weight / total) for token, weight in weights]
    return sorted(probabilities, key=lambda x: (-x[1], x[0]))


CASES = [
    {"temperature": 0.7},
    {"temperature": 1.9},
    {"top_k": 1},
    {"top_k": 5},
    {"top_k": 40, "temperature": 0.8},
    {"top_k": 1000},
    {"top_p": 0.1},
    {"top_p": 0.5},
    {"top_p": 0.9, "temperature": 0.7},
    {"top_p": 0.95, "temperature": 1.5},
    {"top_p": 1.0},
    {"min_p": 0.05},
    {"min_p": 0.3, "temperature": 2.0},
    {"min_p": 1.0},
    {"typical_p": 0.2},
    {"typical_p": 0.6},
    {"typical_p": 0.95, "temperature": 0.6},
    {"top_k": 30, "typical_p": 0.8, "top_p": 0.9, "min_p": 0.02, "temperature": 0.7},
    {"top_k": 12, "top_p": 0.8},
    {"typical_p": 0.5, "min_p": 0.1},
    {"typical_p": 0.7, "top_p": 0.7},
    {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.7},
    {"frequency_penalty": 0.4},
    {"presence_penalty": 1.1},
    {"presence_penalty": -1.5, "frequency_penalty": -0.25},
    {
        "repetition_penalty": 1.2,
        "frequency_penalty": 0.3,
        "presence_penalty": 0.6,
        "penalty_window": 8,
    },
    {"repetition_penalty": 1.1, "penalty_window": 3, "top_k": 20, "top_p": 0.9, "temperature": 0.9},
]


def main() -> None:
    generator = random.Random(0x5A3D)
    vocabularies = {
        "sharp": [as_float(generator.gauss(0, 4)) for _ in range(72)],
        "plain": [as_float(generator.gauss(0, 1.5)) for _ in range(52)],
        "flat": [as_float(generator.gauss(0, 0.2)) for _ in range(40)],
        "steps": [as_float(7 - 0.37 * ((i * 29) % 40)) for i in range(40)],
    }
    lines = []
    for name, logits in vocabularies.items():
        lines.append(" ".join(["logits", name, *map(hexadecimal, logits)]))
        history = [generator.randrange(len(logits) // 2) for _ in range(24)]
        lines.append(" ".join(["history", name, *map(str, history)]))
        for options in CASES:
            kept = run(logits, history, options)
            settings = " ".join(f"{key}={value}" for key, value in options.items())
            survivors = " ".join(f"{token}:{probability:.8g}" for token, probability in kept)
            lines.append(f"case {name} {settings} | {survivors}")
    Path(__file__).with_name("llama.txt").write_text("\n".join(lines) + "\n")


main()
