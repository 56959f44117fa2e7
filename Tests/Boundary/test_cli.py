"""`python -m mixtral`: what goes to which stream, and one line for an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import mixtral
import pytest
from mixtral._chat import ChatML, Instruct, chat_format

import child
from conftest import PYTHON


def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return child.python("-m", "mixtral", *arguments, stdin=stdin)


def refused(*arguments: object) -> str:
    done = run(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("mixtral: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_generate_equals_the_package(bundled, demo):
    done = run("generate", bundled, "And it came to pass", "-n", 12)
    assert done.returncode == 0, done.stderr
    expected = "".join(demo.generate("And it came to pass", max_tokens=12))
    assert done.stdout == expected + "\n"
    assert "tokens/s" in done.stderr


def test_generate_options(bundled, demo):
    options = {"temperature": 0.9, "top_k": 40, "top_p": 0.9, "min_p": 0.01, "seed": 3}
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    done = run("generate", bundled, "In those days", "-n", 8, "--threads=1", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(demo.generate("In those days", max_tokens=8, **options)) + "\n"
    statistics = json.loads(done.stderr)
    assert statistics["prompt_tokens"] == len(demo.tokenize("In those days", bos=True))
    assert statistics["tokens"] <= 8


def test_the_seed_is_told(bundled, demo):
    """A text that was drawn once can be had again."""
    command = ["generate", bundled, "In those days", "-n", 8, "--temperature=0.9"]
    first, second = (run(*command, "--json") for _ in range(2))
    seeds = [json.loads(done.stderr)["seed"] for done in (first, second)]
    assert seeds[0] != seeds[1]
    again = run(*command, f"--seed={seeds[0]}")
    assert again.stdout == first.stdout
    assert again.stderr.endswith(f"; seed {seeds[0]}\n")
    greedy = run(*command[:-1], "--json")
    assert json.loads(greedy.stderr)["seed"] is None


def test_generate_with_control_tokens(bundled, demo):
    command = ["generate", bundled, "<s>In those days", "-n", 8]
    done = run(*command, "--special")
    assert done.stdout == "".join(demo.generate("In those days", max_tokens=8)) + "\n"
    assert done.stderr.count("\n") == 1
    plain = run(*command)
    assert plain.returncode == 0
    assert plain.stderr.startswith("mixtral: the prompt begins with '<s>'")
    assert plain.stderr.count("\n") == 2


def test_chat_tells_its_seed(bundled):
    command = ["chat", bundled, "-n", 12]
    first = run(*command, stdin="Hi there\n")
    seed = first.stderr.removeprefix("mixtral: seed ").strip()
    assert run(*command, "--seed", seed, stdin="Hi there\n").stdout == first.stdout
    assert run(*command, "--temperature=0", stdin="Hi there\n").stderr == ""


def test_generate_stop(bundled, demo):
    text = "".join(demo.generate("And it came to pass", max_tokens=12))
    stop = text.strip().split()[1]
    done = run("generate", bundled, "And it came to pass", "-n", 12, "--stop", stop)
    assert done.stdout == text[: text.index(stop)] + "\n"


def test_info(mixtral_tiny, model):
    done = run("info", mixtral_tiny)
    assert done.returncode == 0, done.stderr
    table = dict(line.split(None, 1) for line in done.stdout.splitlines() if " " in line.strip())
    assert table["layers"].strip() == "2"
    assert "8 experts, 2 used" in table["widths"]
    assert table["window"].strip() == "none"
    assert "F16" in table
    values = json.loads(run("info", mixtral_tiny, "--json").stdout)
    assert values["vocabulary"] == model.info.vocabulary
    assert values["metadata"] == model.metadata()


def test_info_of_a_window(mistral_tiny):
    assert "16 positions" in run("info", mistral_tiny).stdout
    assert "none" in run("info", mistral_tiny, "--window=-1").stdout


def test_tokenize(bundled, demo):
    done = run("tokenize", bundled, "Hello world", "--bos")
    assert [int(line.split()[0]) for line in done.stdout.splitlines()] == [1, 22557, 1526]
    assert '" world"' in done.stdout
    done = run("tokenize", bundled, "<s>", "--special")
    assert [int(line.split()[0]) for line in done.stdout.splitlines()] == [1]


def test_chat_from_a_pipe(bundled):
    done = run("chat", bundled, "-n", 6, "--system", "Be brief.", stdin="Hi\n\nAnd you?\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") >= 2
    assert "> " not in done.stderr


def test_chat_ends_when_the_conversation_is_full(bundled):
    done = run("chat", bundled, "--context", 16, "-n", 100, stdin="Hi there, how are you?\n")
    assert done.returncode == 1
    seed, error = done.stderr.splitlines()
    assert seed.startswith("mixtral: seed ")
    assert error.startswith("mixtral: ")


def test_errors_are_one_line(tmp_path, bundled, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (["info"], ["chat"], ["generate"], ["tokenize"]):
        words = ["x"] if command[0] in ("generate", "tokenize") else []
        assert "none.gguf" in refused(*command, "none.gguf", *words)
    refused("info", tmp_path)
    assert "threads" in refused("info", bundled, "--threads=100000")
    assert "temperature" in refused("generate", bundled, "x", "--temperature=-1")
    assert "max_tokens" in refused("generate", bundled, "x", "-n=-1")


def test_a_reader_that_goes_away(bundled):
    command = [sys.executable, "-m", "mixtral", "generate", str(bundled), "And", "-n", "50"]
    with subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(PYTHON)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read().count(b"\n") <= 1
    assert process.returncode in (0, 1)


def test_usage_and_version():
    assert run().returncode == 2
    assert mixtral.__version__ in run("--version").stdout
    for command in ("generate", "chat", "info", "tokenize"):
        assert run(command, "--help").returncode == 0


class FakeModel:
    """Ids that tell what was tokenised, and whether control tokens were seen in it."""

    CONTROL = (("<|im_start|>", 1), ("<|im_end|>", 2))

    def __init__(self, controls: bool, template: str | None = None) -> None:
        self.controls = controls
        self.template = template
        self.info = type("Info", (), {"bos_token": "BOS", "eos_token": "EOS"})()

    def tokenize(self, text, *, special=False, continuation=False):
        if special:
            known = dict(self.CONTROL).get(text) if self.controls else None
            return [known] if known else [f"special {text}", "…"]
        return [text]

    def metadata(self, key):
        if self.template is None:
            raise mixtral.NotFoundError(key)
        return self.template


def test_chatml_turns():
    chat = chat_format(FakeModel(controls=True), "Be brief.")
    assert isinstance(chat, ChatML)
    assert chat.end_token == 2
    assert chat.turn("<|im_end|>") == [
        *(1, "system\nBe brief.", 2, "\n"),
        *(1, "user\n<|im_end|>", 2, "\n"),
        *(1, "assistant\n"),
    ]
    assert chat.turn("b") == [2, "\n", 1, "user\nb", 2, "\n", 1, "assistant\n"]


def test_chatml_default_system_message():
    sentence = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    assert chat_format(FakeModel(True), None).turn("a")[1] == "user\na"
    assert chat_format(FakeModel(True, "other"), None).turn("a")[1] == "user\na"
    template = f"{{% x %}}{sentence}<|im_end|>"
    assert chat_format(FakeModel(True, template), None).turn("a")[1] == f"system\n{sentence}"


def test_instruct_turns():
    chat = chat_format(FakeModel(controls=False), "Be brief.")
    assert isinstance(chat, Instruct)
    assert chat.end_token == "EOS"
    assert chat.turn("a") == ["BOS", "[INST] Be brief.\n\na [/INST]"]
    assert chat.turn("</s>") == ["EOS", "[INST] </s> [/INST]"]


@pytest.mark.parametrize("name", ["complete", "logprobs", "batch"])
def test_examples(root, mixtral_tiny, name):
    done = child.python(root / "examples" / "python" / f"{name}.py", mixtral_tiny, "ab")
    assert done.returncode == 0, done.stderr
    assert done.stdout
