#!/usr/bin/env python3
"""Prompts, decoding, sessions, loading and memory of this library, each beside the floor of the machine
and, with --peers, beside llama.cpp and OpenVINO's products.

    make bench [FILE=model.gguf]     make bench-peers [FILE=model.gguf]

Engines are processes that take turns, A B A B, with the floor measured before and after each turn.
Rates alone do not travel: what counts are shares of the floor and ratios within one run. --write puts
the tables into RESULTS.md.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass, field

import cpuinfo
import floor
import psutil
from tabulate import tabulate

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
OURS, LLAMA, OPENVINO = "libmixtral", "llama.cpp", "OpenVINO int4"


class Process:
    """An engine, or the floors, that answers commands."""

    def __init__(self, *command: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "bindings" / "python")}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.load_seconds = self.answer()["seconds"]

    def answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.process.args)} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, command: str) -> dict:
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def engine(name: str, file: str, options: argparse.Namespace, context: int, *more: str) -> Process:
    return Process(
        *(sys.executable, str(HERE / f"engine_{name}.py"), file),
        *("--threads", str(options.threads), "--context", str(context)),
        *(part for one in more for part in ("--option", one)),
    )


@dataclass
class Row:
    """The figures of one engine for one amount of work."""

    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    @property
    def best(self) -> float:
        return max(self.rates)

    @property
    def median(self) -> float:
        return statistics.median(self.rates)

    @property
    def share(self) -> float:
        return statistics.median(self.shares)


class Bench:
    """A file, its engines, and the floors."""

    def __init__(self, file: str, options: argparse.Namespace, engines: dict[str, Process]) -> None:
        self.options = options
        self.work = floor.Work(file)
        self.engines = engines
        self.floors = Process(str(ROOT / ".build" / "release" / "floors"), str(options.threads))

    def close(self) -> None:
        self.floors.close()

    def turns(self, command: str, count: int, kind: str, work: float) -> dict[str, Row]:
        """Asks every engine in turn; `work` is what one token needs of the floor `kind`, in 1e9."""
        rows = {name: Row() for name in self.engines}
        before = self.floors.ask(kind)["rate"]
        for _ in range(self.options.rounds):
            for name, process in self.engines.items():
                rate = count / process.ask(command)["seconds"]
                after = self.floors.ask(kind)["rate"]
                rows[name].rates.append(rate)
                rows[name].shares.append(rate * work * 2 / (before + after))
                before = after
        return rows

    def prompts(self) -> list[list]:
        table = []
        for process in self.engines.values():
            process.ask("prompt 16")
        for count in self.options.prompts:
            rows = self.turns(
                f"prompt {count}", count, "multiply", self.work.prompt_operations(count)
            )
            table += self.lines(f"prompt of {count}", rows)
        return table

    def decoding(self) -> list[list]:
        table = []
        for depth in self.options.depths:
            for process in self.engines.values():
                process.ask(f"fill {depth}")
                process.ask("decode 2")
            steps = self.options.steps
            rows = self.turns(
                f"decode {steps}", steps, "read", self.work.decode_bytes(depth, self.options.cache)
            )
            table += self.lines(f"decode after {depth}", rows)
        return table

    def lines(self, what: str, rows: dict[str, Row]) -> list[list]:
        ours = rows[OURS]
        table = []
        for name, row in rows.items():
            ratio = (
                ""
                if row is ours
                else f"{ours.median / row.median:.2f} ({ours.best / row.best:.2f})"
            )
            table.append(
                [what, name, f"{row.median:.1f}", f"{row.best:.1f}", f"{row.share:.0%}", ratio]
            )
        return table

    def sessions(self) -> list[list]:
        """Decoding by step_many: the weights are read once a step, whatever the number."""
        process = self.engines[OURS]
        rows = {count: Row() for count in self.options.sessions}
        steps = max(4, self.options.steps // 2)
        before = self.floors.ask("read")["rate"]
        for turn in range(self.options.rounds + 1):
            for count, row in rows.items():
                rate = count * steps / process.ask(f"together {count} {steps}")["seconds"]
                after = self.floors.ask("read")["rate"]
                if turn:
                    row.rates.append(rate)
                    row.shares.append(
                        rate / count * self.work.batch_bytes(count) * 2 / (before + after)
                    )
                before = after
        one = rows[self.options.sessions[0]]
        return [
            [
                *(count, f"{row.median:.1f}", f"{row.best:.1f}", f"{row.share:.0%}"),
                f"{row.median / one.median:.2f} ({row.best / one.best:.2f})",
            ]
            for count, row in rows.items()
        ]

    def loading(self, file: str) -> list[list]:
        """Loads in processes of their own, as they began; against copying as much."""
        size = os.path.getsize(file)
        rows = []
        for name, process in self.engines.items():
            taken = process.ask("memory")
            rate = size / process.load_seconds / 1e9
            shares = [rate / self.floors.ask(kind)["rate"] for kind in ("copy", f"load {file}")]
            idle = process.ask("idle 2")["seconds"] / 2
            rows.append(
                [
                    *(name, f"{process.load_seconds:.2f}", *(f"{share:.0%}" for share in shares)),
                    f"{size / 1e6:.0f}",
                    *(
                        f"{taken['resident'] / 1e6:.0f}",
                        f"{taken['peak'] / 1e6:.0f}",
                        f"{idle:.1%}",
                    ),
                ]
            )
        return rows


SPEED = [
    "work",
    "engine",
    "tokens/s, median",
    "best",
    "of the floor",
    "ours over it, medians (best)",
]
TOGETHER = ["sessions", "tokens/s, median", "best", "of the floor", "against one, medians (best)"]
LOADING = [
    *("engine", "load s", "of memory copy", "of bare loading", "file MB"),
    *("resident MB", "peak MB", "idle processor"),
]


def title(file: str, options: argparse.Namespace) -> str:
    return ", ".join([pathlib.Path(file).stem, *options.option])


def cache(file: str) -> None:
    """Reads the file, so that loads find it in the system's page cache."""
    with open(file, "rb") as source:
        while source.read(1 << 24):
            pass


