"""mixtral._raw is the header: functions, constants, structures, read by a parser of C."""

from __future__ import annotations

import ctypes
import json
import pathlib
import subprocess

import pytest
from mixtral import _raw
from pycparser import c_ast, c_parser

# What the header includes, as far as a parser needs it.
STAND_INS = {
    "stddef.h": "typedef unsigned long size_t;\n",
    "stdint.h": "typedef int int32_t; typedef unsigned uint32_t;\n"
    "typedef long int64_t; typedef unsigned long uint64_t;\n",
}
PLAIN = {
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "float": ctypes.c_float,
    "mixtral_status": ctypes.c_int32,
    "mixtral_token": ctypes.c_int32,
}


class Header:
    """What the header declares."""

    def __init__(self, tree: c_ast.FileAST) -> None:
        self.functions: dict[str, c_ast.FuncDecl] = {}
        self.constants: dict[str, int] = {}
        self.structures: dict[str, list[c_ast.Decl]] = {}
        self.handles: set[str] = set()
        for node in tree.ext:
            kind = getattr(node, "type", None)
            if isinstance(kind, c_ast.FuncDecl):
                self.functions[node.name] = kind
            elif isinstance(kind, c_ast.Enum):
                for one in kind.values.enumerators:
                    self.constants[one.name] = int(one.value.value)
            elif isinstance(node, c_ast.Typedef) and isinstance(kind.type, c_ast.Struct):
                if kind.type.decls is None:
                    self.handles.add(node.name)
                else:
                    self.structures[node.name] = kind.type.decls

    def ctype(self, node: c_ast.Node) -> object:
        """The ctypes type of a declaration; for a callback (result, arguments)."""
        if isinstance(node, c_ast.TypeDecl):
            return self._named(node)
        assert isinstance(node, c_ast.PtrDecl), node
        target = node.type
        if isinstance(target, c_ast.FuncDecl):
            return self.signature(target)
        if isinstance(target, c_ast.PtrDecl):
            return ctypes.POINTER(self.ctype(target))
        name = target.type.names[0]
        if name == "void" or name in self.handles:
            return ctypes.c_void_p
        if name == "char":
            return ctypes.c_char_p if "const" in target.quals else ctypes.POINTER(ctypes.c_char)
        return ctypes.POINTER(self._named(target))

    def signature(self, node: c_ast.FuncDecl) -> tuple[object, tuple[object, ...]]:
        arguments = [one.type for one in node.args.params]
        if len(arguments) == 1 and arguments[0].type.__class__ is c_ast.IdentifierType:
            arguments = [one for one in arguments if one.type.names != ["void"]]
        return self.ctype(node.type), tuple(map(self.ctype, arguments))

    def _named(self, node: c_ast.TypeDecl) -> type:
        name = node.type.names[0]
        return getattr(_raw, name) if name in self.structures else PLAIN[name]


def comparable(ctype: object) -> object:
    """A type, or for a callback type its result and arguments."""
    if isinstance(ctype, type) and hasattr(ctype, "_argtypes_"):
        return ctype._restype_, tuple(ctype._argtypes_)
    return ctype


@pytest.fixture(scope="module")
def parsed(header: pathlib.Path, tmp_path_factory) -> Header:
    folder = tmp_path_factory.mktemp("include")
    for name, text in STAND_INS.items():
        (folder / name).write_text(text)
    run = subprocess.run(
        ["cc", "-E", "-P", "-nostdinc", "-I", str(folder), str(header)],
        capture_output=True,
        text=True,
        check=True,
    )
    return Header(c_parser.CParser().parse(run.stdout))


def test_every_function_and_no_other(parsed):
    names = {name for name, one in vars(_raw).items() if isinstance(one, ctypes._CFuncPtr)}
    assert names == set(parsed.functions)
    assert len(names) > 20


def test_function_types(parsed):
    for name, declaration in parsed.functions.items():
        result, arguments = parsed.signature(declaration)
        function = getattr(_raw, name)
        assert function.restype == result, name
        assert tuple(function.argtypes) == arguments, name


def test_constants(parsed):
    mine = {name: one for name, one in vars(_raw).items() if name.startswith("MIXTRAL_")}
    assert mine == parsed.constants


def test_structures_have_the_fields_of_the_header(parsed):
    mine = {
        name
        for name, one in vars(_raw).items()
        if isinstance(one, type) and issubclass(one, ctypes.Structure)
    }
    assert mine == set(parsed.structures)
    for name, fields in parsed.structures.items():
        expected = [(one.name, parsed.ctype(one.type)) for one in fields]
        found = [(field, comparable(kind)) for field, kind in getattr(_raw, name)._fields_]
        assert found == expected, name


def test_layout_equals_the_compilers(parsed, header, tmp_path):
    lines = []
    for name, fields in parsed.structures.items():
        lines.append(f'printf("\\"{name}\\": %zu,\\n", sizeof({name}));')
        for one in fields:
            place = f"offsetof({name}, {one.name}), sizeof((({name} *)0)->{one.name})"
            lines.append(f'printf("\\"{name}.{one.name}\\": [%zu, %zu],\\n", {place});')
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <mixtral.h>\n#include <stdio.h>\nint main(void) {\n"
        + "\n".join(lines)
        + "\nreturn 0;\n}\n"
    )
    program = tmp_path / "layout"
    subprocess.run(
        ["cc", "-I", str(header.parent), str(source), "-o", str(program)], check=True
    )
    run = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    expected = json.loads("{" + run.stdout.rstrip(",\n") + "}")
    found: dict[str, object] = {}
    for name in parsed.structures:
        structure = getattr(_raw, name)
        found[name] = ctypes.sizeof(structure)
        for field, _ in structure._fields_:
            place = getattr(structure, field)
            found[f"{name}.{field}"] = [place.offset, place.size]
    assert found == expected


def test_structures_have_no_hidden_padding(parsed):
    for name in parsed.structures:
        structure = getattr(_raw, name)
        end = 0
        for field, _ in structure._fields_:
            place = getattr(structure, field)
            assert place.offset == end, f"{name}.{field}"
            end = place.offset + place.size
        assert end == ctypes.sizeof(structure), name


def test_versions():
    assert _raw.mixtral_abi_version() == _raw.ABI_VERSION
    assert len(_raw.mixtral_version().split(b".")) == 3
