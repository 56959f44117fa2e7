"""Speed of tokenizing beside tiktoken and sentencepiece, and how it grows with one long piece.

    make bench-text            (or: PYTHONPATH=bindings/python python Tests/Benchmarks/bench_text.py)

One thread each, the same text and the same vocabulary, from text to a Python list of ids; the two take
turns (A B A B …) and each has its fastest turn, in CPU seconds. The ids are compared. Vocabularies are
those of mistral-common's wheel; the texts are English and code of Python's own library, Django's
translations into some hundred languages, and the words of many scripts that Tests/Oracle/tokenizers/texts.py
mixes. --text NAME=FILE adds another.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import pathlib
import pydoc_data.topics
import random
import re
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable

import mixtral
import sentencepiece

ORACLE = pathlib.Path(__file__).resolve().parents[1] / "Oracle" / "tokenizers"
sys.path.insert(0, str(ORACLE))
import differential  # noqa: E402
import texts  # noqa: E402

SIZE = 1 << 20


@functools.cache
def samples() -> dict[str, str]:
    english = "\n".join(pydoc_data.topics.topics.values())
    library = pathlib.Path(sysconfig.get_path("stdlib"))
    code = "".join(
        path.read_text(encoding="utf-8") for path in sorted((library / "asyncio").glob("*.py"))
    )
    found = importlib.util.find_spec("django")
    assert found is not None and found.submodule_search_locations is not None
    locales = pathlib.Path(found.submodule_search_locations[0]) / "conf" / "locale"
    translated = []
    for path in sorted(locales.glob("*/LC_MESSAGES/django.po")):
        lines = re.findall(
            r'^(?:msgstr(?:\[\d\])? )?"(.*)"$', path.read_text("utf-8"), re.MULTILINE
        )
        translated.append("\n".join(line for line in lines if not line.isascii())[:8000])
    rng = random.Random(1)
    words = [word for word in texts.WORDS if not word.isascii()]
    scripts = " ".join(rng.choice(words) for _ in range(SIZE // 12))
    return {
        "English": english,
        "code": code,
        "translations": "\n".join(translated),
        "mixed words": scripts,
    }


def seconds(call: Callable[[str], list[int]], text: str) -> float:
    start = time.process_time()
    call(text)
    return time.process_time() - start


def compare(name: str, model: mixtral.Model, peer: str, other, first: int, extra, turns: int):
    print(f"\n| {name} | libmixtral MB/s | {peer} MB/s | ratio |\n| --- | --: | --: | --: |")
    for title, text in {**samples(), **extra}.items():
        text = text.encode()[:SIZE].decode(errors="ignore")
        assert model.tokenize(text) == [one + first for one in other(text)], title
        best = [float("inf")] * 2
        for _ in range(turns):
            for place, call in enumerate((model.tokenize, other)):
                best[place] = min(best[place], seconds(call, text))
        size = len(text.encode()) / 1e6
        ours, theirs = (size / one for one in best)
        print(f"| {title} | {ours:.1f} | {theirs:.1f} | {ours / theirs:.2f} |")


def growth(name: str, model: mixtral.Model, units: dict[str, str], sizes: list[int]):
    """Nanoseconds a byte, which stay the same where time is linear."""
    print(f"\n| {name}, ns a byte | {' | '.join(f'{size >> 10} KiB' for size in sizes)} |")
    print("| --- |" + " --: |" * len(sizes))
    for title, unit in units.items():
        row = []
        for size in sizes:
            text = unit * (size // len(unit.encode()))
            model.tokenize(text[:100])
            repeats = 3 if size <= 1 << 20 else 1
            row.append(min(seconds(model.tokenize, text) for _ in range(repeats)) / size * 1e9)
        print(f"| {title} | {' | '.join(f'{one:.0f}' for one in row)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(".build/vocabularies"))
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--text", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--largest", type=int, default=100 << 20, help="bytes of one long piece")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    extra = dict(one.split("=", 1) for one in options.text)
    extra = {name: pathlib.Path(path).read_text() for name, path in extra.items()}
    sources = {"v1": differential.SENTENCEPIECE["v1"], "tekken": differential.TEKKEN}
    for name, source in sources.items():
        path = options.work / f"{name}.gguf"
        source_path = differential.DATA / source
        if not path.exists():
            script = ORACLE / "vocabulary_gguf.py"
            subprocess.run([sys.executable, script, source_path, path], check=True)
        with mixtral.Model(path, threads=1) as model:
            if name == "tekken":
                peer = differential.tekken_encoding(source_path).encode_ordinary
                compare("Tekken", model, "tiktoken", peer, 1000, extra, options.turns)
            else:
                peer = sentencepiece.SentencePieceProcessor(model_file=str(source_path)).encode
                compare("Mistral v1", model, "sentencepiece", peer, 0, extra, options.turns)
            sizes = [size for size in (1 << 15, 1 << 20, 10 << 20, 100 << 20)]
            sizes = [size for size in sizes if size <= options.largest]
            growth(name, model, {"a": "a", "space": " ", "ab": "ab", "U+0301": "\u0301"}, sizes)


if __name__ == "__main__":
    main()
