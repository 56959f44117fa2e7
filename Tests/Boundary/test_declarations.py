"""Other languages declare what the description says today, in the file that its header's name says."""

from __future__ import annotations

import re

import abi


def test_everything_written_is_current():
    done = abi.script("make_declarations.py", "--check")
    assert done.returncode == 0, done.stderr


def test_each_function_is_implemented_where_its_header_says(root):
    """mixtral.h in Sources/Mixtral itself, mixtral/NAME.h in its folder NAME."""
    places = {}
    for path in sorted((root / "Sources" / "Mixtral").rglob("*.swift")):
        folder = path.parent.relative_to(root / "Sources" / "Mixtral")
        for name in re.findall(r"^public func (mixtral_\w+)\(", path.read_text(), re.MULTILINE):
            places[name] = str(folder)
    functions = abi.read()["functions"]
    assert set(places) == {one["name"] for one in functions}
    for one in functions:
        name = one["header"].removeprefix("mixtral/").removesuffix(".h")
        assert places[one["name"]] == ("." if name == "mixtral" else name), one["name"]
