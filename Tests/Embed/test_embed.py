"""Ten runtimes, one golden program: examples/*/complete.* say what transformers says."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

import pytest
from conftest import GOLDENS, HERE, LIBRARY, ROOT, Golden, run

INCLUDE, LIBRARIES = ROOT / "include", LIBRARY.parent
STRICT = ["-O1", "-Wall", "-Wextra", "-pedantic", "-Werror"]
LINK = ["-I", INCLUDE, "-L", LIBRARIES, "-lmixtral"]
JNA = "/usr/share/java/jna.jar"
MODEL = GOLDENS["mixtral-code"].model
# More tokens than the 4096 positions that the model was made for.
LONG = "a b " * 3000
# A key of a GGUF file and the type of its value, a number of 32 bits.
EOS_KEY = b"tokenizer.ggml.eos_token_id\4\0\0\0"


class Runtime(NamedTuple):
    """How a program is built, if it is, and run; SOURCE and BUILT stand for its places."""

    source: str
    command: list[object]
    build: list[object] = []


RUNTIMES = {
    "c99": Runtime(
        "c/complete.c", ["BUILT"], ["cc", "-std=c99", *STRICT, "-o", "BUILT", "SOURCE", *LINK]
    ),
    "c++17": Runtime(
        "cpp/complete.cpp",
        ["BUILT"],
        ["g++", "-std=c++17", *STRICT, "-o", "BUILT", "SOURCE", *LINK],
    ),
    "ctypes": Runtime("ctypes/complete.py", [sys.executable, "SOURCE"]),
    "luajit": Runtime("luajit/complete.lua", ["luajit", "SOURCE"]),
    "ruby": Runtime("ruby/complete.rb", ["ruby", "-w", "SOURCE"]),
    "php": Runtime("php/complete.php", ["php", "SOURCE"]),
    "perl": Runtime("perl/complete.pl", ["perl", "SOURCE"]),
    "java": Runtime(
        "java/complete.java",
        ["java", "-cp", f"{JNA}:BUILT", "Complete"],
        ["javac", "-Xlint:all", "-Werror", "-cp", JNA, "-d", "BUILT", "SOURCE"],
    ),
    "go": Runtime("go/complete.go", ["BUILT"], ["go", "build", "-o", "BUILT", "SOURCE"]),
    "rust": Runtime(
        "rust/complete.rs",
        ["BUILT"],
        ["rustc", "--edition=2021", "-Dwarnings", "-L", LIBRARIES, "-o", "BUILT", "SOURCE"],
    ),
}


@pytest.fixture(scope="module", params=RUNTIMES)
def program(request, tmp_path_factory) -> list[str]:
    """The words that run a runtime's program."""
    runtime = RUNTIMES[request.param]
    places = {
        "SOURCE": str(ROOT / "examples" / runtime.source),
        "BUILT": str(tmp_path_factory.mktemp(request.param) / "complete"),
    }

    def words(template: list[object]) -> list[str]:
        return [re.sub("SOURCE|BUILT", lambda m: places[m[0]], str(word)) for word in template]

    if runtime.build:
        flags = {"CGO_CFLAGS": f"-I{INCLUDE}", "CGO_LDFLAGS": f"-L{LIBRARIES}"}
        done = run(words(runtime.build), **flags)
        assert done.returncode == 0, done.stderr.decode()
    return words(runtime.command)


@pytest.fixture(scope="module")
def counting(tmp_path_factory) -> pathlib.Path:
    """A folder with a library that counts and hands everything to the real one."""
    folder = tmp_path_factory.mktemp("counting")
    (folder / "versions").write_text("MIXTRAL_1 { global: mixtral_*; local: *; };")
    done = run(
        [
            *("cc", "-std=c11", *STRICT, "-shared", "-fPIC", "-Wl,-soname,libmixtral.so.1"),
            *(f"-Wl,--version-script,{folder}/versions", "-o", folder / "libmixtral.so.1"),
            HERE / "counting.c",
        ]
    )
    assert done.returncode == 0, done.stderr.decode()
    return folder


