"""include/mixtral.abi.json says what the headers say, and follows when one grows."""

from __future__ import annotations

import ctypes
import re

import pytest
from mixtral import _library, _raw

import abi

DESCRIPTION = abi.read()

ADDITION = """
enum { MIXTRAL_PAINT_RED = 1, MIXTRAL_PAINT_BLUE = 4 };
typedef struct mixtral_brush mixtral_brush;
typedef struct mixtral_paint_options {
  uint32_t struct_size;
  uint32_t colour;  /* MIXTRAL_PAINT_* */
  float wetness;    /* [0, 2.5]; 0: dry */
  uint32_t strokes; /* 1..99; 0: 3 */
} mixtral_paint_options;

/** Makes a brush. @return OK; LIMIT_EXCEEDED. Since 0.2. */
mixtral_status mixtral_brush_create(mixtral_brush **brush, const mixtral_paint_options *options);

/** Paints. @param text `size` bytes; NULL only with size 0. @param flags MIXTRAL_PAINT_*.
 *  @return as mixtral_brush_create, and IO. Since 0.10. */
mixtral_status mixtral_paint(size_t *count, float *buffer, size_t capacity, mixtral_brush *brush, const char *path,
                             const char *text, size_t size, uint32_t flags);

#ifdef __cplusplus
}
"""


def test_is_current():
    run = abi.script("make_abi.py", "--check")
    assert run.returncode == 0, run.stderr


def test_check_sees_any_change(include, tmp_path):
    changed = abi.copied(include, tmp_path) / "mixtral.h"
    text = changed.read_text()
    changed.write_text(text.replace("uint32_t cache_type;", "uint64_t cache_type;"))
    run = abi.script("make_abi.py", "--check", "--include", changed.parent)
    assert run.returncode != 0
    assert "run make abi" in run.stderr


def test_every_function_has_a_release_and_statuses():
    for one in DESCRIPTION["functions"]:
        assert re.fullmatch(r"\d+\.\d+", one.get("since", "")), one["name"]
        if one["returns"]["base"] == "mixtral_status":
            assert "OK" in one["statuses"], one["name"]
        else:
            assert "Cannot fail" in one["doc"], one["name"]


def test_every_handle_can_be_made():
    for one in DESCRIPTION["handles"]:
        assert one["created_by"], one["name"]


def test_versions_are_the_librarys():
    assert DESCRIPTION["abi_version"] == _raw.mixtral_abi_version()
    assert DESCRIPTION["library"] == _library.LIBRARY_NAME
    assert DESCRIPTION["pointer_size"] == ctypes.sizeof(ctypes.c_void_p)
    version = [int(one) for one in _raw.mixtral_version().split(b".")]
    assert version[:2] >= [int(one) for one in DESCRIPTION["release"].split(".")]


@pytest.fixture(scope="module")
def grown(include, tmp_path_factory):
    """The description of a header with additions."""
    folder = tmp_path_factory.mktemp("grown")
    header = abi.copied(include, folder) / "mixtral.h"
    text = header.read_text()
    place = text.rindex("#ifdef __cplusplus\n}\n")
    header.write_text(
        text[:place] + ADDITION + text[place:].removeprefix("#ifdef __cplusplus\n}\n")
    )
    made = folder / "made.json"
    run = abi.script("make_abi.py", "--include", header.parent, "--output", made)
    assert run.returncode == 0, run.stderr
    return abi.read(made)


def test_additions_are_found(grown):
    for kind in ("functions", "structs", "constants", "handles"):
        before, after = abi.named(DESCRIPTION[kind]), abi.named(grown[kind])
        assert before.items() <= after.items()
        assert len(after) > len(before)
    assert grown["release"] == "0.10"
    assert grown["handles"][-1]["created_by"] == ["mixtral_brush_create"]
    assert [one["group"] for one in grown["constants"][-2:]] == ["MIXTRAL_PAINT_"] * 2


def test_fields_of_an_addition(grown):
    structure = abi.named(grown["structs"])["mixtral_paint_options"]
    assert structure["size"] == 16
    assert structure["sized"]
    fields = abi.named(structure["fields"])
    assert [one["offset"] for one in structure["fields"]] == [0, 4, 8, 12]
    assert fields["colour"]["group"] == "MIXTRAL_PAINT_"
    assert (fields["wetness"]["minimum"], fields["wetness"]["maximum"]) == (0, 2.5)
    assert (fields["strokes"]["minimum"], fields["strokes"]["maximum"]) == (1, 99)


def test_roles_of_an_addition(grown):
    paint = abi.named(grown["functions"])["mixtral_paint"]
    assert [(one["role"], one["nullable"]) for one in paint["parameters"]] == [
        ("needed", "no"),
        ("buffer", "empty"),
        ("capacity", "no"),
        ("handle", "no"),
        ("text", "no"),
        ("array", "empty"),
        ("length", "no"),
        ("flags", "no"),
    ]
    assert {"IO", "LIMIT_EXCEEDED", "INVALID_HANDLE", "BUFFER_TOO_SMALL"} <= set(paint["statuses"])
    brush = abi.named(grown["functions"])["mixtral_brush_create"]["parameters"]
    assert [one["role"] for one in brush] == ["new_handle", "options"]