def measure(file: str, options: argparse.Namespace) -> str:
    """All tables of one file."""
    cache(file)
    context = max([*options.prompts, *options.depths]) + options.steps + 8
    with contextlib.ExitStack() as stack:
        engines = {OURS: engine("mixtral", file, options, context, *options.option)}
        if options.peers:
            engines[LLAMA] = engine("llama_cpp", file, options, context)
        for process in engines.values():
            stack.callback(process.close)
        bench = Bench(file, options, engines)
        stack.callback(bench.close)
        parts = [f"## {title(file, options)}"]
        # First: sessions would be part of the memory.
        loading = tabulate(bench.loading(file), LOADING, "github")
        parts.append(tabulate(bench.prompts() + bench.decoding(), SPEED, "github"))
        if options.sessions:
            parts.append(tabulate(bench.sessions(), TOGETHER, "github"))
        parts.append(loading)
    return "\n\n".join(parts)


def openvino(file: str, options: argparse.Namespace) -> str:
    """The products of the 7B's layers in OpenVINO, beside all of this library's work on such layers."""
    layers = floor.Work(file).layers
    with contextlib.ExitStack() as stack:
        engines = {
            OURS: engine("mixtral", file, options, 1024, *options.option),
            OPENVINO: engine("openvino", str(layers), options, 1024),
        }
        for process in engines.values():
            stack.callback(process.close)
        bench = Bench(file, options, engines)
        stack.callback(bench.close)
        for process in engines.values():
            process.ask("prompt 256")
        table = bench.prompts()
        table += bench.decoding()
    return f"## Products of OpenVINO, {title(file, options)}\n\n" + tabulate(table, SPEED, "github")


def machine() -> str:
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    return "\n".join(
        [
            "# Results",
            "",
            f"{cpuinfo.get_cpu_info()['brand_raw']}, {psutil.cpu_count()} processors, "
            f"{psutil.virtual_memory().total / 2**30:.0f} GiB, Linux {platform.release()}; "
            f"{datetime.date.today()}, commit {commit}. Written by `bench.py --write`; what the",
            "columns mean is in README.md.",
        ]
    )


def numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",") if one]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", metavar="FILE.gguf")
    parser.add_argument("--peers", action="store_true", help="llama.cpp beside it")
    parser.add_argument("--openvino", action="store_true", help="OpenVINO's products instead")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=numbers, default=[16, 64, 256, 512])
    parser.add_argument("--depths", type=numbers, default=[0, 1024, 4096])
    parser.add_argument("--steps", type=int, default=8, help="tokens decoded at once")
    parser.add_argument("--sessions", type=numbers, default=[1, 2, 4, 8, 16])
    parser.add_argument("--option", action="append", default=[], help="of this library's engine")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    options = parser.parse_args()
    options.cache = dict(one.split("=", 1) for one in options.option).get("cache", "f16")
    results = HERE / "RESULTS.md"
    if options.write and not results.exists():
        results.write_text(machine() + "\n")
    for file in options.files:
        table = openvino(file, options) if options.openvino else measure(file, options)
        print(table, flush=True)
        if options.write:
            with results.open("a") as out:
                out.write("\n" + table + "\n")


if __name__ == "__main__":
    main()
