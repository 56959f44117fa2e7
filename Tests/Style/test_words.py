"""Words that may not stand in Sources, and the sizes of files and functions."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest
import swift_text

FORBIDDEN = re.compile(
    r"\btry!|\bas!|\bfatalError\(|\bprecondition(Failure)?\(|\bprint\(|\bdebugPrint\(|\bexit\("
    r"|\bassert(ionFailure)?\(|\bunowned(?!\(unsafe\))|\bunsafelyUnwrapped\b|\bdump\("
    r"|\.allocate\(byteCount|[\w\])]!(?![=\w(])"
)
UNFINISHED = re.compile(r"\bTODO\b|\bFIXME\b")
# Features that Embedded Swift lacks: existentials, reflection, key paths. In code without strings
# and without the backslashes of what they interpolate, a backslash begins a key path.
NOT_EMBEDDED = re.compile(
    r"\bany\s+[A-Z]|\bString\((describing|reflecting):|\bMirror\(|\btype\(of:|\\|\bKeyPath\b"
)
LONGEST_FUNCTION = 70
# Modules that come with Swift's runtime.
RUNTIME_MODULES = re.compile(r"\bimport (Foundation|Dispatch|Glibc|Musl|Darwin|_Concurrency)\b")
# Calls an empty function for each element in Embedded Swift; Base has copy(from:count:).
SLOW_COPY = re.compile(r"\.update\(from:")

every_source = pytest.mark.parametrize("path", swift_text.TEXTS, ids=swift_text.name)


def found(pattern: re.Pattern[str], path: pathlib.Path) -> list[str]:
    text = path.read_text("utf-8").splitlines()
    return [
        f"{number}: {text[number - 1].strip()}"
        for number, line in swift_text.lines(path)
        if pattern.search(line)
    ]


@every_source
def test_nothing_ends_the_host(path):
    assert not found(FORBIDDEN, path)


@every_source
def test_nothing_that_embedded_swift_lacks(path):
    for pattern in (NOT_EMBEDDED, RUNTIME_MODULES, SLOW_COPY):
        assert not found(pattern, path)


@every_source
def test_no_initialiser_of_a_class_fails(path):
    """One that throws or returns nil keeps the object's memory in Embedded Swift: static functions make them."""
    assert not failing_class_initialisers(swift_text.code(path))


def failing_class_initialisers(code: str) -> list[str]:
    """The heads of initialisers in classes, or in extensions of anything, that throw or may be nil."""
    heads = re.compile(
        r"\b(class|struct|enum|extension|protocol|actor)\s+([A-Z][\w.]*)[^{};]*?\{"
        r"|\binit([?!]?)\s*(?:<[^>]*>)?\((?:[^()]|\([^()]*\))*\)([^{}\n]*)|[{}]"
    )
    classes = set(re.findall(r"\bclass\s+([A-Z]\w*)", code))
    kinds: list[str] = []
    failing = []
    for head in heads.finditer(code):
        if head[1]:
            is_class = head[1] == "class" or (head[1] == "extension" and head[2] in classes)
            kinds.append("class" if is_class else head[1])
        elif head[0] == "{":
            kinds.append("")
        elif head[0] == "}":
            kinds.pop()
        elif kinds and kinds[-1] == "class" and (head[3] or "throws" in (head[4] or "")):
            failing.append(head[0])
    return failing


@pytest.mark.parametrize(
    "code, count",
    [
        ("final class A { init(_ a: Int) throws(E) { } }", 1),
        ("class A { struct B { init?(x: Int) { } } ; init?(y: (Int) -> Int) { } }", 1),
        ("class A {\n  convenience init(\n a: Int,\n b: Int\n  ) throws(E) {\n }\n}", 1),
        ("final class A { }\nextension A { convenience init() throws { } }", 1),
        ("struct A { init() throws(E) { } }", 0),
        ("class A { init(f: () throws -> Int) { } ; static func made() throws -> A { } }", 0),
    ],
)
def test_failing_initialisers_are_seen(code, count):
    assert len(failing_class_initialisers(code)) == count


@every_source
def test_nothing_is_left_to_do(path):
    assert not UNFINISHED.search(path.read_text("utf-8"))


@pytest.mark.parametrize(
    "code",
    [
        r"rows.map(\.count)",
        r"rows.contains(where: \Row.isOpen)",
        "var object: (any Handle)?",
        r'"handle is a \(type(of: found).name)"',
        "String(describing: kind)",
    ],
)
def test_what_embedded_swift_lacks_is_seen(code):
    assert NOT_EMBEDDED.search(swift_text.stripped(code))


@pytest.mark.parametrize(
    "code",
    [r'"\n\(count) any Thing"', "// any Thing \\.x", "anyThing(type: of)", 'String("describing:")'],
)
def test_what_is_no_such_thing_is_not(code):
    assert not NOT_EMBEDDED.search(swift_text.stripped(code))


@every_source
def test_sizes_of_files_and_lines(path):
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= (600 if swift_text.room(path).startswith("Kernels") else 400)
    assert max(map(len, lines)) <= 100


def test_the_forward_pass_is_a_page():
    """Its phases read like the paper; how they are computed is in the files beside it."""
    path = swift_text.ROOT / "Sources/Forward/ForwardPass.swift"
    assert len(path.read_text("utf-8").splitlines()) <= 200


def test_the_public_interface_is_the_header():
    """`public` belongs to the boundary; the generic kernels need it to inline into the ISA modules."""
    public = {
        swift_text.room(path)
        for path in swift_text.TEXTS
        if re.search(r"^\s*(@\w+(\(.*\))? )*public ", swift_text.code(path), re.MULTILINE)
    }
    assert {room for room in public if not room.startswith("Kernels")} == {"Mixtral"}


PYTHON = sorted(
    path
    for folder in ("Tests", "bindings", "examples", "scripts", "docs")
    for path in (swift_text.ROOT / folder).rglob("*.py")
)


def test_sizes_of_functions_in_python():
    long = [
        f"{swift_text.name(path)}: {node.name}"
        for path in PYTHON
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ]
    assert not long


def test_sizes_of_functions_in_c():
    """A function of C begins where a line has no indentation and ends with a brace that has none."""
    long = []
    for path in sorted(swift_text.ROOT.rglob("*/*.c")):
        if path.relative_to(swift_text.ROOT).parts[0].startswith("."):
            continue
        first = 0
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if re.match(r"\w", line):
                first = number
            elif line.startswith("}") and number - first >= LONGEST_FUNCTION:
                long.append(f"{swift_text.name(path)}:{first}")
    assert not long
