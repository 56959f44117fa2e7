"""The headers in ctypes, a Python module each: bindings/python/mixtral/_raw/."""

from __future__ import annotations

import re
from typing import Any

import headers

WIDTH = 100
PLAIN = {
    ("integer", 1, True): "c_int8",
    ("integer", 1, False): "c_uint8",
    ("integer", 4, True): "c_int32",
    ("integer", 4, False): "c_uint32",
    ("integer", 8, True): "c_int64",
    ("integer", 8, False): "c_uint64",
    ("float", 4, True): "c_float",
    ("float", 8, True): "c_double",
}
PACKAGE = '''"""The headers in ctypes, a module each; their names are here, too. Written by `make abi`."""

'''
MODULE = '''"""include/{name} in ctypes, and nothing else. Written by `make abi`.

Every name is the header's. Each function has its argument types and its result type set. `CDLL` is
used, so other Python threads run during every call. A handle is an address that is never followed.
"""

from __future__ import annotations

'''


def modules(description: dict[str, Any]) -> dict[str, str]:
    """The files of the package by their names."""
    interface = Interface(description)
    stems = [headers.stem(one["name"]) for one in description["headers"]]
    made = {"__init__.py": PACKAGE + "".join(f"from .{stem} import *\n" for stem in stems)}
    for stem, one in zip(stems, description["headers"]):
        made[f"{stem}.py"] = Module(interface, one).text()
    return made


class Interface:
    """The description by names, and the types of its members in ctypes."""

    def __init__(self, description: dict[str, Any]) -> None:
        kinds = ("scalars", "handles", "callbacks", "constants", "structs", "functions")
        self.kind = {one["name"]: kind for kind in kinds for one in description[kind]}
        self.member = {one["name"]: one for kind in kinds for one in description[kind]}
        self.header = {name: one.get("header", "") for name, one in self.member.items()}
        self.callback_names: dict[str, str] = {}
        spelled: dict[str, list[str]] = {}
        for owner in (one["name"] for one in description["callbacks"]):
            struct, _, field = owner.removeprefix("mixtral_").partition(".")
            name = f"{field}_callback"
            # Another type under the same name has its struct's name before it.
            if spelled.get(name, self.prototype(owner)) != self.prototype(owner):
                name = f"{struct}_{name}"
            spelled[name] = self.prototype(owner)
            self.callback_names[owner] = name
            self.header.setdefault(name, self.header[owner])

    def type(self, one: dict[str, Any]) -> str:
        depth, base = one["depth"], one["base"]
        if one["kind"] == "callback":
            return self.callback_names[base]
        if one["kind"] == "void" and depth == 0:
            return "None"
        if one["kind"] == "void":
            kind, depth = "c_void_p", depth - 1
        elif one["kind"] == "handle":
            kind, depth = base, depth - 1
        elif base == "char" and depth:
            kind = "c_char_p" if one["const"][0] else "POINTER(c_char)"
            depth -= 1
        else:
            kind = self.scalar(base) if one["kind"] in ("integer", "float") else base
        return "POINTER(" * depth + kind + ")" * depth

    def scalar(self, name: str) -> str:
        """The name for a number: the interface's own name, ctypes' otherwise."""
        one = self.member[name]
        if one.get("alias"):
            return name
        return "c_size_t" if name == "size_t" else PLAIN[one["kind"], one["size"], one["signed"]]

    def prototype(self, callback: str) -> list[str]:
        one = self.member[callback]
        return [self.type(one["returns"]), *map(self.type, one["parameters"])]


class Module:
    """The declarations of one header, in its order and under its titles."""

    def __init__(self, interface: Interface, header: dict[str, Any]) -> None:
        self.interface = interface
        self.header = header
        self.known: set[str] = set()

    def text(self) -> str:
        body = "\n".join(map(self.section, self.header["sections"])).rstrip() + "\n"
        space = "\n\n" if body.startswith("class") else "\n"
        return MODULE.format(name=self.header["name"]) + self.imports(body) + space + body

    def section(self, section: dict[str, Any]) -> str:
        """Lines of a kind stand together; what is longer has blank lines around it."""
        title = section.get("title", "")
        text, before = f"# {title}\n" if title else "", ("title", "")
        for name in section["names"]:
            for kind, block in self.blocks(name):
                if text and (kind != before[0] or "\n" in block + before[1]):
                    text += "\n\n" if "class" in (kind, before[0]) else "\n"
                text += block + "\n"
                before = kind, block
        return text + ("\n" if before[0] == "class" else "")

    def blocks(self, name: str) -> list[tuple[str, str]]:
        """The lines that declare a name, each with its kind."""
        one, kind = self.interface.member[name], self.interface.kind[name]
        if kind == "constants":
            return [(one.get("group", ""), f"{name} = {one['value']}")]
        if kind == "scalars":
            return [("alias", f"{name} = {self.interface.scalar(one['alias'])}")]
        if kind == "handles":
            return [("handle", f"{name} = c_void_p")]
        if kind == "structs":
            return [*self.callbacks(one["fields"]), ("class", self.structure(one))]
        types = map(self.interface.type, [one["returns"], *one["parameters"]])
        function = call(name, "declare", [f'"{name}"', *types])
        return [*self.callbacks(one["parameters"]), ("function", function)]

    def callbacks(self, members: list[dict[str, Any]]) -> list[tuple[str, str]]:
        """The types of those callbacks among them that nothing before them has."""
        lines = []
        for one in members:
            name = self.interface.callback_names.get(one["base"], "")
            if self.interface.header.get(name) == self.header["name"] and name not in self.known:
                types = self.interface.prototype(one["base"])
                lines.append(("callback", call(name, "CFUNCTYPE", types)))
                self.known.add(name)
        return lines

    def structure(self, struct: dict[str, Any]) -> str:
        lines = [f"class {struct['name']}(Structure):", "    _fields_ = ["]
        for field in struct["fields"]:
            lines.append(f'        ("{field["name"]}", {self.interface.type(field)}),')
        return "\n".join([*lines, "    ]"])

    def imports(self, body: str) -> str:
        words = set(re.findall(r"\w+", re.sub(r'"\w+"|#.*', "", body)))
        of_ctypes = {"CFUNCTYPE", "POINTER", "Structure", "c_size_t", "c_void_p"}
        of_ctypes |= {"c_char", "c_char_p", *PLAIN.values()}
        own = "from .._library import declare\n" if "declare" in words else ""
        others: dict[str, set[str]] = {}
        for word in words:
            if (header := self.interface.header.get(word)) and header != self.header["name"]:
                others.setdefault(headers.stem(header), set()).add(word)
        own += "".join(listed(f".{stem}", others[stem]) for stem in sorted(others))
        return "\n".join(filter(None, [listed("ctypes", words & of_ctypes), own]))


def listed(module: str, names: set[str]) -> str:
    """An import of names; nothing without any."""
    line = f"from {module} import {', '.join(sorted(names))}\n"
    if len(line) > WIDTH:
        lines = [f"    {one},\n" for one in sorted(names)]
        line = f"from {module} import (\n{''.join(lines)})\n"
    return line if names else ""


def call(target: str, function: str, arguments: list[str]) -> str:
    """An assignment as ruff writes it: on one line, with its arguments on one, or each on its own."""
    line = f"{target} = {function}({', '.join(arguments)})"
    if len(line) <= WIDTH:
        return line
    line = f"    {', '.join(arguments)}"
    if len(line) > WIDTH:
        line = "\n".join(f"    {one}," for one in arguments)
    return f"{target} = {function}(\n{line}\n)"
