"""Five gates for what could end a call from inside: the checks of the compiler that are left in the rooms.

1. No room's own code has any. A room whose outlined code of the standard library has none either is
   linked with a name that is defined nowhere in their place (`checked` in Package.swift); for the
   others there is a ceiling a cause, in ceilings.json, that only falls.
2. No function holds the illegal instruction that a check without a name would be.
3. No room imports what ends the process; kernels and the step import nothing that allocates.
4. Rooms that read what others wrote, text and files, have strict memory safety.
5. Words that may not stand in Sources: Tests/Style/test_words.py.
"""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import traps

PACKAGE = (traps.ROOT / "Package.swift").read_text()
CEILINGS = json.loads(traps.CEILINGS.read_text())
CHECKED = set(re.findall(r'checked\("(\w+)"\)', PACKAGE))
SAFE = {"Base", "Formats", "Text", "Sampling"}

# The runtime's ways out, and its checks of exclusive access, which a call that fails half-way leaves open.
ENDINGS = re.compile(
    r"swift_beginAccess|.*_assertionFailure.*|.*_fatalErrorMessage.*|swift_unexpectedError"
    r"|swift_errorInMain|swift_dynamicCast\w*"
)
# Casts that give nothing where they do not fit; none of them is `as!`, which Tests/Style forbids.
CASTS = {
    ("Formats", "swift_dynamicCast"),
    ("Formats", "swift_dynamicCastClass"),
    ("Text", "swift_dynamicCastClass"),
    ("Model", "swift_dynamicCastClass"),
}
# (The metadata of a generic type is made once, when a table is; a step never asks for it.)
ALLOCATING = re.compile(
    r"swift_(slowAlloc|alloc(Object|Box|EmptyBox|Error)|bufferAllocate)"
    r"|malloc|calloc|realloc|posix_memalign"
)
# Files that run inside a step and may not allocate.
STEP = (
    *("Attention", "BlockProducts", "CodeDots", "CodeStorage", "Elementary", "Elementwise"),
    *("FloatProducts", "FloatTiles", "SuperblockProducts", "AVX2", "AVX2Dots", "Lanes256"),
    *("AVXVNNIDots", "AVX512", "Activations", "Experts", "PagedAttention", "WorkSharing"),
)


def imports(path) -> set[str]:
    return {line.split()[-1] for line in traps.tool("nm", "-u", str(path)).splitlines()}


@pytest.mark.parametrize("room", traps.ROOMS)
def test_gate_1_checks_only_become_fewer(room):
    found, allowed = traps.counts(room), CEILINGS.get(room, {})
    assert set(allowed) <= {*traps.OUTLINED, "other"}
    print(f"{room}: {sum(found.values())} checks of the compiler: {found}")
    risen = {part: count for part, count in found.items() if count > allowed.get(part, 0)}
    assert not risen, f"allowed are {allowed}; `python Tests/Traps/traps.py {room}` lists them"


def test_gate_1_rooms_without_checks_are_gated_by_the_link():
    assert CHECKED == set(traps.ROOMS) - set(CEILINGS)


def test_gate_1_a_check_that_comes_back_fails_the_link(tmp_path):
    """With the flags of Package.swift: the linker names the symbol and the function."""
    source = tmp_path / "left.swift"
    flags = ["-O", "-parse-as-library", "-emit-library", "-module-name", "Left", "-use-ld=lld"]
    flags += ["-Xfrontend", "-trap-function", "-Xfrontend", "a_check_was_left_in_Left"]
    flags += ["-Xlinker", "-z", "-Xlinker", "defs", "-o", str(tmp_path / "left.so")]

    def built(body: str) -> subprocess.CompletedProcess[str]:
        source.write_text(f"public func next(_ number: Int) -> Int {{ {body} }}\n")
        return subprocess.run(["swiftc", *flags, str(source)], capture_output=True, text=True)

    assert built("number &+ 1").returncode == 0
    failed = built("number + 1")
    assert failed.returncode != 0
    assert "a_check_was_left_in_Left" in failed.stdout + failed.stderr
    assert "Left.next(" in failed.stdout + failed.stderr or "4Left4next" in (
        failed.stdout + failed.stderr
    )


@pytest.mark.parametrize("room", [*traps.ROOMS, *traps.KERNELS])
def test_gate_2_no_function_ends_in_an_illegal_instruction(room):
    assert not traps.calls(room, re.compile(r"\tud2\b"))


@pytest.mark.parametrize("room", [*traps.ROOMS, *traps.KERNELS])
def test_gate_3_nothing_that_ends_the_process_is_imported(room):
    found = {
        (room, name)
        for path in traps.objects(room)
        for name in imports(path)
        if ENDINGS.fullmatch(name)
    }
    assert found <= CASTS


@pytest.mark.parametrize("name", STEP)
def test_gate_3_the_step_imports_nothing_that_allocates(name):
    paths = [
        path
        for room in traps.KERNELS
        for path in traps.objects(room)
        if path.name == f"{name}.swift.o"
    ]
    # Some texts are compiled in two rooms.
    assert paths
    for path in paths:
        assert not [symbol for symbol in imports(path) if ALLOCATING.fullmatch(symbol)], path


@pytest.mark.parametrize("room", sorted(SAFE))
def test_gate_4_rooms_that_read_what_others_wrote_spell_unsafe(room):
    target = re.search(rf'name: "{room}",[^)]*?swiftSettings: ([^\n]*)', PACKAGE)
    assert target and re.search(r"\+ safe\b", target[1])
