"""The interface that programs were built against stays: include/mixtral.abi.xml, the interface of the last release,
against the headers of today by abidiff, and against the symbols of the built library.

Functions, constants and fields at the end of structs with a struct_size may be added, and a field that was
reserved may be used; nothing else.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import abi


def symbols(path: pathlib.Path) -> set[str]:
    """The functions with their version nodes."""
    found = ElementTree.parse(path).iter("elf-symbol")
    return {f"{one.get('name')}@@{one.get('version')}" for one in found}


def test_nothing_is_removed_or_changed(include, tmp_path):
    code, report = abi.compared(include, tmp_path)
    assert code == 0, report


def test_the_library_exports_the_baseline_and_the_description(library):
    command = ["nm", "-D", "--defined-only", "--with-symbol-versions", str(library)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split() for line in run.stdout.splitlines()]
    exported = {line[-1] for line in lines if line[-2] == "T"}
    description = abi.read()
    node = description["version_node"]
    assert exported == {f"{one['name']}@@{node}" for one in description["functions"]}
    assert symbols(abi.BASELINE) <= exported


FUNCTION = "mixtral_status mixtral_free(void *object);"
BREAKS = {
    "function removed": (r"mixtral_status mixtral_cancel\(.*\n", ""),
    "function renamed": (r"mixtral_session_rewind\(", "mixtral_session_back("),
    "parameter narrower": (
        r"(mixtral_session_rewind\(mixtral_session \*session, )uint64_t",
        r"\1uint32_t",
    ),
    "parameter removed": (
        r"mixtral_session_rewind\(mixtral_session \*session, uint64_t position\)",
        "mixtral_session_rewind(mixtral_session *session)",
    ),
    "parameters swapped": (
        r"\(mixtral_token \*token, mixtral_session \*session, mixtral_sampler \*sampler\)",
        "(mixtral_token *token, mixtral_sampler *sampler, mixtral_session *session)",
    ),
    "result wider": (r"uint32_t mixtral_abi_version", "uint64_t mixtral_abi_version"),
    "field wider": (r"uint32_t cache_type;", "uint64_t cache_type;"),
    "field with another type": (r"float top_p;", "uint32_t top_p;"),
    "field removed": (r" *uint32_t context;  .*\n", ""),
    "fields inserted": (r"uint32_t cache_type;", "uint64_t more; uint32_t cache_type;"),
    "fields swapped": (r"(uint32_t layers;)\s*(uint32_t hidden_width;)", r"\2\1"),
    "reserved field with another type": (r"uint32_t reserved;", "float more;"),
    "field renamed": (r"uint32_t cache_type;", "uint32_t cash_type;"),
    "struct without struct_size grown": (
        r"} mixtral_candidate;",
        "float more; } mixtral_candidate;",
    ),
    "callback": (r"\(\*filter\)\(float \*logits, uint64_t", "(*filter)(double *logits, uint64_t"),
    "type of a token": (r"typedef int32_t mixtral_token;", "typedef int64_t mixtral_token;"),
}
ADDITIONS = {
    "function": (re.escape(FUNCTION), FUNCTION + "\nmixtral_status mixtral_more(int32_t more);"),
    "field at the end": (
        r"} mixtral_session_options;",
        "uint64_t more; float extra; } mixtral_session_options;",
    ),
    "reserved field used": (r"uint32_t reserved;", "uint32_t more;"),
    "constant": (r"(MIXTRAL_CACHE_Q8_0 = 1)", r"\1, MIXTRAL_CACHE_MORE = 2"),
    "struct": (
        re.escape(FUNCTION),
        "typedef struct mixtral_more { uint32_t more; } mixtral_more;\n" + FUNCTION,
    ),
}


def altered(include: pathlib.Path, folder: pathlib.Path, change: tuple[str, str]) -> pathlib.Path:
    """A folder of headers with a change in mixtral.h."""
    copy = abi.copied(include, folder)
    text, count = re.subn(change[0], change[1], (copy / "mixtral.h").read_text(), count=1)
    assert count == 1, change
    (copy / "mixtral.h").write_text(text)
    return copy


@pytest.mark.parametrize("change", BREAKS)
def test_a_break_is_seen(include, tmp_path, change):
    code, report = abi.compared(altered(include, tmp_path, BREAKS[change]), tmp_path)
    # 4: a change, 8: an incompatible one; 1 and 2: abidiff itself failed.
    assert code & 4 and not code & 3, report


@pytest.mark.parametrize("change", ADDITIONS)
def test_an_addition_is_allowed_but_must_be_described(include, tmp_path, change):
    path = altered(include, tmp_path, ADDITIONS[change])
    code, report = abi.compared(path, tmp_path)
    assert code == 0, report
    assert abi.script("make_abi.py", "--check", "--include", path).returncode != 0


@pytest.fixture(scope="module")
def frozen():
    return abi.read(abi.FROZEN / "mixtral.abi.json")


def test_constants_keep_their_values(frozen):
    now = {one["name"]: one["value"] for one in abi.read()["constants"]}
    for one in frozen["constants"]:
        assert now[one["name"]] == one["value"], one["name"]


def test_structs_keep_their_fields(frozen):
    """Also their names, which abidiff does not call an incompatibility. A reserved field may be used."""
    now = abi.named(abi.read()["structs"])
    for struct in frozen["structs"]:
        fields = now[struct["name"]]["fields"]
        assert struct["sized"] or len(fields) == len(struct["fields"]), struct["name"]
        for before, after in zip(struct["fields"], fields):
            assert before["name"] in (after["name"], "reserved")
            for key in ("type", "offset", "size"):
                assert before[key] == after[key], f"{struct['name']}.{before['name']}"


def test_functions_keep_their_parameters(frozen):
    now = abi.named(abi.read()["functions"])
    for function in frozen["functions"]:
        after = now[function["name"]]
        assert after["returns"] == function["returns"], function["name"]
        for one, other in zip(function["parameters"], after["parameters"], strict=True):
            for key in ("type", "role", "direction"):
                assert one[key] == other[key], f"{function['name']}.{one['name']}"
