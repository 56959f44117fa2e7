"""Counts instead of times: what a step asks of the system, and the instructions of fixed small runs.

Thresholds are in thresholds.json: the instructions that `python test_counts.py` measured, and what they
may grow by.
"""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODEL = ROOT / "examples" / "models" / "mixtral-demo-q4_k_m.gguf"
THRESHOLDS = HERE / "thresholds.json"
# A run of work.c: tokens of its prompt, tokens decoded after it.
RUNS = {"load": (0, 0), "prompt": (64, 0), "decode": (0, 16)}


def built(folder: pathlib.Path, name: str) -> pathlib.Path:
    """A program of this folder."""
    program = folder / name
    library = ROOT / ".build" / "lib"
    subprocess.run(
        [
            *("cc", "-std=gnu99", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror"),
            *("-Wno-missing-field-initializers", f"-I{ROOT / 'include'}", "-o", str(program)),
            *(str(HERE / f"{name}.c"), f"-L{library}", "-lmixtral", "-ldl"),
            f"-Wl,-rpath,{library}",
        ],
        check=True,
    )
    return program


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("counts")


@pytest.fixture(scope="module", params=["1 thread", "2 threads", "2 threads, Q8_0 cache"])
def counts(request, folder) -> dict[str, dict[str, int]]:
    program = built(folder, "counts")
    threads, cache = request.param[0], "1" if "Q8_0" in request.param else "0"
    done = subprocess.run(
        [str(program), str(MODEL), threads, cache], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("call", ["step", "step_many", "prompt", "sample", "sample_many"])
def test_the_steady_state_asks_nothing_of_the_system(counts, call):
    assert counts[call] == {"allocations": 0, "maps": 0, "locks": 0}


def test_a_new_page_is_one_mapping_and_its_owners(counts):
    """Twelve steps over the border of a page of 64 positions: the page, and its two objects."""
    assert counts["page"]["maps"] == 1
    assert counts["page"]["allocations"] <= 3
    assert counts["page"]["locks"] == 0


def test_the_counters_count(counts):
    assert counts["load"]["allocations"] > 100
    assert counts["load"]["maps"] > 3


def instructions(program: pathlib.Path, prompt: int, decode: int) -> int:
    """Instructions of a whole run."""
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
            *(str(program), str(MODEL), str(prompt), str(decode)),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def measure(folder: pathlib.Path) -> dict[str, int]:
    """Instructions of loading, and of a prompt and of decoding without it."""
    program = built(folder, "work")
    found = {name: instructions(program, *run) for name, run in RUNS.items()}
    return {name: count - (found["load"] if name != "load" else 0) for name, count in found.items()}


def test_instructions_stay_below_their_thresholds(folder):
    if not shutil.which("valgrind"):
        pytest.fail("valgrind is missing: apt-get install valgrind", pytrace=False)
    thresholds = json.loads(THRESHOLDS.read_text())
    found = measure(folder)
    allowed = {
        name: int(count * thresholds["growth"]) for name, count in thresholds["counts"].items()
    }
    assert set(found) == set(allowed)
    assert {name: count for name, count in found.items() if count > allowed[name]} == {}, found
    # A count far below is a threshold that guards nothing: measure again.
    least = {name: count // 2 for name, count in thresholds["counts"].items()}
    assert {name: count for name, count in found.items() if count < least[name]} == {}, found


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        result = {"growth": 1.05, "counts": measure(pathlib.Path(name))}
    THRESHOLDS.write_text(json.dumps(result, indent=2) + "\n")
    print(THRESHOLDS.read_text())
