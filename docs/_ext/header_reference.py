"""The reference of the headers in MyST Markdown, from include/mixtral.abi.json.

The comments are the headers' own, their heads too. What is added follows from the roles of the parameters: who owns
what, when NULL is allowed, every status that may come back.
"""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"

GROUPS = {
    "status": "Statuses",
    "MIXTRAL_ISA_": "Instruction sets",
    "MIXTRAL_TOKENIZE_": "Flags of mixtral_tokenize",
    "MIXTRAL_DETOKENIZE_": "Flags of mixtral_detokenize",
    "MIXTRAL_CACHE_": "Cache types",
}
# The rules at the head of the header for a parameter, by its role.
ROLES = {
    "new_handle": "receives the new handle, NULL on an error",
    "needed": "receives the count needed, also with BUFFER_TOO_SMALL",
    "buffer": "the caller's; left alone when `capacity` is too small; NULL with capacity 0 asks",
    "result": "receives the result, 0 on an error",
    "results": "the caller's, one entry each",
    "options": "NULL: all defaults; else `struct_size` is set",
    "description": "its `struct_size` is set by the caller",
    "text": "NUL-terminated",
}


class Reference:
    """The pages' text. Names of the interface become links wherever a comment mentions them."""

    def __init__(self, include: pathlib.Path) -> None:
        self.include = include
        self.description = description = json.loads((include / "mixtral.abi.json").read_text())
        self.callbacks = {one["name"]: one for one in description["callbacks"]}
        self.structs = {one["name"]: one for one in description["structs"]}
        self.statuses = [
            one["name"] for one in description["constants"] if one.get("group") == "status"
        ]
        self.links = {one["name"]: "c:func" for one in description["functions"]}
        self.links |= dict.fromkeys(self.structs, "c:struct")
        self.links |= {one["name"]: "c:type" for one in description["handles"]}
        self.links |= {one["name"]: "c:enumerator" for one in description["constants"]}
        self.links["mixtral_token"] = "c:type"

    def text(self) -> str:
        """mixtral.h first, with the rules that hold for all; of the others each as a part of its own."""
        first, *others = [one["name"] for one in self.description["headers"]]
        rules = head(self.include / first).partition("Rules that hold for every function:\n")[2]
        parts = ["## Rules that hold for every function", *self.rules(rules), *self.members(first)]
        for name in others:
            parts += [f"## {name}", *self.rules(head(self.include / name))]
            parts += self.members(name, f" of {name}")
        return "\n\n".join([*parts, ""])

    def rules(self, head: str) -> list[str]:
        return [f"{word and f'**{word}** '}{self.linked(rest)}" for word, rest in rules(head)]

    def members(self, header: str, of: str = "") -> list[str]:
        """Everything that a header declares, by its kind."""
        kinds = {
            "Functions": list(map(self.function, self.declared("functions", header))),
            "Structs": list(map(self.struct, self.declared("structs", header))),
            "Handles and numbers": [
                *map(self.handle, self.declared("handles", header)),
                *map(self.alias, self.declared("scalars", header)),
            ],
            "Constants": self.constants(self.declared("constants", header)),
        }
        return [
            part for title, parts in kinds.items() if parts for part in (f"## {title}{of}", *parts)
        ]

    def declared(self, kind: str, header: str) -> list[dict[str, Any]]:
        return [one for one in self.description[kind] if one.get("header") == header]

    def function(self, one: dict[str, Any]) -> str:
        doc = Doc(one["doc"])
        fields = []
        for some in one["parameters"]:
            said = [f"*{some['direction']}*", self.said(some, doc.parameters.get(some["name"], ""))]
            fields.append(f":param {some['name']}: {', '.join(filter(None, said))}")
        if doc.returns:
            fields.append(f":returns: {self.linked(doc.returns)}")
        if one["statuses"]:
            every = [name.removeprefix("MIXTRAL_") for name in self.statuses]
            named = [name for name in every if name in one["statuses"] and name != "OK"]
            fields.append(f":Errors: {', '.join(map(self.status, named))}")
        fields.append(f":Ownership: {self.ownership(one)}")
        if doc.threads:
            fields.append(f":Threads: {self.linked(doc.threads)}")
        fields.append(f":Since: {one['since']}")
        arguments = ", ".join(declared(some["type"], some["name"]) for some in one["parameters"])
        signature = declared(one["returns"]["type"], f"{one['name']}({arguments or 'void'})")
        heading = f"### {one['name']}"
        body = f"{self.linked(doc.summary)}\n\n" + "\n".join(fields)
        return f"{heading}\n\n" + fenced("c:function", signature, body)

    def said(self, parameter: dict[str, Any], own: str) -> str:
        """The header's words, or else what the role means."""
        words = own or ROLES.get(parameter["role"], "")
        if parameter["role"] == "text" and own and "NUL" not in own:
            words = f"NUL-terminated; {own}"
        if parameter.get("length") and parameter["role"] not in ("buffer",) and not own:
            words = f"`{parameter['length']}` entries, read during the call"
            if parameter["direction"] == "out":
                words = f"`{parameter['length']}` entries to be filled"
        if parameter.get("nullable") == "yes" and "NULL" not in words:
            words = "; ".join(filter(None, [words, "may be NULL"]))
        return self.linked(words)

    def ownership(self, one: dict[str, Any]) -> str:
        if one["name"] == "mixtral_free":
            return "ends the caller's."
        words = []
        made = [some for some in one["parameters"] if some["role"] == "new_handle"]
        if made:
            words.append(f"`{made[0]['name']}` is the caller's; free it with mixtral_free.")
        if one["returns"]["depth"]:
            words.append("the text is the library's; it is not freed.")
        if made and any(self.has_callback(some["base"]) for some in one["parameters"]):
            words.append("The callback and its `user` pointer are kept until the object is freed.")
        elif any(some["depth"] for some in one["parameters"]):
            words.append("Nothing of the caller's memory is kept after the call.")
        return self.linked(" ".join(words) or "nothing changes hands.")

    def has_callback(self, struct: str) -> bool:
        fields = self.structs.get(struct, {"fields": []})["fields"]
        return any(field["kind"] == "callback" for field in fields)

    def struct(self, one: dict[str, Any]) -> str:
        members = []
        for field in one["fields"]:
            spelled = declared(field["type"], field["name"])
            if field["kind"] == "callback":
                spelled = self.callback(self.callbacks[field["base"]], field["name"])
            words = field.get("doc", "")
            if field["name"] == "struct_size":
                words = f"sizeof({one['name']})"
            elif field.get("length") and not words:
                words = f"`{field['length']}` entries"
            members.append(fenced("c:member", spelled, self.linked(words)))
        size = f"{one['size']} bytes where pointers have eight."
        body = "\n\n".join([self.linked(one.get("doc", "")), size, *members]).strip()
        return f"### {one['name']}\n\n" + fenced("c:struct", one["name"], body)

    def callback(self, one: dict[str, Any], name: str) -> str:
        arguments = ", ".join(declared(some["type"], some["name"]) for some in one["parameters"])
        return f"{one['returns']['type']} (*{name})({arguments})"

    def handle(self, one: dict[str, Any]) -> str:
        makers = " or ".join(one["created_by"])
        words = f"An opaque handle, made by {makers}, freed by mixtral_free."
        return fenced("c:type", one["name"], self.linked(words))

    def alias(self, one: dict[str, Any]) -> str:
        return fenced("c:type", f"{one['alias']} {one['name']}", "")

    def constants(self, constants: list[dict[str, Any]]) -> list[str]:
        groups: dict[str, list[str]] = {}
        for one in constants:
            body = self.linked(one.get("doc", ""))
            entry = fenced("c:enumerator", f"{one['name']} = {one['value']}", body)
            groups.setdefault(one.get("group", ""), []).append(entry)
        # A group that has no title yet still has its constants on the page.
        return [
            f"### {GROUPS.get(group, f'{group}*')}\n\n" + "\n\n".join(entries)
            for group, entries in groups.items()
        ]

    def status(self, name: str) -> str:
        return f"{{c:enumerator}}`{name} <MIXTRAL_{name}>`"

    def linked(self, text: str) -> str:
        """A comment as Markdown: names become links, code stays code, the rest stays as it is."""
        parts = re.split(r"(`[^`]*`|\bMIXTRAL_[A-Z0-9]+_\*|\b\w+\b(?:\(\))?)", text)
        return "".join(map(self._part, parts))

    def _part(self, part: str) -> str:
        if part.startswith("`"):
            return part
        if part.endswith("_*"):
            return f"`{part}`"
        if (name := part.removesuffix("()")) in self.links:
            return f"{{{self.links[name]}}}`{name}`"
        if f"MIXTRAL_{part}" in self.statuses and part != "OK":
            return self.status(part)
        return re.sub(r"([\\*<>\[\]])", r"\\\1", part)


