#!/usr/bin/env python3
"""One hash of all logits of a long prompt, whatever computes them.

    PYTHONPATH=bindings/python python Tests/Oracle/one_hash.py examples/models/mixtral-demo-q4_k_m.gguf

Prints the hash for every instruction set, for 1, 2, 3 and 7 threads, for steps of 1, 7, 64 and 512
tokens, and beside three other sessions; fails when there is more than one.
"""

import argparse
import hashlib
import json
import pathlib
import sys

import numpy as np
from mixtral import Model, Session, UnsupportedError, step_many
from mixtral._model import ISA_NUMBERS

GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"


def digest(rows: np.ndarray) -> str:
    """The hash of the rows' bits."""
    return hashlib.sha256(np.ascontiguousarray(rows, np.float32)).hexdigest()[:16]


def cut(session: Session, ids: list[int], step: int) -> np.ndarray:
    """All logits, fed in steps."""
    parts = [session.step_logits(ids[i : i + step]) for i in range(0, len(ids), step)]
    return np.concatenate(parts)


def in_company(model: Model, ids: list[int], whole: np.ndarray) -> bool:
    """Whether joint steps with three other sessions give the rows of `whole`."""
    random = np.random.default_rng(1)
    sessions = [model.session() for _ in range(4)]
    for i in range(0, len(ids), 13):
        others = [[int(x) for x in random.integers(3, 32000, 5)] for _ in range(3)]
        step_many(sessions, [ids[i : i + 13], *others])
        last = min(i + 13, len(ids)) - 1
        if sessions[0].logits().tobytes() != whole[last].tobytes():
            return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", metavar="MODEL.gguf")
    options = parser.parse_args()
    prompts = json.loads((GOLDEN / "mixtral-demo.json").read_text("utf-8"))["prompts"]
    ids = next(prompt["ids"] for prompt in prompts if prompt["name"] == "long-700-1")
    seen: set[str] = set()

    def note(label: str, rows: np.ndarray) -> None:
        seen.add(digest(rows))
        print(f"{label:16} {digest(rows)}", flush=True)

    for isa in ISA_NUMBERS:
        try:
            model = Model(options.model, isa=isa, threads=2)
        except UnsupportedError:
            print(f"{isa:16} not on this processor")
            continue
        with model, model.session() as session:
            note(isa, session.step_logits(ids))
    for threads in (1, 2, 3, 7):
        with Model(options.model, threads=threads) as model, model.session() as session:
            note(f"{threads} threads", session.step_logits(ids))
    with Model(options.model, threads=2) as model:
        for step in (1, 7, 64, 512):
            with model.session() as session:
                rows = cut(session, ids, step)
                note(f"steps of {step}", rows)
        together = in_company(model, ids, rows)
        print(f"in company       {'the same bits' if together else 'OTHER BITS'}")
    print(f"{len(seen)} hash of {len(ids)} rows")
    return 0 if len(seen) == 1 and together else 1


if __name__ == "__main__":
    sys.exit(main())
