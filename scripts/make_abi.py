"""Writes include/mixtral.abi.json, the C interface for programs: every function, struct, constant,
handle and callback of the headers, with what their conventions say of each parameter.

    python scripts/make_abi.py [--check] [--include FOLDER] [--output FILE]

Types come from pycparser, layouts from the C compiler (abi_layout.py), the rest from the headers'
comments (abi_comments.py) and from the order and names of parameters (abi_roles.py). The list
"headers" has the names that each header declares, in its order and under its titles.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Any

from pycparser import c_ast, c_parser

import abi_comments
import abi_layout
import abi_roles
import headers

# The definitions of the system's headers that a parser needs.
STAND_INS = {
    "stddef.h": "typedef unsigned long size_t;\n",
    "stdint.h": "typedef signed char int8_t; typedef unsigned char uint8_t;\n"
    "typedef int int32_t; typedef unsigned uint32_t;\n"
    "typedef long int64_t; typedef unsigned long uint64_t;\n",
}
SYSTEM_SCALARS = [
    "char",
    "int8_t",
    "uint8_t",
    "int32_t",
    "uint32_t",
    "int64_t",
    "uint64_t",
    "size_t",
]
SYSTEM_SCALARS += ["float", "double"]


class Reader:
    """The headers' declarations, sorted."""

    def __init__(self, include: pathlib.Path) -> None:
        texts = {name: (include / name).read_text() for name in headers.names(include)}
        self.comments = {name: abi_comments.Comments(text) for name, text in texts.items()}
        marks = re.findall(r"\b(MIXTRAL_[A-Z0-9]+_)\*", "".join(texts.values()))
        self.groups = sorted(set(marks))
        self.sections: dict[str, dict[str, list[str]]] = {name: {} for name in texts}
        self.header: dict[str, str] = {}
        self.docs: dict[str, str] = {}
        self.functions: dict[str, c_ast.Decl] = {}
        self.structs: dict[str, c_ast.Typedef] = {}
        self.aliases: dict[str, str] = {}
        self.handles: list[str] = []
        self.constants: dict[str, str] = {}
        self.callbacks: list[dict[str, Any]] = []
        for node in _parse(include).ext:
            if (name := _header(node.coord, include)) in texts:
                self._sort(name, node)
        self.statuses = {
            name.removeprefix("MIXTRAL_")
            for name, group in self.constants.items()
            if group == "status"
        }
        self.layout = abi_layout.measure(
            include,
            [*SYSTEM_SCALARS, *self.aliases],
            {name: [one.name for one in _fields(node)] for name, node in self.structs.items()},
            list(self.constants),
        )

    def _sort(self, header: str, node: c_ast.Node) -> None:
        if isinstance(node.type, c_ast.FuncDecl):
            self.functions[node.name] = node
        elif isinstance(node.type, c_ast.Enum):
            names = [one.name for one in node.type.values.enumerators]
            for one in node.type.values.enumerators:
                group = next((some for some in self.groups if one.name.startswith(some)), "")
                self.constants[one.name] = group or ("status" if "MIXTRAL_OK" in names else "")
                self._note(header, one.name, one.coord.line)
            return
        elif isinstance(node.type.type, c_ast.Struct):
            if node.type.type.decls is None:
                self.handles.append(node.name)
            else:
                self.structs[node.name] = node
                self._note(header, node.name, node.type.type.coord.line)
                for one in _fields(node):
                    doc = self.comments[header].of(one.coord.line)
                    self.docs[f"{node.name}.{one.name}"] = doc
                return
        else:
            self.aliases[node.name] = node.type.type.names[0]
        self._note(header, node.name, node.coord.line)

    def _note(self, header: str, name: str, line: int) -> None:
        """Remembers where a name is declared, and what its comment says."""
        comments = self.comments[header]
        self.header[name] = header
        self.docs[name] = comments.of(line)
        self.sections[header].setdefault(comments.section(line), []).append(name)

    def type(self, node: c_ast.Node, owner: str) -> dict[str, Any]:
        """A type: its spelling, what it points at in the end, how deep, and which of those levels
        are const, the innermost first. A function pointer is a callback named by its owner."""
        const: list[bool] = []
        while isinstance(node, c_ast.PtrDecl):
            node = node.type
            if isinstance(node, c_ast.FuncDecl):
                return self._callback(node, owner)
            const.insert(0, "const" in node.quals)
        name = node.type.names[0]
        stars = "".join("*const " if one else "*" for one in [*const[1:], False] if const)
        if name in self.handles:
            kind = "handle"
        elif name in self.structs:
            kind = "struct"
        elif name == "void":
            kind = "void"
        else:
            kind = "float" if self.layout[name][2] else "integer"
        spelled = f"{'const ' if const and const[0] else ''}{name}{' ' if stars else ''}{stars}"
        return dict(type=spelled.strip(), base=name, kind=kind, depth=len(const), const=const)

    def _callback(self, node: c_ast.FuncDecl, owner: str) -> dict[str, Any]:
        returns = self.type(node.type, owner)
        parameters = [
            {"name": one.name, **self.type(one.type, f"{owner}.{one.name}")}
            for one in node.args.params
        ]
        if owner not in [one["name"] for one in self.callbacks]:
            doc = self.docs.get(owner, "")
            callback = dict(name=owner, header=self.header[owner.partition(".")[0]], doc=doc)
            callback |= dict(returns=returns, parameters=parameters)
            self.callbacks.append(callback)
        arguments = ", ".join(one["type"] for one in parameters)
        spelled = f"{returns['type']} (*)({arguments})"
        return dict(type=spelled, base=owner, kind="callback", depth=1, const=[False])

    def struct(self, name: str) -> dict[str, Any]:
        fields = []
        for one in _fields(self.structs[name]):
            doc = self.docs[f"{name}.{one.name}"]
            offset, size = self.layout[f"{name}.{one.name}"]
            type = self.type(one.type, f"{name}.{one.name}")
            field = dict(name=one.name, **type, offset=offset, size=size)
            field["group"] = abi_comments.group(doc)
            if type["depth"] == 0:
                field |= abi_comments.limits(doc, type["kind"] == "float")
            fields.append(field | {"doc": doc})
        abi_roles.pair_lengths(fields)
        (size,) = self.layout[name]
        sized = fields[0]["name"] == "struct_size"
        made = dict(name=name, header=self.header[name], size=size, sized=sized)
        return made | dict(doc=self.docs[name], fields=fields)

    def function(self, name: str, structs: dict[str, dict[str, Any]]) -> dict[str, Any]:
        declaration, doc = self.functions[name].type, self.docs[name]
        parameters = []
        for one in declaration.args.params:
            if one.name is None:  # (void)
                continue
            said = abi_comments.parameter(doc, one.name)
            said = said or (doc if len(declaration.args.params) == 1 else "")
            parameters.append(
                dict(
                    name=one.name,
                    **self.type(one.type, f"{name}.{one.name}"),
                    nullable=abi_comments.nullable(said),
                    group=abi_comments.group(said),
                )
            )
        abi_roles.assign(parameters, structs)
        returns = self.type(declaration.type, name)
        statuses = []
        if returns["base"] == "mixtral_status":
            promised = set(abi_comments.statuses(self.docs, name, self.statuses))
            statuses = sorted(promised | abi_roles.statuses(parameters))
        return dict(
            name=name,
            header=self.header[name],
            since=abi_comments.since(doc),
            returns=returns,
            statuses=statuses,
            parameters=parameters,
            doc=doc,
        )

    def description(self) -> dict[str, Any]:
        exports = (headers.ROOT / "exports.map").read_text()
        (abi,) = re.findall(r"^MIXTRAL_(\d+) ", exports, re.MULTILINE)
        structs = {name: self.struct(name) for name in self.structs}
        functions = [self.function(name, structs) for name in self.functions]
        releases = [tuple(map(int, one["since"].split("."))) for one in functions if one["since"]]
        return {
            "about": "Made from the headers in include/ by scripts/make_abi.py (make abi).",
            "library": f"libmixtral.so.{abi}",
            "version_node": f"MIXTRAL_{abi}",
            "abi_version": int(abi),
            "release": ".".join(map(str, max(releases))),
            "pointer_size": self.layout["size_t"][0],
            "headers": [
                dict(name=name, sections=[dict(title=one, names=sections[one]) for one in sections])
                for name, sections in self.sections.items()
            ],
            "scalars": [self._scalar(name) for name in [*SYSTEM_SCALARS, *self.aliases]],
            "handles": [
                dict(name=one, header=self.header[one], **abi_roles.makers(one, functions))
                for one in self.handles
            ],
            "callbacks": self.callbacks,
            "constants": [
                dict(
                    name=name,
                    header=self.header[name],
                    value=self.layout[name][0],
                    group=group,
                    doc=self.docs[name],
                )
                for name, group in self.constants.items()
            ],
            "structs": list(structs.values()),
            "functions": functions,
        }

    def _scalar(self, name: str) -> dict[str, Any]:
        size, signed, floating = self.layout[name]
        kind = "float" if floating else "integer"
        made = dict(name=name, header=self.header.get(name, ""), kind=kind, size=size)
        return made | dict(signed=bool(signed), alias=self.aliases.get(name, ""))


