"""Golden texts of random ids (sentencepiece 0.2.3, the models of mistral-common 1.13.1).

    python3 sentencepiece_decode_golden.py tokenizer.model.v1 OUT.golden [--count 400] [--seed 1]

The text comes first, as in every golden file; bytes that make no character are U+FFFD each.
Control tokens never stand between two byte pieces: sentencepiece ends a character there, while
bytes that are
simply put together, as the engine gives them, may still make one.
"""

import random
import re
import sentencepiece
import texts

a = texts.command_line(__doc__).parse_args()
model = sentencepiece.SentencePieceProcessor(model_file=a.model)
rng = random.Random(a.seed)
controls = [0, 1, 1, 2]
byte_ids = [model.piece_to_id(f"<0x{b:02X}>") for b in range(256)]
words = [model.piece_to_id(p) for p in ["▁", "▁", "▁▁", "▁Hello", "▁the", "a"]]


def some_ids():
    for _ in range(rng.randint(0, 10)):
        kind = rng.random()
        if kind < 0.2:
            yield rng.choice(controls)
        elif kind < 0.4:
            yield rng.choice(byte_ids)
        elif kind < 0.5:
            yield from (byte_ids[b] for b in rng.choice("é日🦙▁ ").encode())
        elif kind < 0.75:
            yield rng.choice(words)
        else:
            yield rng.randrange(model.vocab_size())


def breaks_bytes(ids):
    runs = "".join("b" if i in byte_ids else "c" if model.is_control(i) else "." for i in ids)
    return re.search("bc+b", runs)


cases = []
while len(cases) < a.count:
    ids = list(some_ids())
    if not breaks_bytes(ids):
        cases.append(ids)
texts.write(a.out, [(model.decode(ids).encode(), ids) for ids in cases])
