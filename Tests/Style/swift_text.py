"""Swift as text: code without comments and strings, declarations with bodies, loops, comments."""

from __future__ import annotations

import functools
import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "Sources").rglob("*.swift"))
# Each text once: a symbolic link builds it in a second room.
TEXTS = [path for path in SOURCES if not path.is_symlink()]


def room(path: pathlib.Path) -> str:
    return path.relative_to(ROOT / "Sources").parts[0]


def name(path: pathlib.Path) -> str:
    return str(path.relative_to(ROOT))


@functools.cache
def code(path: pathlib.Path) -> str:
    return stripped(path.read_text("utf-8"))


def lines(path: pathlib.Path) -> list[tuple[int, str]]:
    """Each line's number and its code."""
    return list(enumerate(code(path).splitlines(), 1))


def blanked(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def stripped(text: str) -> str:
    """The same text with spaces for comments and for the words of strings.

    Every line and column stays where it was. What a string interpolates is code and stays, between
    its parentheses; the backslash before it goes.
    """
    out: list[str] = []
    end = copy_code(text, 0, out, "")
    assert end == len(text), f"unbalanced at {end}"
    return "".join(out)


def copy_code(text: str, start: int, out: list[str], closing: str) -> int:
    """Copies code from `start` up to `closing` at depth 0, or the end; returns where it stopped."""
    at, depth = start, 0
    while at < len(text):
        if text.startswith("//", at):
            end = (text + "\n").index("\n", at)
            out.append(" " * (end - at))
            at = end
        elif text.startswith("/*", at):
            end = comment_end(text, at)
            out.append(blanked(text[at:end]))
            at = end
        elif opening := re.compile(r'#*("""|")').match(text, at):
            at = copy_string(text, opening, out)
        elif closing and depth == 0 and text[at] == closing:
            return at
        else:
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            out.append(text[at])
            at += 1
    return at


def comment_end(text: str, start: int) -> int:
    """Where a comment between /* and */ ends; they nest."""
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def copy_string(text: str, opening: re.Match[str], out: list[str]) -> int:
    """Copies a literal's quotes and what it interpolates; returns where it ends."""
    quote = opening[1]
    hashes = opening[0].removesuffix(quote)
    out.append(opening[0])
    at = opening.end()
    while at < len(text):
        if text.startswith(quote + hashes, at):
            out.append(quote + hashes)
            return at + len(quote + hashes)
        if text.startswith("\\" + hashes, at):
            at += 1 + len(hashes)
            out.append(" " * (1 + len(hashes)))
            if text[at] == "(":
                out.append("(")
                at = copy_code(text, at + 1, out, ")")
                out.append(")")
                at += 1
                continue
        out.append(blanked(text[at]))
        at += 1
    return at


class Function(NamedTuple):
    """A declaration with a body: a function, an initialiser, a subscript, a computed variable."""

    name: str
    first_line: int
    line_count: int


DECLARATION = re.compile(
    r"\bfunc\s+(?P<func>[^\s(<]+)|(?<![.\w])(?P<init>init)[?!]?\s*(?=[(<])|(?<![.\w])(?P<deinit>deinit)\b"
    r"|(?<![.\w])(?P<subscript>subscript)\s*(?=[(<])"
    r"|\bvar\s+(?P<var>\w+)\s*:(?=[^={}\n]*(\n\s*)?\{)"
)
TYPE = re.compile(
    r"\b(?:struct|class|enum|actor|protocol|extension)\s+(?!func\b|var\b|let\b)([\w.]+)"
)
# The beginning of a line before which a declaration had no body.
NEXT = re.compile(
    r"\n\s*(?:@|#|(?:public|package|internal|private|fileprivate|static|final|mutating|nonisolated|func"
    r"|init|deinit|subscript|var|let|struct|class|enum|protocol|extension|typealias|associatedtype"
    r"|case|import)\b)"
)


def matching(code: str, at: int) -> int:
    """Where the bracket at `at` closes."""
    depth = 0
    for mark in re.compile(r"[(\[{]|[)\]}]").finditer(code, at):
        depth += 1 if mark[0] in "([{" else -1
        if depth == 0:
            return mark.start()
    raise ValueError(f"nothing closes the bracket at {at}")


def body_start(code: str, at: int) -> int | None:
    """The brace that opens the body of a declaration that begins before `at`; None without one."""
    while at < len(code):
        if code[at] == "{":
            return at
        if code[at] == "}" or NEXT.match(code, at):
            return None
        at = matching(code, at) + 1 if code[at] in "([" else at + 1
    return None


def labels(code: str, at: int) -> str:
    """The labels of the parameters that begin at or after `at`: `(_:count:)`."""
    start = code.index("(", at)
    inside = code[start + 1 : matching(code, start)]
    while (flat := re.sub(r"\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>|\{[^{}]*\}", "", inside)) != inside:
        inside = flat
    parts = [part.split() for part in re.sub(r"@\w+\s", "", inside).split(",")]
    return "(" + "".join(f"{words[0].rstrip(':')}:" for words in parts if words) + ")"


def types(code: str) -> list[tuple[int, int, str]]:
    """Start, end and name of each type's and extension's body."""
    found = []
    for match in TYPE.finditer(code):
        start = body_start(code, match.end())
        if start is not None:
            found.append((start, matching(code, start), match[1]))
    return found


def functions(path: pathlib.Path) -> list[Function]:
    text = code(path)
    owners = types(text)
    found = []
    for match in DECLARATION.finditer(text):
        kind = match.lastgroup
        start = body_start(text, match.end())
        if start is None:
            continue
        around = [owner for first, last, owner in owners if first < match.start() < last]
        spelled = match[kind] + (labels(text, match.end()) if kind not in ("var", "deinit") else "")
        first, last = text.count("\n", 0, match.start()), text.count("\n", 0, matching(text, start))
        found.append(Function(".".join([*around[-1:], spelled]), first + 1, last - first + 1))
    return found


COUNTING = re.compile(r"\bwhile\s+(\w+)\s*(?:<|<=|>|>=|!=)\s*(?:[^{}&|,]|&[-+*<>])+?\{")


def counting_loops(text: str) -> list[int]:
    """Lines of the `while` loops of some code that only count.

    Their condition compares one variable, and their body changes it once, by a constant.
    """
    found = []
    for match in COUNTING.finditer(text):
        start = match.end() - 1
        body = text[start : matching(text, start)]
        variable = rf"(?<![.\w]){match[1]}\s*"
        changes = re.findall(rf"{variable}(?:&?[-+*/%]|<<|>>|[&|^])?=(?!=)", body)
        steps = re.findall(rf"{variable}&?[-+]=\s*[\w.]+\s*(?:[;}}\n]|$)", body)
        if len(changes) == len(steps) == 1:
            found.append(text.count("\n", 0, match.start()) + 1)
    return found


def comment_blocks(text: str) -> list[tuple[int, str]]:
    """First line and words of each comment: lines with the same marks after one another are one."""
    found: list[tuple[int, str, str]] = []
    code_lines = stripped(text).splitlines()
    previous = None
    for number, (line, left) in enumerate(zip(text.splitlines(), code_lines)):
        mark = re.match(r"(///?)\s?(.*)", line[len(left.rstrip()) :].lstrip())
        if not mark:
            continue
        alone = not left.strip()
        if alone and previous == (number - 1, mark[1]):
            found[-1] = (found[-1][0], mark[1], f"{found[-1][2]}\n{mark[2]}")
        else:
            found.append((number + 1, mark[1], mark[2]))
        previous = (number, mark[1]) if alone else None
    return [(number, words) for number, _, words in found]
