"""mixtral._raw is what include/mixtral.abi.json describes: functions, constants, structures."""

from __future__ import annotations

import ctypes
from typing import Any

from mixtral import _library, _raw

import abi

DESCRIPTION = abi.read()
STRUCTS = abi.named(DESCRIPTION["structs"])
CALLBACKS = abi.named(DESCRIPTION["callbacks"])
PLAIN = {
    ("integer", 1, True): ctypes.c_int8,
    ("integer", 1, False): ctypes.c_uint8,
    ("integer", 4, True): ctypes.c_int32,
    ("integer", 4, False): ctypes.c_uint32,
    ("integer", 8, True): ctypes.c_int64,
    ("integer", 8, False): ctypes.c_uint64,
    ("float", 4, True): ctypes.c_float,
    ("float", 8, True): ctypes.c_double,
}
SCALARS = {
    one["name"]: PLAIN[one["kind"], one["size"], one["signed"]] for one in DESCRIPTION["scalars"]
}


def ctype(one: dict[str, Any]) -> object:
    """The ctypes type of a description; for a callback (result, arguments)."""
    if one["kind"] == "callback":
        callback = CALLBACKS[one["base"]]
        return ctype(callback["returns"]), tuple(map(ctype, callback["parameters"]))
    depth = one["depth"]
    if one["kind"] == "void" and depth == 0:
        return None
    if one["kind"] in ("void", "handle"):
        kind: Any = ctypes.c_void_p
        depth -= 1
    elif one["base"] == "char":
        kind = ctypes.c_char_p if one["const"] == [True] else ctypes.POINTER(ctypes.c_char)
        depth -= 1
    elif one["kind"] == "struct":
        kind = getattr(_raw, one["base"])
    else:
        kind = SCALARS[one["base"]]
    for _ in range(depth):
        kind = ctypes.POINTER(kind)
    return kind


def comparable(kind: object) -> object:
    """A type, or for a callback type its result and arguments."""
    if isinstance(kind, type) and hasattr(kind, "_argtypes_"):
        return kind._restype_, tuple(kind._argtypes_)
    return kind


def test_every_function_and_no_other():
    names = {name for name, one in vars(_raw).items() if isinstance(one, ctypes._CFuncPtr)}
    assert names == {one["name"] for one in DESCRIPTION["functions"]}
    assert len(names) > 20


def test_function_types():
    for one in DESCRIPTION["functions"]:
        function = getattr(_raw, one["name"])
        assert comparable(function.restype) == ctype(one["returns"]), one["name"]
        assert list(map(comparable, function.argtypes)) == list(map(ctype, one["parameters"])), one[
            "name"
        ]


def test_constants():
    mine = {name: one for name, one in vars(_raw).items() if name.startswith("MIXTRAL_")}
    assert mine == {one["name"]: one["value"] for one in DESCRIPTION["constants"]}


def test_structures_have_the_fields_of_the_header():
    mine = {
        name
        for name, one in vars(_raw).items()
        if isinstance(one, type) and issubclass(one, ctypes.Structure)
    }
    assert mine == set(STRUCTS)
    for name, struct in STRUCTS.items():
        expected = [(one["name"], ctype(one)) for one in struct["fields"]]
        found = [(field, comparable(kind)) for field, kind in getattr(_raw, name)._fields_]
        assert found == expected, name


def test_layout_equals_the_compilers():
    for name, struct in STRUCTS.items():
        structure = getattr(_raw, name)
        assert ctypes.sizeof(structure) == struct["size"], name
        for one in struct["fields"]:
            place = getattr(structure, one["name"])
            assert (place.offset, place.size) == (one["offset"], one["size"]), one["name"]


def test_structures_have_no_hidden_padding():
    for name, struct in STRUCTS.items():
        end = 0
        for one in struct["fields"]:
            assert one["offset"] == end, f"{name}.{one['name']}"
            end += one["size"]
        assert end == struct["size"], name


def test_versions():
    assert _raw.mixtral_abi_version() == _library.ABI_VERSION
    assert len(_raw.mixtral_version().split(b".")) == 3
