"""Any FFI can drive the library: a program that knows nothing but include/mixtral.abi.json calls every
function through libffi with every boundary value. And the program sees what is wrong: faulty.c."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import subprocess
from typing import Any

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TINY = ROOT / "Tests" / "Oracle" / "tiny"
DESCRIPTION = ROOT / "include" / "mixtral.abi.json"
LIBRARY = pathlib.Path(
    os.environ.setdefault("MIXTRAL_LIBRARY", str(ROOT / ".build" / "lib" / "libmixtral.so.1"))
)
STRICT = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]
UNDEFINED = ["-fsanitize=undefined", "-fno-sanitize-recover=all"]
# Boundary values that a parameter of each role has at least; structs have more.
LEAST = {"handle": 70, "handles": 70, "any_handle": 70, "flags": 32, "capacity": 12, "text": 12}
LEAST |= {"array": 2, "length": 10, "number": 8, "results": 2, "buffer": 0, "options": 20}
LEAST |= {"description": 20, "new_handle": 1, "needed": 1, "result": 1}

FAULTS = [
    ("WRONG_POSITION=1", "mixtral_session_position", "99 is no status"),
    ("WRONG_POSITION=2", "mixtral_session_position", "not among the statuses"),
    ("WRONG_POSITION=3", "mixtral_session_position", "not what the arguments lead to"),
    ("WRONG_POSITION=4", "mixtral_session_position", "position is not 0"),
    ("WRONG_STEP=1", "mixtral_step", "tokens was written to"),
    ("WRONG_STEP=2", "mixtral_step", "the session is not as it was"),
    ("WRONG_STEP=3", "mixtral_step", "Aborted in mixtral_step"),
    ("WRONG_TOKENIZE=1", "mixtral_tokenize", "memory beside what was given"),
    ("WRONG_TOKENIZE=2", "mixtral_tokenize", "Segmentation fault in mixtral_tokenize"),
    ("WRONG_TOKENIZE=3", "mixtral_tokenize", "more was written than was needed"),
    ("IGNORED_TAIL", "mixtral_session_create", "not what the arguments lead to"),
    ("NO_CALLBACK", "mixtral_load", "the callback is never called"),
    ('NO_SENTENCE=""', "mixtral_session_rewind", "no sentence"),
    (r'NO_SENTENCE="\xff"', "mixtral_session_rewind", "no sentence"),
    ("LOST_OBJECT", "mixtral_session_fork", "an object still lives"),
    ("LOST_FILE", "mixtral_session_load_file", "a file is still open"),
    ("LEFT_FILE", "mixtral_session_save_file", "a file is left"),
    ("LOST_THREAD", "mixtral_session_fork", "a thread still runs"),
    ("OTHER_TOKEN", "mixtral_status_name", "a token is not the reference's"),
]


def compile_c(*arguments: object) -> None:
    done = subprocess.run(["cc", *STRICT, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def harness(tmp_path_factory) -> pathlib.Path:
    """Undefined behaviour of the harness itself ends it."""
    program = tmp_path_factory.mktemp("harness") / "harness"
    sources = [one for one in sorted(HERE.glob("*.c")) if one.name != "faulty.c"]
    compile_c(*UNDEFINED, "-o", program, *sources, "-lffi", "-ljansson")
    return program


def run(
    harness: pathlib.Path,
    folder: pathlib.Path,
    *function: str,
    model: str = "mixtral-tiny",
    library: pathlib.Path = LIBRARY,
    description: pathlib.Path = DESCRIPTION,
) -> subprocess.CompletedProcess[str]:
    if not LIBRARY.is_file():
        pytest.exit(f"{LIBRARY} is missing: build the library first (make)", returncode=1)
    golden = json.loads((TINY / f"{model}.json").read_text())
    ids = [",".join(map(str, golden[key])) for key in ("ids", "greedy")]
    words = [harness, description, library.resolve(), TINY / f"{model}-f16.gguf", *ids, *function]
    work = folder / "work"
    work.mkdir()
    return subprocess.run(
        list(map(str, words)),
        cwd=work,
        env={**os.environ, "SWIFT_BACKTRACE": "enable=no"},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=300,
    )


def lines(printed: str) -> dict[str, list[str]]:
    """The words of each function's line."""
    return {words[0]: words for words in map(str.split, printed.splitlines())}


