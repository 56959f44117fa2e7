"""How likely a text is, token by token: logprobs.py MODEL TEXT."""

import math
import sys

from mixtral import Model


def log_probability(logits: list[float], token: int) -> float:
    highest = max(logits)
    return logits[token] - highest - math.log(sum(math.exp(one - highest) for one in logits))


def main() -> None:
    path, text = sys.argv[1:]
    with Model(path) as model, model.session() as session:
        ids = model.tokenize(text, bos=True)
        total = 0.0
        for row, token in zip(session.step_logits(ids), ids[1:]):
            value = log_probability(list(map(float, row)), token)
            total += value
            print(f"{value:9.4f}  {model.detokenize([token], continuation=True)!r}")
        if len(ids) > 1:
            print(f"perplexity {math.exp(-total / (len(ids) - 1)):.4f}")


if __name__ == "__main__":
    main()