def _header(coord: Any, include: pathlib.Path) -> str:
    """The header that a declaration stands in, as the list names it; "" for other files."""
    path = pathlib.Path(coord.file).resolve()
    within = path.is_relative_to(include.resolve())
    return str(path.relative_to(include.resolve())) if within else ""


def _parse(include: pathlib.Path) -> c_ast.FileAST:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in STAND_INS.items():
            pathlib.Path(folder, name).write_text(text)
        command = ["cc", "-E", "-nostdinc", "-I", folder, "-I", str(include), "-"]
        source = headers.inclusions(include)
        run = subprocess.run(command, check=True, input=source, capture_output=True, text=True)
    return c_parser.CParser().parse(run.stdout)


def _fields(node: c_ast.Typedef) -> list[c_ast.Decl]:
    return node.type.type.decls


def text(value: Any, depth: int = 0) -> str:
    """JSON with each value on one line as long as it fits, and each member on its own where not.
    Members that are empty text are left out."""
    if isinstance(value, dict):
        value = {key: one for key, one in value.items() if one != ""}
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or len(line) + 2 * depth <= 200:
        return line
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(value, dict):
        members = [f"{json.dumps(key)}: {text(one, depth + 1)}" for key, one in value.items()]
        begin, end = "{", "}"
    else:
        members = [text(one, depth + 1) for one in value]
        begin, end = "[", "]"
    return f"{begin}\n" + ",\n".join(inner + one for one in members) + f"\n{outer}{end}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--include", type=pathlib.Path, default=headers.INCLUDE)
    output = headers.INCLUDE / "mixtral.abi.json"
    parser.add_argument("--output", type=pathlib.Path, default=output)
    parser.add_argument("--check", action="store_true", help="only say whether it is current")
    arguments = parser.parse_args()
    made = text(Reader(arguments.include).description()) + "\n"
    if not arguments.check:
        arguments.output.write_text(made)
    elif arguments.output.read_text() != made:
        sys.exit(f"{arguments.output} is not what {arguments.include} says: run make abi")


if __name__ == "__main__":
    main()
