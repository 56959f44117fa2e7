"""Golden ids of Tekken (mistral-common 1.13.1).

python3 tekken_golden.py tekken_240718.json OUT.golden [--count 400] [--seed 1]
"""

import argparse
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
import texts

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model"), parser.add_argument("out")
parser.add_argument("--count", type=int, default=400)
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()
model = Tekkenizer.from_file(a.model)
texts.write(
    a.out,
    [(t.encode(), model.encode(t, bos=False, eos=False)) for t in texts.texts(a.seed, a.count)],
)
