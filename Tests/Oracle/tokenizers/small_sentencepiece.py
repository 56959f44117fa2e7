"""Two small SentencePiece models with pieces of every type, and golden ids for them (sentencepiece
0.2.3).

    python3 small_sentencepiece.py small            # small-bytes.*, small-unknown.*

NAME.pieces has one line a piece: spelling in hexadecimal, score, type. NAME.golden is as texts.py
says.
The first model has unused and user-defined pieces and byte fallback, the second has no byte pieces,
so
that runs of what no piece spells become `<unk>`.
"""

import random
import sys
import sentencepiece
from sentencepiece import sentencepiece_model_pb2
import texts

LETTERS = "abcdeé▁"
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


def model(rng, with_bytes):
    pieces = [("<unk>", 0.0, UNKNOWN), ("<s>", 0.0, CONTROL), ("</s>", 0.0, CONTROL)]
    if with_bytes:
        pieces += [(f"<0x{b:02X}>", 0.0, BYTE) for b in range(256)]
    pieces += [("cab", 0.0, USER), ("cabbage", 0.0, USER), ("▁de", 0.0, USER), ("e▁", 0.0, USER)]
    found = {piece[0] for piece in pieces}
    size = len(pieces) + 150
    while len(pieces) < size:
        text = "".join(rng.choice(LETTERS) for _ in range(rng.choice([2, 2, 3, 3, 4, 5, 6])))
        if text not in found:
            found.add(text)
            kind = UNUSED if with_bytes and rng.random() < 0.3 else NORMAL
            pieces.append((text, -float(rng.randint(0, 40)), kind))
    pieces += [(c, -100.0, NORMAL) for c in LETTERS]
    proto = sentencepiece_model_pb2.ModelProto()
    for text, score, kind in pieces:
        proto.pieces.add(piece=text, score=score, type=kind)
    proto.trainer_spec.model_type = 2
    proto.trainer_spec.byte_fallback = with_bytes
    proto.trainer_spec.unk_id, proto.trainer_spec.bos_id, proto.trainer_spec.eos_id = 0, 1, 2
    proto.normalizer_spec.name = "identity"
    proto.normalizer_spec.add_dummy_prefix = True
    proto.normalizer_spec.remove_extra_whitespaces = False
    proto.normalizer_spec.escape_whitespaces = True
    return pieces, sentencepiece.SentencePieceProcessor(model_proto=proto.SerializeToString())


def main(prefix):
    for name, with_bytes in [("bytes", True), ("unknown", False)]:
        rng = random.Random(5)
        pieces, oracle = model(rng, with_bytes)
        with open(f"{prefix}-{name}.pieces", "w") as file:
            for text, score, kind in pieces:
                file.write(f"{text.encode().hex()}\t{score}\t{kind}\n")
        cases = []
        for _ in range(1200):
            alphabet = LETTERS.replace("▁", " ") * 6 + "xyß日"
            text = "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 14)))
            if rng.random() < 0.2:
                text += rng.choice(["cab", "cabbage", " de", "e ", "cabcabbage"])
            cases.append((text.encode(), oracle.encode(text)))
        texts.write(f"{prefix}-{name}.golden", cases)


if __name__ == "__main__":
    main(*sys.argv[1:])