def failing(done: subprocess.CompletedProcess[bytes]) -> str:
    """The one line that a program that failed has said."""
    assert done.returncode == 1
    assert done.stdout == b""
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("golden", GOLDENS.values(), ids=list(GOLDENS))
def test_text_is_the_golden_one(program: list[str], golden: Golden) -> None:
    assert golden.text.startswith("\n") and len(golden.tokens) == 64
    done = run([*program, golden.model, golden.prompt, len(golden.tokens)])
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode() == golden.text


def test_number_of_tokens(program: list[str]) -> None:
    golden = GOLDENS["mistral-spanish"]
    none, some = (run([*program, golden.model, golden.prompt, count]) for count in (0, 9))
    assert (none.returncode, none.stdout) == (0, b"")
    assert some.returncode == 0 and some.stdout
    assert golden.text.startswith(some.stdout.decode())
    assert len(some.stdout.decode()) < len(golden.text)


def test_stops_at_every_end(program: list[str], tmp_path: pathlib.Path) -> None:
    """The file names the end of a turn, a token of the golden text, in place of that of a text."""
    golden = GOLDENS["mixtral-italian"]
    at = max(map(golden.tokens.index, golden.tokens))
    assert 0 < at < 63
    before, after = golden.model.read_bytes().split(EOS_KEY)
    path = tmp_path / "turns.gguf"
    end = golden.tokens[at].to_bytes(4, "little")
    path.write_bytes(before + EOS_KEY.replace(b"eos", b"eot") + end + after[4:])
    stopped, whole = (
        run([*program, model, golden.prompt, count])
        for model, count in ((path, 64), (golden.model, at))
    )
    assert (stopped.returncode, stopped.stdout) == (0, whole.stdout), stopped.stderr


def test_missing_model(program: list[str]) -> None:
    sentence = failing(run([*program, "/nowhere/missing.gguf", "x", 1]))
    assert sentence.startswith("NOT_FOUND: ") and "missing.gguf" in sentence


def test_cut_model(program: list[str], tmp_path: pathlib.Path) -> None:
    path = tmp_path / "schnitt-é.gguf"
    path.write_bytes(MODEL.read_bytes()[:100_000])
    sentence = failing(run([*program, path, "x", 1]))
    assert sentence.startswith("MALFORMED: ") and path.name in sentence


def test_prompt_longer_than_the_context(program: list[str]) -> None:
    assert failing(run([*program, MODEL, LONG, 1])).startswith("CONTEXT_FULL: ")


@pytest.mark.parametrize("prompt, status", [("x", 0), (LONG, 1)], ids=["success", "failure"])
def test_everything_is_freed(program, counting, tmp_path, request, prompt, status) -> None:
    counts = tmp_path / "counts"
    places = {"LD_LIBRARY_PATH": counting, "REAL_LIBRARY": LIBRARY, "COUNTS": counts}
    done = run([*program, MODEL, prompt, 3], **{name: str(path) for name, path in places.items()})
    assert done.returncode == status, done.stderr.decode()
    # examples/c leaves it to the end of a process that fails.
    left = status and request.node.callspec.params["program"] == "c99"
    assert counts.read_text() == f"4 made, {0 if left else 4} freed"


def test_commands_of_the_readme(tmp_path: pathlib.Path) -> None:
    text = (ROOT / "examples" / "README.md").read_text()
    places = re.search(r"^export .*$", text, re.MULTILINE)[0]
    commands = re.findall(r'^\|.*\| `([^`]* "\$@")` \|$', text, re.MULTILINE)
    assert len(commands) == len(RUNTIMES)
    golden = GOLDENS["mixtral-italian"]
    for command in commands:
        script = f"cd {ROOT}; {places}\n{command.replace('/tmp/', f'{tmp_path}/')}"
        words = ["bash", "-euc", script, "-", golden.model, golden.prompt, len(golden.tokens)]
        done = run(words)
        assert (done.returncode, done.stdout.decode()) == (0, golden.text), (command, done.stderr)
