"""Gates for what could end a call from inside, or the process: looked for in the linked library.

1. Checks of the compiler: a ceiling for each room's own functions and one for the standard library's,
   in ceilings.json, that only fall.
2. No illegal instruction, which a check without a name would be, but the one of a failure outside of
   any call.
3. The library asks the system for what imports.txt lists and nothing else: nothing that ends the
   process or prints. No kernel asks for memory.
4. Rooms that read what others wrote, text and files, have strict memory safety.
5. Words that may not stand in Sources: Tests/Style/test_words.py.
"""

from __future__ import annotations

import json
import pathlib
import re

import pytest
import traps

PACKAGE = (traps.ROOT / "Package.swift").read_text()
CEILINGS = json.loads(traps.CEILINGS.read_text())
IMPORTS = set(pathlib.Path(__file__).with_name("imports.txt").read_text().split())
SAFE = {"Base", "Formats", "Text", "Sampling"}

ENDINGS = re.compile(
    r"abort|_?_?exit\w*|raise|kill|t?g?kill|__assert\w*|__stack_chk_fail|__fortify_fail|__\w+_chk"
    r"|\w*printf\w*|f?puts|f?putc(har)?|perror|std(out|err)|sigaltstack|signal"
)
ALLOCATING = re.compile(
    r"\t(call|jmp|bl?)\s.*<(swift_(slowAlloc|alloc\w+)|(__wrap_)?posix_memalign|malloc|calloc)(@plt)?>"
)


def test_gate_1_checks_only_become_fewer():
    found = traps.counts()
    print(found)
    risen = {part: count for part, count in found.items() if count > CEILINGS.get(part, 0)}
    assert not risen, f"allowed are {CEILINGS}; `python Tests/Traps/traps.py {' '.join(risen)}`"


def test_gate_1_checks_are_found_and_known_by_their_room():
    found = traps.counts()
    # Strings of the standard library have some; else the flag was not in force.
    assert found[traps.LIBRARY_PART] > 0
    assert set(found) <= {*traps.ROOMS, traps.LIBRARY_PART}
    assert traps.room("$e4Base12ExclusiveUseC5beginyyAA11EngineErrorVYKF") == "Base"
    assert traps.room("$es5Int16V4BaseE3fooSiyF") == "Base"
    assert traps.room("$eSS9_nativeGetIndex") is None


@pytest.mark.parametrize("room", traps.ROOMS)
def test_gate_1_every_room_is_in_the_library(room):
    prefix = f"<$e{len(room)}{room}"
    assert any(prefix in line for line in traps.disassembly() if line.endswith(">:"))


def test_gate_1_every_room_sends_its_checks_to_the_recovery_point():
    assert re.search(r'let trap: .*\n.*"-trap-function", "-Xfrontend", "platform_trap"', PACKAGE)
    settings = re.findall(
        r"\nlet (room|pass)\b[^=]*=\s*([^\n]*)|func (kernels)[^{]*\{\s*([^\n]*)", PACKAGE
    )
    for first, value, second, body in settings:
        assert re.search(r"\b(trap|room)\b", value or body), first or second


def test_gate_2_no_illegal_instruction_but_that_of_a_failure_outside_any_call():
    found = traps.functions_with(re.compile(r"\t(ud2|brk|udf)\b"))
    assert set(found) <= {"platform_fail"}
    assert found.total() <= 1


def test_gate_3_the_system_is_asked_for_what_is_listed():
    lines = traps.tool("nm", "-D", "--undefined-only", str(traps.LIBRARY)).splitlines()
    found = {line.split()[-1].split("@")[0] for line in lines}
    assert found == IMPORTS
    assert not [name for name in found if ENDINGS.fullmatch(name)]


def test_gate_3_kernels_ask_for_no_memory():
    found = traps.functions_with(ALLOCATING)
    assert found
    assert not [name for name in found if (traps.room(name) or "").startswith("Kernels")]


@pytest.mark.parametrize("room", sorted(SAFE))
def test_gate_4_rooms_that_read_what_others_wrote_spell_unsafe(room):
    target = re.search(rf'name: "{room}",[^)]*?swiftSettings: ([^\n]*)', PACKAGE)
    assert target and re.search(r"\+ safe\b", target[1])
