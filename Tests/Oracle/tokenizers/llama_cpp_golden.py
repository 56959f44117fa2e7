"""Golden ids by llama.cpp (llama-cpp-python 0.3.36) for the vocabulary of a GGUF file.

    python3 llama_cpp_golden.py MODEL.gguf OUT.golden [--count 400] [--seed 1] [--no-marks]
        [--special]

--no-marks leaves out texts with combining marks, where llama.cpp departs from mistral-common's
Tekken.
--special lets control pieces in the text become control tokens.
"""

import llama_cpp
import texts

parser = texts.command_line(__doc__)
parser.add_argument("--no-marks", action="store_true")
parser.add_argument("--special", action="store_true")
a = parser.parse_args()
model = llama_cpp.Llama(a.model, vocab_only=True, verbose=False)
keep = (lambda t: not texts.has_mark(t)) if a.no_marks else (lambda t: True)
texts.write(
    a.out,
    [
        (t.encode(), model.tokenize(t.encode(), add_bos=False, special=a.special))
        for t in texts.texts(a.seed, a.count, keep=keep)
    ],
)
