"""The role of a parameter, by the header's conventions: outputs first, (count, buffer, capacity),
arrays before their length, options with a struct_size.

Roles of parameters: "handle"; "any_handle" (void *); "handles", an array; "new_handle", receives one;
"result", receives a number; "needed", receives the count that a "buffer" with its "capacity" needs;
"array" with its "length"; "results", an array to fill; "options" and "description", structs that
begin with struct_size; "record", another struct; "text", NUL-terminated; "callback" and its "user"
pointer; "flags"; "number".
"""

from __future__ import annotations

from typing import Any

LENGTHS = ("count", "size")
OUTPUTS = {"new_handle", "result", "needed", "buffer", "results"}


def assign(parameters: list[dict[str, Any]], structs: dict[str, dict[str, Any]]) -> None:
    """Adds to each parameter its role, its direction, its length's name, and when NULL is allowed."""
    for index, one in enumerate(parameters):
        before, after = parameters[:index], parameters[index + 1 :]
        one["role"] = role = _role(one, before, after, structs)
        one["direction"] = "out" if role in OUTPUTS else "in"
        one["length"] = ""
        if role == "buffer":
            one["length"] = "capacity"
            one["nullable"] = "empty"
        elif role in ("array", "handles"):
            one["length"] = next((some["name"] for some in after if _is_length(some)), "")
        elif role == "results":
            near = [*before[::-1], *after]
            one["length"] = next((some["name"] for some in near if _is_length(some)), "")
        elif role == "options":
            one["nullable"] = "yes"
        elif role == "description":
            one["direction"] = "inout"


def _role(
    one: dict[str, Any],
    before: list[dict[str, Any]],
    after: list[dict[str, Any]],
    structs: dict[str, dict[str, Any]],
) -> str:
    kind, depth = one["kind"], one["depth"]
    constant = bool(one["const"]) and one["const"][0]
    follower = after[0]["name"] if after else ""
    if kind == "callback":
        return "callback"
    if kind == "handle":
        if depth == 1:
            return "handle"
        return "handles" if one["const"][1] else "new_handle"
    if depth == 0:
        if one["name"] in ("flags", "capacity"):
            return one["name"]
        arrays = [some for some in before if some.get("length") == one["name"]]
        return "length" if arrays else "number"
    if not constant and follower == "capacity":
        return "buffer"
    if kind == "void":
        if any(_is_length(some) for some in after[:1]):
            return "array"
        return "user" if one["name"] == "user" else "any_handle"
    if kind == "struct" and structs[one["base"]]["sized"]:
        return "options" if constant else "description"
    if constant:
        # Arrays may share a length; text is NUL-terminated unless its own follows at once.
        if any(_is_length(some) for some in (after[:1] if one["base"] == "char" else after)):
            return "array"
        return "text" if one["base"] == "char" else "record"
    # Results are one a handle where there are many handles, or else behind the count.
    many = any(some["kind"] == "handle" and some["const"][1:] == [True] for some in after)
    if many or any(some["depth"] == 0 for some in before):
        return "results"
    return "needed" if after and after[0]["name"] == "buffer" else "result"


def _is_length(one: dict[str, Any]) -> bool:
    return one["depth"] == 0 and one["name"] in LENGTHS


def pair_lengths(fields: list[dict[str, Any]]) -> None:
    """Names for each field that is an array the field with its length."""
    for one, after in zip(fields, [*fields[1:], None]):
        one["length"] = ""
        data = one["depth"] == 1 and one["kind"] not in ("void", "callback")
        if data and after and after["name"].split("_")[-1] in LENGTHS:
            one["length"] = after["name"]


def statuses(parameters: list[dict[str, Any]]) -> set[str]:
    """The statuses that the header's general rules promise of a function with these parameters."""
    roles = {one["role"] for one in parameters}
    found = {"OK"}
    if roles & {"handle", "any_handle", "handles"}:
        found |= {"INVALID_HANDLE", "FORKED"}
    if any(one["depth"] and one["role"] not in ("handle", "any_handle") for one in parameters):
        found.add("INVALID_ARGUMENT")
    if "options" in roles:
        found.add("UNSUPPORTED")
    if "buffer" in roles:
        found.add("BUFFER_TOO_SMALL")
    return found


def makers(handle: str, functions: list[dict[str, Any]]) -> dict[str, Any]:
    """The functions that create a kind of handle."""
    return {
        "created_by": [
            one["name"]
            for one in functions
            for some in one["parameters"]
            if some["role"] == "new_handle" and some["base"] == handle
        ]
    }
