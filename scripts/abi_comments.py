"""Facts in the comments of the headers, by their conventions: statuses, releases, NULL, ranges."""

from __future__ import annotations

import bisect
import re


class Comments:
    """The comments of a C file by their lines."""

    def __init__(self, text: str) -> None:
        starts = [0, *(one.end() for one in re.finditer("\n", text))]
        self._beside: dict[int, str] = {}
        self._above: dict[int, str] = {}
        self._titles: list[tuple[int, str]] = []
        for one in re.finditer(r"/\*.*?\*/", text, re.DOTALL):
            plain = _plain(one.group())
            if title := re.fullmatch(r"-{8,} (.+)", plain):
                self._titles.append((bisect.bisect_right(starts, one.start()), title[1]))
            elif one.group().startswith("/**"):
                self._above[bisect.bisect_right(starts, one.end() - 1) + 1] = plain
            else:
                self._beside[bisect.bisect_right(starts, one.start())] = plain

    def of(self, line: int) -> str:
        """The comment of what is declared on this line: beside it, or a documenting one above."""
        return self._beside.get(line) or self._above.get(line, "")

    def section(self, line: int) -> str:
        """The title that stands above this line, as in "---- Statuses"; "" before the first."""
        place = bisect.bisect_right(self._titles, line, key=lambda one: one[0])
        return self._titles[place - 1][1] if place else ""


def _plain(comment: str) -> str:
    lines = comment.removeprefix("/*").removeprefix("*").removesuffix("*/").split("\n")
    return "\n".join(re.sub(r"^ *\*? ?", "", line).rstrip() for line in lines).strip()


def since(doc: str) -> str:
    """The release that brought it; "" when the comment does not say."""
    found = re.search(r"\bSince (\d+(\.\d+)+)", doc)
    return found.group(1) if found else ""


def statuses(docs: dict[str, str], name: str, known: set[str]) -> list[str]:
    """The statuses after @return, with those of functions it refers to by "as mixtral_…"."""
    promise = docs[name].partition("@return")[2]
    found = {word for word in re.findall(r"\b[A-Z][A-Z_]+\b", promise) if word in known}
    for other in re.findall(r"\bas (mixtral_\w+)", promise):
        if other != name and other in docs:
            found |= set(statuses(docs, other, known))
    return sorted(found)


def parameter(doc: str, name: str) -> str:
    """The words of a function's comment for one parameter."""
    found = re.search(rf"@param {name}\s(.*?)(?=@|\Z)", doc, re.DOTALL)
    return " ".join(found.group(1).split()) if found else ""


def nullable(doc: str) -> str:
    """Whether NULL is allowed: "yes", "no", or "empty" when only with a length of 0."""
    if re.search(r"\bNULL only with\b", doc):
        return "empty"
    return "yes" if re.search(r"\bor NULL\b|\bNULL( for|:| is OK)", doc) else "no"


def group(doc: str) -> str:
    """The constants that are allowed, by their common beginning."""
    found = re.search(r"\b(MIXTRAL_[A-Z0-9]+_)\*", doc)
    return found.group(1) if found else ""


def limits(doc: str, floating: bool) -> dict[str, float]:
    """The numbers of a range such as "1..512" or "[0, 1]". Zero is the default besides."""
    number = r"(-?\d+(?:\.\d+)?)"
    if not floating:
        found = re.search(r"(?<![\w.])(-?\d+)\.\.(\d+)(?![\w^])", doc)
        return {"minimum": int(found[1]), "maximum": int(found[2])} if found else {}
    found = re.search(rf"[\[(]{number}, {number}[\])]", doc)
    if found:
        return {"minimum": float(found[1]), "maximum": float(found[2])}
    found = re.match(rf">=? {number}", doc)
    return {"minimum": float(found[1])} if found else {}
