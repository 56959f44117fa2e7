#!/usr/bin/env python3
"""Writes splitmix64.txt: a line `seed n1 n2 ...` of the first SplitMix64 numbers for each seed.

From the published algorithm (Steele, Lea, Flood, OOPSLA 2014; constants as in Vigna's
splitmix64.c), in Python's unbounded integers. Run: python3 make_splitmix64.py
"""

from pathlib import Path

MASK = (1 << 64) - 1
SEEDS = [0, 1, 2, 42, 1234567, 0x9E3779B97F4A7C15, 1 << 63, MASK - 1, MASK]


def splitmix64(seed: int, count: int) -> list[int]:
    numbers = []
    state = seed
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        numbers.append(z ^ (z >> 31))
    return numbers


# The first outputs for this seed that several implementations publish as their check.
assert splitmix64(1234567, 3) == [6457827717110365317, 3203168211198807973, 9817491932198370423]
lines = [" ".join(map(str, [seed, *splitmix64(seed, 16)])) for seed in SEEDS]
Path(__file__).with_name("splitmix64.txt").write_text("\n".join(lines) + "\n")
