"""Prompts, and the bits of logits, for the tests that compare them."""

from __future__ import annotations

import hashlib

import numpy

LENGTH = 200


def digest(logits) -> str:
    return hashlib.sha256(numpy.ascontiguousarray(logits, dtype=numpy.float32)).hexdigest()


def prompt(length: int = LENGTH, seed: int = 7) -> list[int]:
    random = numpy.random.default_rng(seed)
    return [1, *(int(one) for one in random.integers(3, 1024, length - 1))]


def rows(session, ids, step: int):
    """The logits after every token, fed in steps of this many."""
    cuts = [ids[start : start + step] for start in range(0, len(ids), step)]
    return numpy.concatenate([session.step_logits(cut) for cut in cuts])
