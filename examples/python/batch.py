"""Several prompts at once, each matrix read once for all: batch.py MODEL PROMPT..."""

import sys

from mixtral import Model, sample_many, step_many

TOKENS = 32


def main() -> None:
    path, *prompts = sys.argv[1:]
    with Model(path) as model:
        sessions = [model.session() for _ in prompts]
        answers: list[list[int]] = [[] for _ in prompts]
        inputs = [model.tokenize(prompt, bos=True) for prompt in prompts]
        live = list(range(len(prompts)))
        while live:
            errors = step_many([sessions[i] for i in live], [inputs[i] for i in live])
            for error in errors:
                if error is not None:
                    raise error
            tokens = sample_many([sessions[i] for i in live])
            for i, token in zip(list(live), tokens):
                if isinstance(token, Exception):
                    raise token
                if token not in model.stop_tokens:
                    answers[i].append(token)
                    inputs[i] = [token]
                if token in model.stop_tokens or len(answers[i]) == TOKENS:
                    live.remove(i)
        for prompt, answer in zip(prompts, answers):
            print(prompt + model.detokenize(answer, continuation=True))


if __name__ == "__main__":
    main()