class Doc:
    """A comment of the header in its parts."""

    def __init__(self, text: str) -> None:
        text = re.sub(r"\s*\bSince [\d.]*\d\.", "", text)
        summary, *tagged = re.split(r"@(?=param|return)", text)
        self.parameters: dict[str, str] = {}
        self.returns = self.threads = ""
        for one in tagged:
            word, _, rest = one.partition(" ")
            if word == "param":
                name, _, said = rest.strip().partition(" ")
                self.parameters[name] = joined(said).removesuffix(".")
            else:
                self.returns, _, self.threads = map(joined, rest.partition("Threads:"))
        self.summary = "\n\n".join(map(joined, summary.split("\n\n"))).strip()


def head(path: pathlib.Path) -> str:
    """The comment that a header begins with."""
    found = re.match(r"/\*\n(.*?)\*/", path.read_text(), re.DOTALL)
    return re.sub(r"^ \*", "", found[1], flags=re.MULTILINE) if found else ""


def rules(head: str) -> list[tuple[str, str]]:
    """The paragraphs of a head: the word that each begins with, or "", and the rest."""
    found = []
    for one in re.split(r"\n(?= \w+\.? {2,}|\n)", head):
        words = re.match(r" (\w+\.?) {2,}(.*)", one, re.DOTALL)
        found.append((words[1], joined(words[2])) if words else ("", joined(one)))
    return [rule for rule in found if rule[1]]


def joined(text: str) -> str:
    return " ".join(text.split())


def declared(type: str, name: str) -> str:
    return f"{type}{'' if type.endswith('*') else ' '}{name}"


def fenced(directive: str, argument: str, body: str) -> str:
    """A directive; its fence is longer than those inside."""
    fence = "`" * (
        max([3, *(len(found) for found in re.findall(r"^`{3,}", body, re.MULTILINE))]) + 1
    )
    return f"{fence}{{{directive}}} {argument}\n{body}\n{fence}"


def text(include: pathlib.Path = INCLUDE) -> str:
    return Reference(include).text()
