#!/usr/bin/env python3
"""Perplexity of a model on a text, by the protocol of llama.cpp's tool.

    PYTHONPATH=bindings/python python Tests/Oracle/perplexity.py \\
        MODEL.gguf Tests/Oracle/golden/heldout.txt

The whole text is tokenised once, with BOS if the model adds one, and cut into chunks of 512 tokens;
what remains is dropped. If the model adds BOS it replaces the first token of each chunk. Each chunk
starts with an empty cache; positions 256 to 510 score tokens 257 to 511.
"""

import argparse
import json
import math
import pathlib
import time

import numpy as np
from mixtral import Model

CHUNK = 512
FIRST = CHUNK // 2


def negative_log_probabilities(logits: np.ndarray, targets: list[int]) -> np.ndarray:
    """-log softmax(row)[target] of each row, in f64."""
    rows = logits.astype(np.float64)
    top = rows.max(axis=1)
    total = np.log(np.exp(rows - top[:, None]).sum(axis=1)) + top
    return total - rows[np.arange(len(targets)), targets]


def perplexity(model: Model, text: bytes, chunks: int | None = None) -> dict:
    """Figures of the text, or of its first chunks: perplexity, its sampling error, counts."""
    ids = model.tokenize(text, bos=True)
    adds_bos = model.tokenize("", bos=True)[:1] == [model.info.bos_token]
    count = min(len(ids) // CHUNK, chunks or len(ids))
    if count == 0:
        raise SystemExit(f"the text has {len(ids)} tokens, at least {CHUNK} are needed")
    scores = []
    with model.session(context=CHUNK) as session:
        for start in range(0, count * CHUNK, CHUNK):
            chunk = ids[start : start + CHUNK]
            targets = chunk[FIRST + 1 :]
            if adds_bos:
                chunk = [model.info.bos_token, *chunk[1:]]
            session.rewind(0)
            session.feed(chunk[:FIRST])
            logits = np.asarray(session.step_logits(chunk[FIRST : CHUNK - 1]))
            scores.append(negative_log_probabilities(logits, targets))
    nll = np.concatenate(scores)
    value = math.exp(nll.mean())
    return {
        "perplexity": round(value, 4),
        "error": round(value * float(nll.std()) / math.sqrt(len(nll) - 1), 4),
        "nll": round(float(nll.mean()), 6),
        "scored": len(nll),
        "tokens": len(ids),
        "chunks": count,
    }


def of_file(path: str, text: bytes, window: int | None, threads: int, chunks: int | None) -> dict:
    """Loads a model and measures it; adds the seconds the measuring took."""
    with Model(path, threads=threads, sliding_window=window) as model:
        start = time.perf_counter()
        result = perplexity(model, text, chunks)
        seconds = time.perf_counter() - start
    return {"model": pathlib.Path(path).name, **result, "seconds": round(seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL.gguf")
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--bytes", type=int, help="use the first bytes of the text only")
    parser.add_argument("--chunks", type=int, help="use the first chunks only")
    parser.add_argument("--no-window", action="store_true", help="sliding window off")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    text = options.text.read_bytes()[: options.bytes]
    window = -1 if options.no_window else None
    result = of_file(options.model, text, window, options.threads, options.chunks)
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"{result['model']}: {result['perplexity']} ± {result['error']} "
            f"({result['chunks']} chunks, {result['scored']} tokens scored, {result['seconds']} s)"
        )


if __name__ == "__main__":
    main()
