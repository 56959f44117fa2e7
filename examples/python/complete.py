"""A completion, written while it is made: complete.py MODEL PROMPT."""

import sys

from mixtral import Model


def main() -> None:
    path, prompt = sys.argv[1:]
    with Model(path) as model:
        with model.generate(prompt, max_tokens=128, temperature=0.7, top_p=0.9, seed=1) as answer:
            for piece in answer:
                print(piece, end="", flush=True)
        seconds = answer.seconds - answer.prompt_seconds
        print(f"\n{len(answer.tokens) / seconds:.2f} tokens/s", file=sys.stderr)


if __name__ == "__main__":
    main()
