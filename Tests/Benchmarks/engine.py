"""The commands of every engine process: one command a line, one JSON object a line.

    prompt N        empties the conversation and feeds N tokens at once
    fill N          feeds tokens until N are there
    decode N        feeds N tokens one by one, then takes them back
    together S N    N steps of S conversations at once, from empty ones
    idle S          waits S seconds; the processor time that took
    memory          resident and peak bytes

The answer to the first four is {"seconds": …}. An engine parks between commands, so several processes
can take turns on one machine: A B A B.
"""

import argparse
import json
import pathlib
import resource
import sys
import time
from collections.abc import Callable
from typing import Protocol


class Engine(Protocol):
    """A loaded model with one empty conversation."""

    vocabulary: int

    def rewind(self, position: int) -> None:
        """Forgets all tokens from `position` on."""

    def feed(self, ids: list[int]) -> None:
        """Feeds tokens and waits for the logits after the last."""

    def together(self, inputs: list[list[int]]) -> None:
        """Feeds one token a list entry to as many conversations, one step a list."""


def tokens(count: int, start: int, vocabulary: int) -> list[int]:
    """Ids spread over the vocabulary, without the control and byte tokens."""
    return [(start + i) * 7919 % (vocabulary - 300) + 260 for i in range(count)]


def memory() -> dict[str, int]:
    """Resident, without the pages of files, and peak bytes of this process."""
    status = {}
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if value.endswith("kB"):
            status[name] = int(value.split()[0]) * 1024
    return {
        "resident": status["RssAnon"],
        "with_files": status["VmRSS"],
        "peak": status["VmHWM"],
    }


def seconds(work: Callable[[], None]) -> dict[str, float]:
    start = time.perf_counter()
    work()
    return {"seconds": time.perf_counter() - start}


class Server:
    """Answers commands for an engine."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.position = 0

    def prompt(self, count: int) -> dict:
        ids = tokens(count, 0, self.engine.vocabulary)
        self.engine.rewind(0)
        self.position = count
        return seconds(lambda: self.engine.feed(ids))

    def fill(self, count: int) -> dict:
        if count < self.position:
            self.engine.rewind(count)
            self.position = count
        ids = tokens(count - self.position, self.position, self.engine.vocabulary)
        self.position = count
        return seconds(lambda: self.engine.feed(ids) if ids else None)

    def decode(self, count: int) -> dict:
        ids = tokens(count, self.position, self.engine.vocabulary)

        def work() -> None:
            for token in ids:
                self.engine.feed([token])

        answer = seconds(work)
        self.engine.rewind(self.position)
        return answer

    def together(self, sessions: int, steps: int) -> dict:
        ids = tokens(sessions * steps, 0, self.engine.vocabulary)
        inputs = [ids[i * sessions : (i + 1) * sessions] for i in range(steps)]
        return seconds(lambda: self.engine.together(inputs))

    def idle(self, count: int) -> dict:
        before = resource.getrusage(resource.RUSAGE_SELF)
        time.sleep(count)
        after = resource.getrusage(resource.RUSAGE_SELF)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return {"seconds": spent}

    def memory(self) -> dict:
        return memory()


def serve(load: Callable[[argparse.Namespace], Engine]) -> None:
    """The program of an engine: loads, says how long that took, and answers until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--option", action="append", default=[], help="NAME=VALUE of one engine")
    options = parser.parse_args()
    options.option = dict(one.split("=", 1) for one in options.option)
    start = time.perf_counter()
    server = Server(load(options))
    print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
    for line in sys.stdin:
        name, *numbers = line.split()
        print(json.dumps(getattr(server, name)(*map(int, numbers))), flush=True)
