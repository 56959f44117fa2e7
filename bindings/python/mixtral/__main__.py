"""Generate, chat, look at a model: `python -m mixtral --help`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import time
import warnings
from typing import Any

from . import MixtralError, Model, Sampler, SamplerOptions, Session, __version__
from . import pack as pack_file
from ._chat import chat_format
from ._model import ISA_NUMBERS


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Errors are one line on the standard error, and 1."""
    options = _parser().parse_args(arguments)
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of the output has gone; Python would complain again while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (MixtralError, OSError, ValueError, MemoryError) as error:
        print(f"mixtral: {error}", file=sys.stderr)
        return 1
    return status


def generate(options: argparse.Namespace) -> int:
    """Streams the continuation of a prompt; the speed goes to the standard error."""
    with _load(options) as model:
        generation = model.generate(
            options.prompt,
            max_tokens=options.max_tokens,
            stop=options.stop,
            context=options.context,
            special=options.special,
            **_sampling(options),
        )
        with generation:
            try:
                for piece in generation:
                    print(piece, end="", flush=True)
            except KeyboardInterrupt:
                pass
            print(flush=True)
        count = len(generation.tokens)
        seconds = generation.seconds - generation.prompt_seconds
        # The last token of a full answer is chosen, and never fed.
        fed = count - (generation.finish_reason in ("length", "context"))
        statistics = {
            "prompt_tokens": generation.prompt_tokens,
            "prompt_tokens_per_second": _rate(generation.prompt_tokens, generation.prompt_seconds),
            "tokens": count,
            "tokens_per_second": _rate(fed, seconds),
            "finish_reason": generation.finish_reason,
            "seed": generation.seed if options.temperature > 0 else None,
        }
    if options.json:
        print(json.dumps(statistics), file=sys.stderr)
    else:
        print(
            "prompt {prompt_tokens} tokens, {prompt_tokens_per_second} tokens/s; "
            "answer {tokens} tokens, {tokens_per_second} tokens/s ({finish_reason})".format(
                **statistics
            )
            + _seed(options, generation.seed),
            file=sys.stderr,
        )
    return 0


def chat(options: argparse.Namespace) -> int:
    """A conversation on the terminal. Ctrl-C stops the answer, Ctrl-D leaves."""
    with _load(options) as model, Sampler(**_sampling(options)) as sampler:
        form = chat_format(model, options.system)
        if options.temperature > 0:
            print(f"mixtral: seed {sampler.seed}", file=sys.stderr, flush=True)
        with model.session(options.context) as session:
            while (text := _read_line()) is not None:
                if not text:
                    continue
                ids = form.turn(text)
                try:
                    _answer(model, session, sampler, ids, form.end_token, options.max_tokens)
                except KeyboardInterrupt:
                    pass
                print(flush=True)
    return 0


def info(options: argparse.Namespace) -> int:
    """Describes a model."""
    with _load(options) as model:
        description = dataclasses.asdict(model.info)
        metadata = model.metadata()
    if options.json:
        print(json.dumps({**description, "metadata": metadata}, ensure_ascii=False, indent=2))
    else:
        rows = _info_rows(description, metadata)
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            print(f"{name:<{width}}  {value}")
    return 0


def tokenize(options: argparse.Namespace) -> int:
    """Shows the tokens of a text, one a line."""
    with _load(options) as model:
        for token in model.tokenize(options.text, bos=options.bos, special=options.special):
            piece = model.detokenize_bytes([token], special=True, continuation=True)
            print(f"{token:>7}  {json.dumps(piece.decode('utf-8', 'replace'), ensure_ascii=False)}")
    return 0


def pack(options: argparse.Namespace) -> int:
    """Writes a packed file."""
    pack_file(
        options.source,
        options.target,
        threads=options.threads,
        overwrite=options.overwrite,
        progress=_Progress("packing") if sys.stderr.isatty() else None,
    )
    return 0


def _answer(
    model: Model,
    session: Session,
    sampler: Sampler,
    ids: list[int],
    end_token: int | None,
    max_tokens: int | None,
) -> None:
    """Writes the answer; every token of it stays in the session, its end does not."""
    session.feed(ids)
    count = 0
    with model.detokenizer() as detokenizer:
        while max_tokens is None or count < max_tokens:
            token = session.sample(sampler)
            if token == end_token or token in model.stop_tokens:
                break
            print(detokenizer.next([token]), end="", flush=True)
            session.feed([token])
            count += 1
        print(detokenizer.end(), end="")


def _read_line() -> str | None:
    """A line of the user without its end; None at the end of the input."""
    while True:
        try:
            if sys.stdin.isatty():
                print("> ", end="", flush=True)
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            print(flush=True)
            continue
        return line.rstrip("\r\n") if line else None


def _load(options: argparse.Namespace) -> Model:
    return Model(
        options.model,
        threads=options.threads,
        isa=options.isa,
        sliding_window=options.window,
        map=options.map,
        progress=_Progress("loading") if sys.stderr.isatty() else None,
    )


