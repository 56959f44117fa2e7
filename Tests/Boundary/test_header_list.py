"""A header more: with mixtral/probe.h in a copy of include/, everything that is made from the headers or
looks at them takes it as it takes mixtral.h."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import headers
import pytest

import abi
import contract

PROBE = """/*
 * libmixtral: probes of a model.
 *
 * Depth      is counted in layers, from the first.
 */
#ifndef MIXTRAL_PROBE_H
#define MIXTRAL_PROBE_H

#include "../mixtral.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mixtral_probe mixtral_probe;

/* ------------------------------------------------------------------------------------- Probing */

enum {
  MIXTRAL_PROBE_QUICK = 1, /* the first layer alone */
  MIXTRAL_PROBE_DEEP = 2
};

typedef struct mixtral_probe_options {
  uint32_t struct_size;
  uint32_t depth; /* 1..9; 0: 3 */
  int32_t (*progress)(uint64_t done, uint64_t total, void *user);
  /** Told how deep it went. */
  int32_t (*log)(float depth, void *user);
  void *user;
} mixtral_probe_options;

/** Makes a probe of `model`. @param flags MIXTRAL_PROBE_*. @return OK; LIMIT_EXCEEDED. Since 0.1. */
mixtral_status mixtral_probe_create(mixtral_probe **probe, mixtral_model *model, const mixtral_probe_options *options, uint32_t flags);

/* ------------------------------------------------------------------------------------- Reading */

/** What it found. @return OK; INVALID_HANDLE. Since 0.1. */
mixtral_status mixtral_probe_tokens(size_t *count, mixtral_token *buffer, size_t capacity, mixtral_probe *probe);

#ifdef __cplusplus
}
#endif

#endif
"""
LIBRARY = """
#include <mixtral/probe.h>
mixtral_status mixtral_probe_create(
    mixtral_probe **probe, mixtral_model *model, const mixtral_probe_options *options, uint32_t flags) {
  *probe = (mixtral_probe *)model;
  int32_t told = options->log(options->depth + 0.5f, options->user);
  return told + options->progress(1, UINT64_C(1) << 40, options->user) + (int32_t)flags;
}
mixtral_status mixtral_probe_tokens(
    size_t *count, mixtral_token *buffer, size_t capacity, mixtral_probe *probe) {
  *count = (size_t)probe;
  if (capacity) *buffer = -7;
  return MIXTRAL_OK;
}
"""
# Calls the stand-in above through the generated module.
CALLS = """
import ctypes, pathlib, sys
import mixtral, contract
from mixtral import _raw
from mixtral._raw import probe as made

