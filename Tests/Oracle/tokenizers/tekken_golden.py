"""Golden ids of Tekken (mistral-common 1.13.1).

python3 tekken_golden.py tekken_240718.json OUT.golden [--count 400] [--seed 1]
"""

from mistral_common.tokens.tokenizers.tekken import Tekkenizer
import texts

a = texts.command_line(__doc__).parse_args()
model = Tekkenizer.from_file(a.model)
texts.write(
    a.out,
    [(t.encode(), model.encode(t, bos=False, eos=False)) for t in texts.texts(a.seed, a.count)],
)