class _Progress:
    """A line on the terminal for what takes more than a second."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._start = time.monotonic()
        self._shown = False

    def __call__(self, done: int, total: int) -> bool:
        seconds = time.monotonic() - self._start
        if total and seconds > 1 and done < total:
            rate = done / seconds
            line = f"\r{self._what} {done * 100 // total} %, {_bytes(int(rate))}/s\x1b[K"
            print(line, end="", file=sys.stderr, flush=True)
            self._shown = True
        elif self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = False
        return False


def _show_warning(message: Warning | str, *_: object) -> None:
    print(f"mixtral: {message}", file=sys.stderr)


def _sampling(options: argparse.Namespace) -> SamplerOptions:
    return SamplerOptions(
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
        min_p=options.min_p,
        repetition_penalty=options.repetition_penalty,
        seed=options.seed,
    )


def _seed(options: argparse.Namespace, seed: int) -> str:
    """How to get the same answer again, when it was drawn."""
    return f"; seed {seed}" if options.temperature > 0 else ""


def _rate(count: int, seconds: float) -> float | None:
    return round(count / seconds, 2) if seconds > 0 else None


def _bytes(count: int) -> str:
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{count} bytes" if unit == "bytes" else f"{value:.1f} {unit}"


def _info_rows(info: dict[str, Any], metadata: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of a name and what it is, for people."""
    experts = f", {info['experts']} experts, {info['experts_used']} used" if info["experts"] else ""
    window = info["sliding_window"]
    tied = ", output is the embedding" if info["tied_embeddings"] else ""
    specials = [
        f"{name} {info[f'{name}_token']}"
        for name in ("bos", "eos", "unknown", "padding")
        if info[f"{name}_token"] is not None
    ]
    rows = [
        ("name", str(metadata.get("general.name", ""))),
        ("architecture", str(metadata.get("general.architecture", ""))),
        ("parameters", f"{info['parameters']:,}, {info['active_parameters']:,} a token"),
        ("layers", str(info["layers"])),
        (
            "widths",
            f"hidden {info['hidden_width']}, feed-forward {info['feed_forward_width']}{experts}",
        ),
        (
            "attention",
            f"{info['heads']} heads of {info['head_width']}, {info['kv_heads']} for keys and values",
        ),
        ("rope base", f"{info['rope_base']:g}"),
        ("context", f"{info['context_length']} positions"),
        ("window", f"{window} positions" if window else "none"),
        (
            "tokenizer",
            f"{metadata.get('tokenizer.ggml.model', '')}, {info['vocabulary']} tokens"
            + (f" ({', '.join(specials)})" if specials else ""),
        ),
        ("file", _bytes(info["file_size"])),
        ("weights", f"{_bytes(info['weight_size'])} in memory{tied}"),
        ("scratch", _bytes(info["scratch_size"])),
        ("cache", f"{_bytes(info['cache_size_per_position'])} a position"),
        ("threads", str(info["threads"])),
        ("instructions", info["isa"]),
        ("tensors", f"{info['tensors']}, {info['unused_tensors']} more unused"),
    ]
    for name, one in sorted(metadata.get("tensors", {}).items()):
        if isinstance(one, dict):
            rows.append((f"  {name}", f"{one.get('count', 0)}, {_bytes(one.get('bytes', 0))}"))
    return rows


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mixtral", description=__doc__)
    parser.add_argument("--version", action="version", version=f"mixtral {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("model", help="a GGUF file, or the first of a split set")
    common.add_argument("--threads", type=int, help="default: the processors at hand")
    common.add_argument("--isa", choices=ISA_NUMBERS, help="default: the best")
    common.add_argument("--map", action="store_true", help="map a packed file")
    common.add_argument("--window", type=int, help="sliding window; -1: off; default: the file's")

    command = commands.add_parser("generate", parents=[common], help="go on with a prompt")
    command.add_argument("prompt")
    command.add_argument("--stop", action="append", help="text that ends the answer; repeatable")
    command.add_argument("--special", action="store_true", help="see control tokens in the prompt")
    command.add_argument("--json", action="store_true", help="statistics as JSON")
    _add_sampling(command, temperature=0.0, top_p=0.0)
    command.set_defaults(run=generate)

    command = commands.add_parser("chat", parents=[common], help="talk; Ctrl-D leaves")
    command.add_argument("--system", help="what the model is told first")
    _add_sampling(command, temperature=0.7, top_p=0.9)
    command.set_defaults(run=chat)

    command = commands.add_parser("info", parents=[common], help="describe a model")
    command.add_argument("--json", action="store_true", help="everything, as JSON")
    command.set_defaults(run=info)

    command = commands.add_parser("tokenize", parents=[common], help="show the tokens of a text")
    command.add_argument("text")
    command.add_argument("--bos", action="store_true", help="add what belongs before a text")
    command.add_argument("--special", action="store_true", help="see control tokens in the text")
    command.set_defaults(run=tokenize)

    command = commands.add_parser("pack", help="write a model as it lies in memory")
    command.add_argument("source", help="a GGUF file, or the first of a split set")
    command.add_argument("target", help="the packed file, to be loaded with --map")
    command.add_argument("--threads", type=int, help="default: the processors at hand")
    command.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    command.set_defaults(run=pack)
    return parser


def _add_sampling(command: argparse.ArgumentParser, temperature: float, top_p: float) -> None:
    command.add_argument("-n", "--max-tokens", type=int, help="default: until the model ends")
    command.add_argument("--context", type=int, help="most positions; default: the model's")
    command.add_argument("--temperature", type=float, default=temperature, help="0: the likeliest")
    command.add_argument("--top-k", type=int, default=0, help="0: all")
    command.add_argument("--top-p", type=float, default=top_p, help="0: off")
    command.add_argument("--min-p", type=float, default=0.0, help="0: off")
    command.add_argument("--repetition-penalty", type=float, default=0.0, help="0: off")
    command.add_argument("--seed", type=int, help="default: another one each time, which is told")


if __name__ == "__main__":
    sys.exit(main())
