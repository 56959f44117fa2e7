"""The declarations in examples/ of runtimes that do not read C headers.

Each program has a block between two lines, "made by `make abi`" and "end of what make abi made"; all
else in it is written by hand. The block declares what the program uses: functions, constants, and
structs in which fields that it does not use stand together.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any, Callable, Iterator, NamedTuple

import declare_ctypes

WIDTH = 100
BLOCK = re.compile(
    r"^( *)(\S+) Made by `make abi`.*\n(?P<made>(?:.*\n)*?)^ *\S+ End of what `make abi` made\.\n",
    re.MULTILINE,
)
# The names that a greedy completion uses; of structs the fields besides struct_size.
FUNCTIONS = (
    *("status_name", "last_error", "load", "model_stop_tokens", "session_create"),
    *("sampler_create", "detokenizer_create", "tokenize", "detokenizer_next", "step", "sample"),
    "free",
)
STRUCTS = {"mixtral_sampler_options": ("temperature",)}
CONSTANTS = ("MIXTRAL_TOKENIZE_BOS", "MIXTRAL_DETOKENIZE_CONTINUE")


class Field(NamedTuple):
    """A field, or several of one size that are not used: `count` numbers of `size` bytes."""

    name: str
    kind: str
    size: int
    count: int


class Struct(NamedTuple):
    name: str
    fields: list[Field]

    @property
    def title(self) -> str:
        return "".join(map(str.capitalize, self.name.split("_")[1:]))


class Used(NamedTuple):
    """The part of the interface that a program uses, in the headers' order."""

    functions: list[dict[str, Any]]
    structs: list[Struct]
    constants: list[tuple[str, int]]

    def has(self, struct: str) -> str:
        """The title of a struct that is declared; "" for another."""
        return next((one.title for one in self.structs if one.name == struct), "")


def used(description: dict[str, Any]) -> Used:
    functions = {one["name"].removeprefix("mixtral_"): one for one in description["functions"]}
    structs = {one["name"]: one for one in description["structs"]}
    constants = {one["name"]: one["value"] for one in description["constants"]}
    scalars = {one["name"]: one for one in description["scalars"]}
    return Used(
        [resolved(functions[name], scalars) for name in FUNCTIONS],
        [Struct(name, fields(structs[name], scalars)) for name in STRUCTS],
        [(name.removeprefix("MIXTRAL_"), constants[name]) for name in CONSTANTS],
    )


def resolved(function: dict[str, Any], scalars: dict[str, Any]) -> dict[str, Any]:
    """The function with plain numbers in place of the interface's names for them."""

    def plain(one: dict[str, Any]) -> dict[str, Any]:
        base = one["base"]
        return one | {"base": scalars[base].get("alias") or base if base in scalars else base}

    parameters = list(map(plain, function["parameters"]))
    return function | dict(returns=plain(function["returns"]), parameters=parameters)


def fields(struct: dict[str, Any], scalars: dict[str, Any]) -> list[Field]:
    kept = {"struct_size", *STRUCTS[struct["name"]]}
    unknown = kept - {one["name"] for one in struct["fields"]}
    assert not unknown, f"{struct['name']} has no {', '.join(sorted(unknown))}"
    runs: list[list[dict[str, Any]]] = []
    for one in struct["fields"]:
        last = runs[-1][-1] if runs else one
        if not runs or {one["name"], last["name"]} & kept or one["size"] != last["size"]:
            runs.append([])
        runs[-1].append(one)
    return [joined(run, scalars) for run in runs]


def joined(run: list[dict[str, Any]], scalars: dict[str, Any]) -> Field:
    first, last = run[0], run[-1]
    if len(run) > 1:
        return Field(f"{first['name']}_to_{last['name']}", "uint", first["size"], len(run))
    scalar = scalars.get(first["base"], {}) if first["depth"] == 0 else {}
    whole = "int" if scalar.get("signed") else "uint"
    kind = "float" if scalar.get("kind") == "float" else whole
    return Field(first["name"], kind, first["size"], 1)


