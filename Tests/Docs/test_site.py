"""The built site: every link leads somewhere, nothing comes from elsewhere, the references are whole."""

from __future__ import annotations

import html.parser
import json
import pathlib
import re
import sys
import urllib.parse

import blocks
import headers
import pytest

SITE = blocks.ROOT / ".build" / "site"
DESCRIPTION = json.loads((blocks.ROOT / "include" / "mixtral.abi.json").read_text())
PAGES = sorted(SITE.rglob("*.html"))


class Page(html.parser.HTMLParser):
    """The links, the places and the loaded files of a page."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if found.get("id"):
            self.places.add(found["id"])
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        loaded = found.get("href") if tag == "link" else found.get("src")
        if loaded:
            self.loaded.append(loaded)


@pytest.fixture(scope="module")
def site() -> dict[pathlib.Path, Page]:
    if not PAGES:
        pytest.fail(f"{SITE} is empty: make docs", pytrace=False)
    return {path: Page(path) for path in PAGES}


def test_links_lead_somewhere(site):
    broken = []
    for path, page in site.items():
        for link in page.links:
            target, place = urllib.parse.urldefrag(link)
            if urllib.parse.urlsplit(target).scheme:
                continue
            other = (path.parent / urllib.parse.unquote(target)).resolve() if target else path
            if not other.is_file() or (place and place not in site[other].places):
                broken.append(f"{path.relative_to(SITE)}: {link}")
    assert not broken


def test_nothing_is_loaded_from_elsewhere(site):
    for path, page in site.items():
        for loaded in page.loaded:
            parts = urllib.parse.urlsplit(loaded)
            assert not parts.scheme and not parts.netloc, f"{path}: {loaded}"
            assert (path.parent / parts.path).exists(), f"{path}: {loaded}"


def test_the_headers_are_whole(site):
    names = [one["name"] for kind in ("functions", "structs") for one in DESCRIPTION[kind]]
    names += [one["name"] for kind in ("handles", "constants") for one in DESCRIPTION[kind]]
    names += [
        f"{one['name']}.{some['name']}" for one in DESCRIPTION["structs"] for some in one["fields"]
    ]
    assert {f"c.{name}" for name in names} <= site[SITE / "reference" / "c.html"].places


@pytest.mark.parametrize("function", DESCRIPTION["functions"], ids=lambda one: one["name"])
def test_the_words_of_the_headers_are_there(function):
    """All words of a comment stand on the page, in their order up to the first @param."""
    page = (SITE / "reference" / "c.html").read_text()
    text = html.unescape(re.sub(r"<[^>]*>", "", page))
    shown = re.findall(r"\w+", text[text.index(f"{function['name']}¶") :])
    first = re.split(r"@param|@return|Since", function["doc"])[0]
    words = re.findall(r"\w+", first)
    assert any(shown[at : at + len(words)] == words for at in range(120))
    assert set(re.findall(r"\w+", function["doc"])) - {"param", "return"} <= set(shown)


@pytest.mark.parametrize("name", headers.names())
def test_the_head_of_a_header_is_there(site, name):
    """Of mixtral.h the rules, which hold for all; of another all."""
    head = (headers.INCLUDE / name).read_text().partition("/*")[2].partition("*/")[0]
    if name == "mixtral.h":
        head = head.partition("Rules that hold for every function:")[2]
    page = (SITE / "reference" / "c.html").read_text()
    shown = re.findall(r"\w+", html.unescape(re.sub(r"<[^>]*>", "", page)))
    words = re.findall(r"\w+", head)
    assert any(shown[at : at + len(words)] == words for at in range(len(shown)))


def test_the_python_package_is_whole(site):
    sys.path.insert(0, str(blocks.ROOT / "bindings" / "python"))
    import mixtral

    public = {f"mixtral.{name}" for name in mixtral.__all__ if not name.startswith("__")}
    assert public <= site[SITE / "reference" / "python.html"].places
