"""mixtral._raw is what the headers say: not by include/mixtral.abi.json, which it is made from, but by
the C compiler."""

from __future__ import annotations

import ctypes
import pathlib

import headers
import mixtral._raw.mixtral
import pytest
from mixtral import _library, _raw

import abi
import contract


@pytest.mark.parametrize("name", headers.names())
def test_the_compiler_agrees_with_every_line(name, include):
    contract.check(f"mixtral._raw.{headers.stem(name)}", include, name)


def test_every_function_and_no_other():
    names = {name for name, one in vars(_raw).items() if isinstance(one, ctypes._CFuncPtr)}
    assert names == {one["name"] for one in abi.read()["functions"]}
    assert len(names) > 20


FAULTS = {
    "result": ('"mixtral_abi_version", c_uint32', '"mixtral_abi_version", c_int32'),
    "narrower": ("mixtral_session, c_uint64", "mixtral_session, c_uint32"),
    "another handle": ('"mixtral_step", mixtral_status, mixtral_session', '"mixtral_step", mixtral_status, mixtral_model'),
    "no pointer": ("POINTER(c_uint64), mixtral_session", "c_uint64, mixtral_session"),
    "one parameter less": ("mixtral_status, c_char_p, c_char_p, ", "mixtral_status, c_char_p, "),
    "another function": ('declare("mixtral_cancel"', 'declare("mixtral_free"'),
    "alias": ("mixtral_token = c_int32", "mixtral_token = c_uint32"),
    "constant": ("MIXTRAL_BUSY = 12", "MIXTRAL_BUSY = 13"),
    "callback": ("CFUNCTYPE(c_int32, c_uint64, c_uint64, c_void_p)", "CFUNCTYPE(c_int32, c_uint64, c_int64, c_void_p)"),
    "field": ('("sliding_window", c_int64)', '("sliding_window", c_uint64)'),
    "name of a field": ('("kv_heads", c_uint32)', '("heads", c_uint32)'),
    "callback of a field": ('("release", release_callback)', '("release", allocate_callback)'),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_the_compiler_sees(include, fault):
    module = mixtral._raw.mixtral
    text, (right, wrong) = pathlib.Path(module.__file__).read_text(), FAULTS[fault]
    assert text.count(right) == 1
    try:
        source = contract.translated(text.replace(right, wrong), module, "mixtral.h")
    except AssertionError as seen:
        assert "another's name" in str(seen)
        return
    assert contract.compiled(include, source).returncode != 0


def test_structures_have_no_hidden_padding():
    for struct in abi.read()["structs"]:
        end = 0
        for one in struct["fields"]:
            assert one["offset"] == end, f"{struct['name']}.{one['name']}"
            end += one["size"]
        assert end == struct["size"], struct["name"]


def test_versions():
    assert _raw.mixtral_abi_version() == _library.ABI_VERSION
    assert len(_raw.mixtral_version().split(b".")) == 3