def pointed(one: dict[str, Any]) -> str:
    """A parameter's kind where handles are numbers: "handle", "handle *", "text" that ends with
    NUL, "bytes", "number", "number *", "struct *", "void *"."""
    if one.get("role") == "any_handle":
        return "handle"
    if one["kind"] == "handle":
        return "handle *" if one["depth"] == 2 else "handle"
    if one["depth"] == 0:
        return "number"
    if one["base"] == "char":
        return "text" if one.get("role", "text") == "text" else "bytes"
    return {"struct": "struct *", "void": "void *"}.get(one["kind"], "number *")


def wrapped(begin: str, words: list[str], end: str, indent: int = 0) -> list[str]:
    """A list in lines that continue below its beginning."""
    lines = textwrap.wrap(
        begin + ", ".join(words).replace(" ", "\0").replace(",\0", ", ") + end,
        WIDTH - indent,
        subsequent_indent=" " * len(begin),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0", " ") for line in lines]


# C, as LuaJIT and PHP read it.


def c_lines(used: Used, indent: int = 0) -> Iterator[str]:
    yield "typedef uint64_t handle;"
    for struct in used.structs:
        yield "typedef struct {"
        for one in struct.fields:
            kind = "float" if one.kind == "float" else f"{one.kind}{8 * one.size}_t"
            yield f"  {kind} {one.name}{f'[{one.count}]' if one.count > 1 else ''};"
        yield f"}} {struct.name};"
    for function in used.functions:
        returns = "const char *" if function["returns"]["depth"] else "int32_t "
        words = [c_parameter(one, used) for one in function["parameters"]]
        yield from wrapped(f"{returns}{function['name']}(", words or ["void"], ");", indent)


def c_parameter(one: dict[str, Any], used: Used) -> str:
    const = "const " if one["const"] and one["const"][0] else ""
    kind = pointed(one)
    if kind in ("handle", "handle *"):
        kind, const = kind, ""
    elif kind == "number":
        kind = one["base"]
    elif kind == "struct *":
        kind = f"{one['base']} *" if used.has(one["base"]) else "void *"
    else:
        kind = f"{one['base']} *"
    return f"{const}{kind}{'' if kind.endswith('*') else ' '}{one['name']}"


def luajit(used: Used) -> Iterator[str]:
    yield "-- Handles are declared as the 64-bit numbers that they are: nothing may follow them."
    yield "-- Fields that are not used here stand together."
    yield "ffi.cdef [["
    yield from c_lines(used)
    yield "]]"
    names, values = zip(*used.constants)
    yield f"local {', '.join(names)} = {', '.join(map(str, values))}"


def php(used: Used) -> Iterator[str]:
    for name, value in used.constants:
        yield f"public const {name} = {value};"
    yield ""
    yield "// Handles are declared as the 64-bit numbers that they are, and arrive as PHP's int."
    yield "// Fields that are not used here stand together."
    yield "private const HEADER = '"
    for line in c_lines(used, indent=8):
        yield f"    {line}"
    yield "';"


def ruby(used: Used) -> Iterator[str]:
    plain = {"int32_t": "int", "uint32_t": "unsigned int", "size_t": "size_t"}
    sizes = {"int4": "int", "uint4": "unsigned int", "float4": "float"}
    sizes |= {"uint8": "unsigned long long", "int8": "long long"}
    for name, value in used.constants:
        yield f"{name} = {value}"
    yield ""
    yield "# Handles are numbers: Fiddle would wrap pointers in objects that offer to follow them."
    yield 'typealias "handle", "unsigned long long"'
    yield ""
    yield "# Fields that are not used here stand together."
    for struct in used.structs:
        words = []
        for one in struct.fields:
            array = f"[{one.count}]" if one.count > 1 else ""
            words.append(f'"{sizes[f"{one.kind}{one.size}"]} {one.name}{array}"')
        yield from wrapped(f"{struct.title} = struct [", words, "]", indent=2)
    yield ""
    for function in used.functions:
        returns = "const char *" if function["returns"]["depth"] else "int "
        words = []
        for one in function["parameters"]:
            kind = pointed(one)
            text = "const char *" if one["base"] == "char" and one["const"] == [True] else "void *"
            words.append({"handle": kind, "number": plain.get(one["base"])}.get(kind) or text)
        yield f'extern "{returns}{function["name"]}({", ".join(words)})"'


def perl(used: Used) -> Iterator[str]:
    names = ", ".join(f"{name} => {value}" for name, value in used.constants)
    yield f"use constant {{ {names} }};"
    yield ""
    yield "# Structs as templates of pack: struct_size, what is used here, and x for other bytes."
    letters = {"uint4": "L", "int4": "l", "float4": "f", "uint8": "Q", "int8": "q"}
    for struct in used.structs:
        kept, words, others = {"struct_size", *STRUCTS[struct.name]}, [], 0
        for one in struct.fields:
            if one.name in kept:
                words += [f"x{others}"] if others else []
                words.append(letters[f"{one.kind}{one.size}"])
                others = 0
            else:
                others += one.size * one.count
        words += [f"x{others}"] if others else []
        yield f"use constant {struct.name.removeprefix('mixtral_').upper()} => '{' '.join(words)}';"
    yield ""
    yield "# The result and the parameters of each function. Handles are numbers of 64 bits, not"
    yield "# pointers that anything may follow."
    yield "my %functions = ("
    plain = {"int32_t": "sint32", "uint32_t": "uint32", "size_t": "size_t"}
    width = max(len(one["name"]) for one in used.functions) - len("mixtral_")
    for function in used.functions:
        returns = "string" if function["returns"]["depth"] else "sint32"
        words = [returns, *(perl_type(one, plain) for one in function["parameters"])]
        yield f"    {function['name'].removeprefix('mixtral_'):{width}} => [qw({' '.join(words)})],"
    yield ");"


def perl_type(one: dict[str, Any], plain: dict[str, str]) -> str:
    kind = pointed(one)
    if kind == "number *":
        array = one["role"] in ("array", "buffer", "results")
        return plain[one["base"]] + ("[]" if array else "*")
    if kind == "bytes":
        return "string" if one["const"][0] else "opaque"
    names = {"handle": "uint64", "handle *": "uint64*", "text": "string"}
    return plain[one["base"]] if kind == "number" else names.get(kind, "opaque")


def rust(used: Used) -> Iterator[str]:
    for name, value in used.constants:
        yield f"const {name}: u32 = {value};"
    plain = {"int32_t": "i32", "uint32_t": "u32", "size_t": "usize", "uint64_t": "u64"}
    letters = {"uint": "u", "int": "i", "float": "f"}
    for struct in used.structs:
        yield from ["", f"/// {struct.name}; what is not used here stands together."]
        yield from ["#[repr(C)]", "#[derive(Default)]", f"struct {struct.title} {{"]
        for one in struct.fields:
            kind = f"{letters[one.kind]}{8 * one.size}"
            yield f"    {one.name}: {kind if one.count == 1 else f'[{kind}; {one.count}]'},"
        yield "}"
    yield from [
        "",
        "/// Handles are numbers: as references or pointers they would ask to be followed.",
    ]
    yield from ["type Bits = u64;", "", '#[link(name = "mixtral")]', 'extern "C" {']
    for function in used.functions:
        words = [f"{one['name']}: {rust_type(one, used, plain)}" for one in function["parameters"]]
        returns = "*const c_char" if function["returns"]["depth"] else "i32"
        line = f"    fn {function['name']}({', '.join(words)}) -> {returns};"
        if len(line) > WIDTH:
            yield f"    fn {function['name']}("
            yield from (f"        {one}," for one in words)
            line = f"    ) -> {returns};"
        yield line
    yield "}"


def rust_type(one: dict[str, Any], used: Used, plain: dict[str, str]) -> str:
    kind = pointed(one)
    star = "*const " if one["const"] and one["const"][0] else "*mut "
    if kind == "number":
        return plain[one["base"]]
    if kind == "number *":
        return star + plain[one["base"]]
    if kind == "struct *":
        return star + (used.has(one["base"]) or "c_void")
    names = {"handle": "Bits", "handle *": "*mut Bits", "text": "*const c_char"}
    return names.get(kind, star + ("u8" if kind == "bytes" else "c_void"))


def java(used: Used) -> Iterator[str]:
    for name, value in used.constants:
        yield f"int {name} = {value};"
    for struct in used.structs:
        yield from ["", f"/** {struct.name}; what is not used here stands together. */"]
        names = [f'"{one.name}"' for one in struct.fields]
        line = f"@FieldOrder({{{', '.join(names)}}})"
        if len(line) > WIDTH - 2:
            yield "@FieldOrder({"
            yield from (f"  {name}{'' if name == names[-1] else ','}" for name in names)
            line = "})"
        yield from [line, f"class {struct.title} extends Structure {{"]
        for one in struct.fields:
            kind = "float" if one.kind == "float" else {4: "int", 8: "long"}[one.size]
            array = f"[] {one.name} = new {kind}[{one.count}]"
            yield f"  public {kind}{f' {one.name}' if one.count == 1 else array};"
        yield "}"
    for function in used.functions:
        words = [f"{java_type(one, used)} {one['name']}" for one in function["parameters"]]
        returns = "String" if function["returns"]["depth"] else "int"
        line = f"{returns} {function['name']}({', '.join(words)});"
        yield ""
        if len(line) <= WIDTH - 2:
            yield line
            continue
        yield f"{returns} {function['name']}("
        yield from (f"    {word}{');' if word == words[-1] else ','}" for word in words)


def java_type(one: dict[str, Any], used: Used) -> str:
    kind = pointed(one)
    wide = one["base"] in ("size_t", "uint64_t", "int64_t")
    if kind == "struct *":
        return used.has(one["base"]) or "Pointer"
    if kind == "number":
        return "long" if wide else "int"
    if kind == "number *":
        return "LongByReference" if wide else "int[]"
    names = {"handle": "long", "handle *": "LongByReference", "text": "String", "bytes": "byte[]"}
    return names.get(kind, "Pointer")


def ctypes(used: Used) -> Iterator[str]:
    for name, value in used.constants:
        yield f"{name} = {value}"
    yield from ["", "Handle = c_uint64  # a number that only the library understands"]
    for struct in used.structs:
        yield from ["", "", f"class {struct.title}(ctypes.Structure):"]
        yield f'    """{struct.name}; what is not used here stands together."""'
        yield from ["", "    _fields_ = ["]
        for one in struct.fields:
            kind = "c_float" if one.kind == "float" else f"c_{one.kind}{8 * one.size}"
            yield f'        ("{one.name}", {kind}{f" * {one.count}" if one.count > 1 else ""}),'
        yield "    ]"
    yield from ["", ""]
    for function in used.functions:
        words = [f'"{function["name"]}"', *(ctypes_type(x, used) for x in function["parameters"])]
        name, maker = function["name"].removeprefix("mixtral_"), "function"
        if function["returns"]["depth"]:
            words.insert(1, "c_char_p")
            maker = "plain"
        yield from declare_ctypes.call(name, maker, words).split("\n")


def ctypes_type(one: dict[str, Any], used: Used) -> str:
    kind = pointed(one)
    if kind == "number":
        return f"c_{one['base'].removesuffix('_t')}" if one["base"] != "size_t" else "c_size_t"
    if kind == "number *":
        base = one["base"]
        return f"POINTER({'c_size_t' if base == 'size_t' else 'c_' + base.removesuffix('_t')})"
    if kind == "struct *" and used.has(one["base"]):
        return f"POINTER({used.has(one['base'])})"
    names = {"handle": "Handle", "handle *": "POINTER(Handle)"}
    return names.get(kind, "c_char_p" if one["base"] == "char" else "c_void_p")


EXAMPLES: dict[str, Callable[[Used], Iterator[str]]] = {
    "ctypes/complete.py": ctypes,
    "java/complete.java": java,
    "luajit/complete.lua": luajit,
    "perl/complete.pl": perl,
    "php/complete.php": php,
    "ruby/complete.rb": ruby,
    "rust/complete.rs": rust,
}


def renewed(name: str, text: str, description: dict[str, Any]) -> str:
    """The program with its block as the description has it now."""
    found = BLOCK.search(text)
    assert found, f"examples/{name} has no block for its declarations"
    lines = [f"{found[1]}{line}".rstrip() + "\n" for line in EXAMPLES[name](used(description))]
    return text[: found.start("made")] + "".join(lines) + text[found.end("made") :]
