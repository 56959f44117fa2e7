"""What both engines are measured by: the same tokens, the same phases, the same clock.

A run is: an empty cache, `prompt` tokens in one go, then an empty cache with `depth` tokens in it
and `decode` tokens one by one. One run warms up and is not counted. Logits are computed after the
last token of each call and copied out by neither engine.
"""

import argparse
import json
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import Protocol


class Engine(Protocol):
    """A loaded model with one empty conversation."""

    vocabulary: int

    def reset(self) -> None:
        """Empties the cache."""

    def feed(self, ids: list[int]) -> None:
        """Feeds tokens and waits for the logits after the last."""


def memory_peak() -> int:
    """VmHWM of this process in bytes."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def tokens(count: int, start: int, vocabulary: int) -> list[int]:
    """Ids spread over the vocabulary, without the control and byte tokens."""
    return [(start + i) * 7919 % (vocabulary - 300) + 260 for i in range(count)]


def rates(seconds: list[float], count: int) -> dict[str, float] | None:
    """Best and median tokens a second."""
    if not count:
        return None
    found = [count / value for value in seconds]
    return {"best": round(max(found), 2), "median": round(statistics.median(found), 2)}


def measure(engine: Engine, options: argparse.Namespace) -> dict:
    """Runs the phases and returns the rates."""
    prompts, decodes = [], []
    for _ in range(options.runs + 1):
        engine.reset()
        ids = tokens(options.prompt, 0, engine.vocabulary)
        start = time.perf_counter()
        if ids:
            engine.feed(ids)
        prompts.append(time.perf_counter() - start)
        engine.reset()
        if options.depth:
            engine.feed(tokens(options.depth, 0, engine.vocabulary))
        ids = tokens(options.decode, options.depth, engine.vocabulary)
        start = time.perf_counter()
        for token in ids:
            engine.feed([token])
        decodes.append(time.perf_counter() - start)
    return {
        "prompt": rates(prompts[1:], options.prompt),
        "decode": rates(decodes[1:], options.decode),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of every runner."""
    parser.add_argument("file", metavar="FILE.gguf")
    parser.add_argument("--prompt", type=int, default=256, help="tokens of the prompt")
    parser.add_argument("--decode", type=int, default=32, help="tokens fed one by one")
    parser.add_argument("--depth", type=int, default=0, help="tokens in the cache before decoding")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3, help="counted runs")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(name: str, text: str, load: Callable[[argparse.Namespace], Engine]) -> None:
    """The program of a runner: loads, measures, prints."""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    options = parser.parse_args()
    start = time.perf_counter()
    engine = load(options)
    seconds = time.perf_counter() - start
    result = {"engine": name, "load_seconds": round(seconds, 3), **measure(engine, options)}
    result["peak_bytes"] = memory_peak()
    if options.json:
        print(json.dumps(result))
        return
    print(f"{name}, {pathlib.Path(options.file).name}, {options.threads} threads")
    print(f"  load {result['load_seconds']} s, peak {result['peak_bytes'] / 1e6:.0f} MB")
    for phase in ("prompt", "decode"):
        if rate := result[phase]:
            print(f"  {phase} {rate['best']} tokens/s, median {rate['median']}")
