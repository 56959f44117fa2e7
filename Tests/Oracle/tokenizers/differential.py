"""Compares the library's ids with the oracles' on random texts, and says where they differ.

    PYTHONPATH=bindings/python python3 Tests/Oracle/tokenizers/differential.py \\
        --work .build/vocabularies [--smollm2 FILE] [--count 2000] [--seed 1]

Oracles: sentencepiece for Mistral's v1, v3 and v7, tiktoken with Tekken's own ranks and pattern (the
two files are those of mistral-common's wheel), Hugging Face's tokenizers for SmolLM2's vocabulary.
Texts: those of texts.py; repetitions of one character, of a few, of words, up to some 10,000 bytes and
without spaces, where pieces are longer than the windows that merging works in; runs of characters of
one kind.
"""

from __future__ import annotations

import argparse
import base64
import json
import pathlib
import random
import subprocess
import sys

import mistral_common
import mixtral
import sentencepiece
import texts
import tiktoken
import tokenizers
import tokenizers.decoders
import tokenizers.models
import tokenizers.pre_tokenizers

HERE = pathlib.Path(__file__).parent
DATA = pathlib.Path(mistral_common.__file__).parent / "data"
SENTENCEPIECE = {
    "v1": "tokenizer.model.v1",
    "v3": "mistral_instruct_tokenizer_240323.model.v3",
    "v7": "mistral_instruct_tokenizer_241114.model.v7",
}
TEKKEN = "tekken_240718.json"
UNITS = [
    "a",
    " ",
    "ab",
    "A",
    "aA",
    "\n",
    " \n",
    "日",
    "é",
    "\u0301",
    "e\u0301",
    "🦙",
    "=",
    "-=",
    "7",
]


def tekken_encoding(path: pathlib.Path) -> tiktoken.Encoding:
    """Tekken as tiktoken has it: ids are ranks."""
    model = json.loads(path.read_text())
    config = model["config"]
    count = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(one["token_bytes"]): one["rank"] for one in model["vocab"][:count]}
    return tiktoken.Encoding(
        "tekken", pat_str=config["pattern"], mergeable_ranks=ranks, special_tokens={}
    )


def smollm2_tokenizer(model: mixtral.Model) -> tokenizers.Tokenizer:
    """SmolLM2's tokenizer in Hugging Face's library, out of the GGUF file."""
    import gguf

    reader = gguf.GGUFReader(model)
    pieces = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(one.split(" ")) for one in reader.fields["tokenizer.ggml.merges"].contents()]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    return made


def long_text(rng: random.Random) -> str:
    """A text of up to some 10,000 bytes with little that cuts it."""
    kind = rng.randrange(5)
    length = rng.choice([50, 300, 4000, 5000, 9000])
    if kind == 0:
        return rng.choice(UNITS) * length
    if kind == 1:
        alphabet = rng.choices(UNITS, k=rng.randint(2, 3))
        return "".join(rng.choice(alphabet) for _ in range(length))
    if kind == 2:
        letters = "abcdefghijklmnopqrstuvwxyz"[: rng.choice([2, 4, 26])]
        return "".join(rng.choice(letters) for _ in range(length))
    if kind == 3:
        return "".join(rng.choice(texts.WORDS) for _ in range(length // 5))
    low, high = rng.choice(texts.RANGES)
    return "".join(chr(rng.randint(low, high)) for _ in range(length // 3))


def made(seed: int, count: int):
    rng = random.Random(seed)
    yield from texts.PICKED
    for _ in range(count):
        yield texts.some_text(rng, 12)
    for _ in range(count // 10):
        yield long_text(rng)


def compare(name: str, path: pathlib.Path, oracle, seed: int, count: int, keep=None) -> int:
    """How many texts have other ids."""
    wrong = compared = 0
    with mixtral.Model(path, threads=1) as model:
        for text in made(seed, count):
            if keep is not None and not keep(text):
                continue
            compared += 1
            if (ids := model.tokenize(text)) != (expected := oracle(text)):
                wrong += 1
                if wrong <= 3:
                    print(f"{name}: {text[:60]!r}: {expected[:20]} but {ids[:20]}")
    print(f"{name}: {wrong} of {compared} differ")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--smollm2", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for name, source in [*SENTENCEPIECE.items(), ("tekken", TEKKEN)]:
        path = options.work / f"{name}.gguf"
        if not path.exists():
            subprocess.run(
                [sys.executable, HERE / "vocabulary_gguf.py", DATA / source, path], check=True
            )
        if name == "tekken":
            encoding = tekken_encoding(DATA / source)
            oracle = lambda text: [1000 + rank for rank in encoding.encode_ordinary(text)]
        else:
            oracle = sentencepiece.SentencePieceProcessor(model_file=str(DATA / source)).encode
        wrong += compare(name, path, oracle, options.seed, options.count)
    if options.smollm2:
        encoder = smollm2_tokenizer(options.smollm2)
        # Bytes without a piece are dropped before the merges there, and after them here.
        lacking = set(map(chr, (4, 6, 0x13, 0x14, 0x16, 0x1D)))
        wrong += compare(
            "smollm2",
            options.smollm2,
            lambda text: encoder.encode(text).ids,
            options.seed,
            options.count,
            lambda text: not lacking & set(text) and all(ord(one) < 0x40000 for one in text),
        )
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