contract.check("mixtral._raw.probe", pathlib.Path(sys.argv[1]), "mixtral/probe.h")
contract.check("mixtral._raw.mixtral", pathlib.Path(sys.argv[1]), "mixtral.h")
assert _raw.mixtral_probe_create is made.mixtral_probe_create
assert made.progress_callback is _raw.progress_callback
assert made.probe_options_log_callback is not _raw.log_callback
told = []
progress = _raw.progress_callback(lambda done, total, user: told.append((done, total)) or 3)
log = made.probe_options_log_callback(lambda depth, user: told.append(depth) or 0)
options = made.mixtral_probe_options(struct_size=32, depth=4, progress=progress, log=log)
assert ctypes.sizeof(options) == 32
probe = made.mixtral_probe()
model = (1 << 63) + 5
status = made.mixtral_probe_create(
    ctypes.byref(probe), model, ctypes.byref(options), made.MIXTRAL_PROBE_DEEP
)
assert (status, probe.value, told) == (5, model, [4.5, (1, 1 << 40)])
count, token = ctypes.c_size_t(), _raw.mixtral_token()
assert made.mixtral_probe_tokens(ctypes.byref(count), ctypes.byref(token), 1, probe) == 0
assert (count.value, token.value) == (model, -7)
print("called")
"""


@pytest.fixture(scope="module")
def tree(include, tmp_path_factory) -> pathlib.Path:
    """The files made from the headers, in a folder of its own with one more header."""
    root = tmp_path_factory.mktemp("tree")
    for name in ("include", "bindings", "examples"):
        ignored = shutil.ignore_patterns("models", "__pycache__", ".*")
        shutil.copytree(abi.ROOT / name, root / name, ignore=ignored)
    (root / "include" / "mixtral").mkdir()
    (root / "include" / "mixtral" / "probe.h").write_text(PROBE)
    for name, *words in (
        ("make_abi.py", "--include", root / "include", "--output", described(root)),
        ("make_declarations.py", "--description", described(root), "--root", root),
    ):
        done = abi.script(name, *words)
        assert done.returncode == 0, done.stderr
    return root


def described(root: pathlib.Path) -> pathlib.Path:
    return root / "include" / "mixtral.abi.json"


def test_both_lists_have_it(tree):
    assert headers.names(tree / "include") == [*headers.names(), "mixtral/probe.h"]
    of_make = contract.of_make(f"INCLUDE={tree}/include")
    assert of_make == [f"{tree}/include/{name}" for name in headers.names(tree / "include")]


@pytest.mark.parametrize(("language", "standard"), contract.MODES)
def test_the_compiler_takes_it_alone(tree, language, standard):
    source = "#include <mixtral/probe.h>\n#include <mixtral.h>\nmixtral_probe_options probed;\n"
    run = contract.compiled(tree / "include", source, language, standard)
    assert run.returncode == 0, run.stderr


def test_its_functions_count_as_declared(tree):
    names = contract.declared(tree / "include", "mixtral/probe.h")
    assert names["functions"] == {"mixtral_probe_create", "mixtral_probe_tokens"}
    assert names["structs"] == {"mixtral_probe_options"}
    assert names["constants"] == {"MIXTRAL_PROBE_QUICK", "MIXTRAL_PROBE_DEEP"}


def test_the_description_says_who_declares_what(tree):
    before, after = abi.read(), abi.read(described(tree))
    assert after["headers"][:-1] == before["headers"]
    assert after["headers"][-1] == {
        "name": "mixtral/probe.h",
        "sections": [
            {"names": ["mixtral_probe"]},
            {
                "title": "Probing",
                "names": [
                    *("MIXTRAL_PROBE_QUICK", "MIXTRAL_PROBE_DEEP"),
                    *("mixtral_probe_options", "mixtral_probe_create"),
                ],
            },
            {"title": "Reading", "names": ["mixtral_probe_tokens"]},
        ],
    }
    for kind in ("handles", "callbacks", "constants", "structs", "functions"):
        old, new = abi.named(before[kind]), abi.named(after[kind])
        assert old.items() <= new.items(), kind
        found = {one["header"] for name, one in new.items() if name not in old}
        assert found == {"mixtral/probe.h"}, kind
    create = abi.named(after["functions"])["mixtral_probe_create"]
    roles = [one["role"] for one in create["parameters"]]
    assert roles == ["new_handle", "handle", "options", "flags"]
    assert (
        abi.named(after["callbacks"])["mixtral_probe_options.log"]["doc"]
        == "Told how deep it went."
    )


def test_nothing_breaks_by_it(tree, tmp_path):
    """abidiff sees additions, and the types of the new header among them."""
    code, report = abi.compared(tree / "include", tmp_path)
    assert code == 0, report
    assert "mixtral_probe_options" in (tmp_path / "described.xml").read_text()


def test_python_calls_it(tree, library, tmp_path):
    path = tmp_path / "probe.so"
    command = ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-x", "c", "-"]
    command += ["-I", tree / "include", "-o", path, "-x", "none"]
    command += ["-Wl,--no-as-needed", library.resolve(), f"-Wl,-rpath,{library.resolve().parent}"]
    subprocess.run([str(one) for one in command], input=LIBRARY, text=True, check=True)
    places = [tree / "bindings" / "python", pathlib.Path(__file__).parent]
    done = subprocess.run(
        [sys.executable, "-B", "-c", CALLS, tree / "include"],
        env={**os.environ, "MIXTRAL_LIBRARY": str(path), "PYTHONPATH": ":".join(map(str, places))},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "called\n"), done.stderr


def test_swift_sees_it(tree, tmp_path):
    source = tmp_path / "probe.swift"
    source.write_text(
        "import CMixtral\n"
        "let made: Int = MemoryLayout<mixtral_probe_options>.size + Int(MIXTRAL_PROBE_DEEP)\n"
        "let create: (OpaquePointer?) -> mixtral_status = { mixtral_probe_tokens(nil, nil, 0, $0) }\n"
    )
    done = subprocess.run(
        ["swiftc", "-typecheck", "-I", tree / "include", "-module-cache-path", tmp_path, source],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_the_reference_has_it(tree, monkeypatch):
    monkeypatch.syspath_prepend(abi.ROOT / "docs" / "_ext")
    import header_reference

    text, before = map(header_reference.text, (tree / "include", abi.ROOT / "include"))
    assert text.startswith(before.rstrip())
    added = text.removeprefix(before.rstrip())
    for part in (
        "## mixtral/probe.h",
        "**Depth** is counted in layers, from the first.",
        "## Functions of mixtral/probe.h",
        "```{c:function} mixtral_status mixtral_probe_create(mixtral_probe **probe, ",
        "{c:struct} mixtral_probe_options",
        "{c:type} mixtral_probe",
        "{c:enumerator} MIXTRAL_PROBE_DEEP = 2",
    ):
        assert part in added, part


def test_check_names_what_is_old(tree, tmp_path):
    """A line that differs is enough: in a module, in the package, in the block of an example."""
    root = tmp_path / "root"
    shutil.copytree(tree, root)
    words = ["make_declarations.py", "--check", "--description", described(root), "--root", root]
    assert abi.script(*words).returncode == 0
    for name, right, wrong in (
        ("bindings/python/mixtral/_raw/probe.py", "c_float", "c_double"),
        ("bindings/python/mixtral/_raw/__init__.py", "probe", "prob"),
        ("include/module.modulemap", "probe.h", "prob.h"),
        ("examples/ctypes/complete.py", "c_uint32 * 9", "c_uint32 * 8"),
        ("examples/java/complete.java", "int[9]", "int[8]"),
        ("examples/luajit/complete.lua", "[9];", "[8];"),
        ("examples/perl/complete.pl", "x76", "x72"),
        ("examples/php/complete.php", "[9];", "[8];"),
        ("examples/ruby/complete.rb", "[9]", "[8]"),
        ("examples/rust/complete.rs", "u32; 9", "u32; 8"),
    ):
        text = (root / name).read_text()
        assert right in text, name
        (root / name).write_text(text.replace(right, wrong, 1))
        done = abi.script(*words)
        assert done.returncode != 0 and f"{name}: " in done.stderr, (name, done.stderr)
        (root / name).write_text(text)


def test_a_module_goes_with_its_header(tree, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(tree, root)
    words = ["make_declarations.py", "--root", root]
    assert "_raw/probe.py" in abi.script(*words, "--check").stderr
    assert abi.script(*words).returncode == 0
    made = sorted(one.name for one in (root / "bindings/python/mixtral/_raw").glob("*.py"))
    stems = [headers.stem(name) for name in headers.names()]
    assert made == sorted(["__init__.py", *(f"{stem}.py" for stem in stems)])
