"""The programs of examples/c: in both languages, on the bundled model, against Python."""

from __future__ import annotations

import pathlib
import struct
import subprocess

import pytest

NAMES = ["complete", "info", "logprobs", "batch", "chat"]
LANGUAGES = {"c99": ["cc", "-x", "c"], "c++17": ["c++", "-x", "c++"]}
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-O1"]
PROMPT = "And it came to pass"


@pytest.fixture(scope="module", params=LANGUAGES)
def programs(request, root, library, tmp_path_factory) -> pathlib.Path:
    """A folder with every program, compiled in one of the two languages."""
    folder = tmp_path_factory.mktemp("programs")
    for name in NAMES:
        command = [
            *LANGUAGES[request.param],
            *(f"-std={request.param}", *STRICT),
            *("-I", str(root / "include"), str(root / "examples" / "c" / f"{name}.c")),
            *("-x", "none", str(library.resolve()), f"-Wl,-rpath,{library.resolve().parent}"),
            *("-o", str(folder / name)),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


def run(program: pathlib.Path, *arguments: object, stdin: str = ""):
    return subprocess.run(
        [str(program), *map(str, arguments)],
        input=stdin.encode(),
        capture_output=True,
    )


def answer(model, prompt: str, count: int) -> bytes:
    generation = model.generate(prompt, max_tokens=count)
    list(generation)
    return model.detokenize_bytes(generation.tokens, continuation=True)


def test_complete_equals_python(programs, bundled, demo):
    done = run(programs / "complete", bundled, PROMPT, 16)
    assert done.returncode == 0, done.stderr
    assert done.stdout == answer(demo, PROMPT, 16)
    assert b"tokens/s" in done.stderr


def test_batch_equals_one_by_one(programs, bundled, demo):
    prompts = [PROMPT, "In those days", "def", "x"]
    done = run(programs / "batch", bundled, 10, *prompts)
    assert done.returncode == 0, done.stderr
    expected = [prompt.encode() + answer(demo, prompt, 10) + b"\n" for prompt in prompts]
    assert done.stdout == b"".join(expected)


def test_stop_at_every_end(programs, bundled, demo, tmp_path):
    """The file names a token of the answer as the end of a turn, and no end of a text."""
    generation = demo.generate(PROMPT, max_tokens=16)
    list(generation)
    tokens = generation.tokens
    at = max(map(tokens.index, tokens))
    key = b"tokenizer.ggml.eos_token_id" + struct.pack("<I", 4)  # a number of 32 bits
    before, after = bundled.read_bytes().split(key)
    path = tmp_path / "turns.gguf"
    end = key.replace(b"eos", b"eot") + struct.pack("<I", tokens[at])
    path.write_bytes(before + end + after[4:])
    short = answer(demo, PROMPT, at)
    assert run(programs / "complete", path, PROMPT, 16).stdout == short
    assert run(programs / "batch", path, 16, PROMPT).stdout == PROMPT.encode() + short + b"\n"
    chosen = run(programs / "logprobs", path, PROMPT, 16).stdout.decode("ascii").splitlines()
    assert sum(not line.startswith("  ") for line in chosen) == at + 1


def test_logprobs(programs, bundled, demo):
    done = run(programs / "logprobs", bundled, PROMPT, 3)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode("ascii").splitlines()
    best = [line.split() for line in lines if line.startswith("  ")]
    assert len(best) == 5 * sum(not line.startswith("  ") for line in lines)
    generation = demo.generate(PROMPT, max_tokens=3)
    list(generation)
    tokens = generation.tokens
    assert [int(line[1]) for line in best[::5]][: len(tokens)] == tokens
    assert all(float(line[0]) <= 0 for line in best)


def test_info(programs, mixtral_tiny):
    done = run(programs / "info", mixtral_tiny)
    assert done.returncode == 0, done.stderr
    assert b"experts        8, 2 a token" in done.stdout
    assert b"window         none" in done.stdout


def test_chat_wants_chatml(programs, bundled):
    done = run(programs / "chat", bundled, stdin="Hi\n")
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr == b"the vocabulary has no <|im_end|>\n"


@pytest.mark.parametrize("name", NAMES)
def test_errors(programs, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = {"batch": [4, "x"], "complete": ["x"], "logprobs": ["x"]}.get(name, [])
    done = run(programs / name, "missing.gguf", *words)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.startswith(b"NOT_FOUND: ")
    assert b"missing.gguf" in done.stderr
    usage = run(programs / name)
    assert usage.returncode == 1
    assert usage.stderr.startswith(b"usage: ")
