"""This library as an engine process. Options: isa, cache (f16, q8_0), map (1)."""

import argparse
import contextlib

import engine
from mixtral import Model, step_many


class Mixtral:
    """This library by its Python package."""

    def __init__(self, options: argparse.Namespace) -> None:
        more = options.option
        self.model = Model(
            options.file, threads=options.threads, isa=more.get("isa"), map=more.get("map") == "1"
        )
        self.vocabulary = self.model.info.vocabulary
        self.session = self.model.session(options.context, cache=more.get("cache", "f16"))

    def rewind(self, position: int) -> None:
        self.session.rewind(position)

    def feed(self, ids: list[int]) -> None:
        self.session.feed(ids)

    def together(self, inputs: list[list[int]]) -> None:
        with contextlib.ExitStack() as stack:
            group = [stack.enter_context(self.model.session()) for _ in inputs[0]]
            for ids in inputs:
                failed = [error for error in step_many(group, [[one] for one in ids]) if error]
                if failed:
                    raise failed[0]


if __name__ == "__main__":
    engine.serve(Mixtral)
