"""Golden ids of a SentencePiece model (sentencepiece 0.2.3, the models of mistral-common 1.13.1).

python3 sentencepiece_golden.py tokenizer.model.v1 OUT.golden [--count 400] [--seed 1]
"""

import sentencepiece
import texts

a = texts.command_line(__doc__).parse_args()
model = sentencepiece.SentencePieceProcessor(model_file=a.model)
texts.write(a.out, [(t.encode(), model.encode(t)) for t in texts.texts(a.seed, a.count)])
