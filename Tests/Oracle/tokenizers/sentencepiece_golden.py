"""Golden ids of a SentencePiece model (sentencepiece 0.2.3, the models of mistral-common 1.13.1).

python3 sentencepiece_golden.py tokenizer.model.v1 OUT.golden [--count 400] [--seed 1]
"""

import argparse
import sentencepiece
import texts

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model"), parser.add_argument("out")
parser.add_argument("--count", type=int, default=400)
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()
model = sentencepiece.SentencePieceProcessor(model_file=a.model)
texts.write(a.out, [(t.encode(), model.encode(t)) for t in texts.texts(a.seed, a.count)])