def least(function: dict[str, Any], structs: dict[str, dict[str, Any]]) -> int:
    """Calls with boundary values that there must be at least."""
    count = 1
    for one in function["parameters"]:
        count += LEAST.get(one["role"], 1)
        if one["role"] in ("options", "description"):
            count += structs[one["base"]]["size"]
        if one["role"] == "options":
            count += 8 * sum(field["depth"] == 0 for field in structs[one["base"]]["fields"])
    return count


@pytest.mark.parametrize("model", ["mixtral-tiny", "mistral-tiny"])
def test_every_function_with_every_boundary_value(harness, tmp_path, model):
    done = run(harness, tmp_path, model=model)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    description = json.loads(DESCRIPTION.read_text())
    structs = {one["name"]: one for one in description["structs"]}
    found = lines(done.stdout)
    assert list(found) == [one["name"] for one in description["functions"]]
    for function in description["functions"]:
        words = found[function["name"]]
        assert int(words[2]) >= least(function, structs), words
        roles = {one["role"] for one in function["parameters"]}
        expected = {"OK"} if function["statuses"] else set()
        expected |= {"INVALID_HANDLE"} if "INVALID_HANDLE" in function["statuses"] else set()
        expected |= {"BUFFER_TOO_SMALL"} if "buffer" in roles else set()
        expected |= {"UNSUPPORTED"} if "options" in roles else set()
        # A sampler's filter calls everything on the session and the sampler that run.
        bases = {one["base"] for one in function["parameters"] if one["role"] != "new_handle"}
        expected |= {"BUSY"} if bases & {"mixtral_session", "mixtral_sampler"} else set()
        assert expected <= set(words), words


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    def build(*faults: str) -> pathlib.Path:
        path = tmp_path_factory.mktemp("faulty") / "faulty.so"
        library = LIBRARY.resolve()
        compile_c(
            *("-shared", "-fPIC", "-I", ROOT / "include", *(f"-D{one}" for one in faults)),
            *("-o", path, HERE / "faulty.c", "-Wl,--no-as-needed", library),
            f"-Wl,-rpath,{library.parent}",
        )
        return path

    return build


@pytest.mark.parametrize(("fault", "function", "told"), FAULTS, ids=[one[0] for one in FAULTS])
def test_a_fault_is_found(harness, faulty, tmp_path, fault, function, told):
    done = run(harness, tmp_path, function, library=faulty(fault))
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert told in done.stdout


def grown(folder: pathlib.Path, added: str, like: str, **parameter: str) -> pathlib.Path:
    """A description with one more function, like another one but for what its last parameter is."""
    description = json.loads(DESCRIPTION.read_text())
    (known,) = [one for one in description["functions"] if one["name"] == like]
    function = copy.deepcopy(known) | {"name": added}
    function["parameters"][-1] |= parameter
    description["functions"].append(function)
    path = folder / "grown.json"
    path.write_text(json.dumps(description))
    return path


@pytest.mark.parametrize("name", ["step", "tokenize"])
def test_a_function_of_a_later_release_is_called(harness, faulty, tmp_path, name):
    """By its types and roles alone: as much is asked of it as of the one that it is like."""
    description = grown(tmp_path, f"added_{name}", f"mixtral_{name}")
    done = run(harness, tmp_path, f"added_{name}", library=faulty(), description=description)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    (calls,) = [int(words[2]) for words in lines(done.stdout).values() if words[2] != "0"]
    assert calls > 1000


def test_what_cannot_be_made_is_named(harness, faulty, tmp_path):
    description = grown(tmp_path, "added_path", "mixtral_session_save_file", name="folder")
    done = run(harness, tmp_path, "added_path", library=faulty(), description=description)
    assert done.returncode == 2
    assert "added_path: no valid value of folder is known" in done.stdout
