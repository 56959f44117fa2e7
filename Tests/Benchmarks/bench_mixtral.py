#!/usr/bin/env python3
"""Prompt and decode speed of this library on one GGUF file.

PYTHONPATH=bindings/python python Tests/Benchmarks/bench_mixtral.py FILE.gguf --json
"""

import argparse

import measure
from mixtral import Model


class Library:
    """This library by its Python package."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.model = Model(options.file, threads=options.threads)
        self.vocabulary = self.model.info.vocabulary
        needed = max(options.prompt, options.depth + options.decode)
        self.session = self.model.session(context=needed)

    def reset(self) -> None:
        self.session.rewind(0)

    def feed(self, ids: list[int]) -> None:
        self.session.feed(ids)


if __name__ == "__main__":
    measure.run("libmixtral", __doc__, Library)
