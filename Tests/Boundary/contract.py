"""The headers, and the Python modules made from them, before the C compiler: every line of
a module becomes a line of C that does not compile unless it is the header's."""

from __future__ import annotations

import ast
import ctypes
import importlib
import os
import pathlib
import re
import subprocess
import types

import abi

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
MODES = [
    ("c", "c99"),
    ("c", "c11"),
    ("c", "c17"),
    ("c++", "c++11"),
    ("c++", "c++17"),
    ("c++", "c++20"),
]
PLAIN = {"c_char_p": "char *", "c_void_p": "void *", "c_char": "char", "c_size_t": "size_t"}
PLAIN |= {"c_float": "float", "c_double": "double"}
# Without const, which ctypes does not have, a function's type must be the very one that is declared.
BEGINNING = """#include <stddef.h>
#include <stdint.h>
#define const
#include <{name}>
#define SAME(a, b) _Static_assert(__builtin_types_compatible_p(a, b), #a)
#define FIELD(s, f, type, place) SAME(__typeof__(((s *)0)->f), type); \\
  _Static_assert(offsetof(s, f) == place, #s "." #f)
"""


def compiled(
    include: pathlib.Path, source: str, language: str = "c", standard: str = "c11"
) -> subprocess.CompletedProcess[str]:
    """The compiler's answer to a source that sees the headers and nothing else."""
    command = ["cc", *STRICT, "-x", language, f"-std={standard}", "-I", str(include), "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True)


def declared(include: pathlib.Path, name: str) -> dict[str, set[str]]:
    """The names of a header by their kind, as its lines are spelled."""
    text = re.sub(r"/\*.*?\*/", "", (include / name).read_text(), flags=re.DOTALL)
    return {
        "functions": set(re.findall(r"^\w[\w *]*?\b(mixtral_\w+)\s*\(", text, re.MULTILINE)),
        "structs": set(re.findall(r"^} (mixtral_\w+);", text, re.MULTILINE)),
        "constants": set(re.findall(r"\b(MIXTRAL_\w+) = ", text)),
    }


def of_make(*words: str) -> list[str]:
    """The list of headers that make has; not the make that may run the tests."""
    command = ["make", "-s", "--eval", "listed: ; @echo $(HEADERS)", "listed", *words]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=abi.ROOT, env=kept)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def check(name: str, include: pathlib.Path, header: str) -> None:
    """Fails unless the module of this name is the header's, whole and right."""
    module = importlib.import_module(name)
    text = pathlib.Path(str(module.__file__)).read_text()
    done = compiled(include, translated(text, module, header))
    assert done.returncode == 0, done.stderr
    lines = ast.parse(text).body
    mine = {one.targets[0].id for one in lines if isinstance(one, ast.Assign)}  # type: ignore
    classes = {one.name for one in lines if isinstance(one, ast.ClassDef)}
    names = declared(include, header)
    assert {one for one in mine if one.startswith("MIXTRAL_")} == names["constants"]
    assert classes == names["structs"]
    functions = {one for one in mine if isinstance(getattr(module, one), ctypes._CFuncPtr)}
    assert functions == names["functions"]


def translated(text: str, module: types.ModuleType, header: str) -> str:
    """C that compiles if the lines of the module say what the header says."""
    lines = [BEGINNING.format(name=header)]
    for one in ast.parse(text).body:
        if isinstance(one, ast.ClassDef):
            lines += structure(one, module)
        elif isinstance(one, ast.Assign):
            target = one.targets[0]
            assert isinstance(target, ast.Name)
            lines.append(assigned(target.id, one.value, module))
        elif isinstance(one, ast.ImportFrom) and one.level == 1:
            lines += callbacks(f"{module.__package__}.{one.module}", [it.name for it in one.names])
    return "\n".join([*lines, ""])


def callbacks(name: str, imported: list[str]) -> list[str]:
    """The types of callbacks that are imported from another header's module."""
    module = importlib.import_module(name)
    lines = ast.parse(pathlib.Path(str(module.__file__)).read_text()).body
    found = [one for one in lines if isinstance(one, ast.Assign)]
    values = {one.targets[0].id: one.value for one in found}  # type: ignore
    wanted = [one for one in imported if one.endswith("_callback")]
    return [assigned(one, values[one], module) for one in wanted]


def assigned(name: str, value: ast.expr, module: types.ModuleType) -> str:
    if isinstance(value, ast.Constant):
        return f'_Static_assert({name} == {value.value}, "{name}");'
    if isinstance(value, ast.Name):
        if value.id == "c_void_p":
            return f"extern {name} *a_{name};"
        return f"SAME({name}, {spelled(value, module)});"
    assert isinstance(value, ast.Call) and isinstance(value.func, ast.Name)
    arguments = list(value.args)
    if declares := value.func.id == "declare":
        word = arguments.pop(0)
        assert isinstance(word, ast.Constant) and word.value == name, f"{name} is another's name"
    result, *parameters = (spelled(one, module) for one in arguments)
    shape = f"({', '.join(parameters) or 'void'})"
    if declares:
        return f"extern {result} (*a_{name}){shape};\n{result} (*a_{name}){shape} = {name};"
    assert value.func.id == "CFUNCTYPE"
    return f"typedef {result} (*{name}){shape};"


def structure(one: ast.ClassDef, module: types.ModuleType) -> list[str]:
    kind = getattr(module, one.name)
    lines = [f'_Static_assert(sizeof({one.name}) == {ctypes.sizeof(kind)}, "{one.name}");']
    (assignment,) = one.body
    assert isinstance(assignment, ast.Assign) and isinstance(assignment.value, ast.List)
    for pair, (known, _) in zip(assignment.value.elts, kind._fields_):
        assert isinstance(pair, ast.Tuple)
        field, type = ast.literal_eval(pair.elts[0]), spelled(pair.elts[1], module)
        lines.append(f"FIELD({one.name}, {field}, {type}, {getattr(kind, known).offset});")
    return lines


def spelled(type: ast.expr, module: types.ModuleType) -> str:
    """A type of ctypes in C. A handle stands for the pointer that it is there."""
    if isinstance(type, ast.Constant):
        return "void"
    if isinstance(type, ast.Call):
        return f"{spelled(type.args[0], module).rstrip()} *"
    assert isinstance(type, ast.Name)
    if type.id.startswith("mixtral_"):
        handle = getattr(module, type.id) is ctypes.c_void_p
        return f"{type.id} *" if handle else type.id
    number = type.id.removeprefix("c_") + "_t"
    return PLAIN.get(type.id, type.id if type.id.endswith("_callback") else number)
