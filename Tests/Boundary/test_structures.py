"""Structures of other releases, and buffers that are asked for, too small, or exact."""

from __future__ import annotations

import ctypes

import pytest
from mixtral import _raw

from capi import ARGUMENT, GARBAGE, KINDS, OPTIONS, World, assert_sentence, cases, message, sized

DESCRIPTIONS = {
    "mixtral_model_info": _raw.mixtral_info,
    "mixtral_session_state": _raw.mixtral_state,
}


def structure_call(world: World, name: str, size: int, rest: bytes) -> tuple[int, bytearray]:
    """Calls with a structure of this `struct_size`: zeros, and from there on these bytes."""
    structure = {**OPTIONS, **DESCRIPTIONS}[name]
    start = max(4, min(size, ctypes.sizeof(structure)))
    memory = bytearray(start) + rest
    memory += bytes(max(0, ctypes.sizeof(structure) - len(memory)))
    memory[:4] = size.to_bytes(4, "little")
    view = (ctypes.c_char * len(memory)).from_buffer(memory)
    arguments = world.arguments(name)
    arguments[-1] = ctypes.cast(view, ctypes.POINTER(structure))
    return world.call(name, arguments), memory


@pytest.mark.parametrize("name", [*OPTIONS, *DESCRIPTIONS])
def test_A07_no_struct_size(world, name):
    for wrong in (0, 1, 3, 2**31, 2**32 - 1):
        status, _ = structure_call(world, name, wrong, b"")
        assert status == ARGUMENT, wrong
        assert "struct_size" in message()
        assert_sentence(message())


@pytest.mark.parametrize("name", OPTIONS)
def test_A07_smaller_struct_of_an_earlier_release(world, name):
    """The bytes behind a smaller struct are not the struct's, and not looked at."""
    known = ctypes.sizeof(OPTIONS[name])
    for size in (4, known - 8):
        status, _ = structure_call(world, name, size, b"\xff" * (known - size))
        assert status == _raw.MIXTRAL_OK, message()


@pytest.mark.parametrize("name", [*OPTIONS, *DESCRIPTIONS])
def test_A07_a_field_is_whole_or_not_there(world, name):
    """Half a pointer would be called, half a number taken for the whole."""
    structure = {**OPTIONS, **DESCRIPTIONS}[name]
    fields = [getattr(structure, field) for field, *_ in structure._fields_]
    ends = {one.offset + one.size for one in fields} | {one.offset for one in fields}
    for size in range(4, ctypes.sizeof(structure)):
        before = bytes(ctypes.sizeof(structure) - size)
        status, memory = structure_call(world, name, size, before)
        if size in ends:
            assert status == _raw.MIXTRAL_OK, message()
            continue
        assert status == ARGUMENT, size
        assert message() == (
            f"{structure.__name__}.struct_size is {size}, which cuts a field in two; "
            f"set it to sizeof({structure.__name__})"
        )
        assert memory[4:] == bytes(len(memory) - 4)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_A07_smaller_description(world, name):
    """The fields that the caller has are filled, and nothing behind them is touched."""
    known = ctypes.sizeof(DESCRIPTIONS[name])
    status, expected = structure_call(world, name, known, b"")
    assert status == _raw.MIXTRAL_OK, message()
    for size in (4, 8, known - 8):
        status, found = structure_call(world, name, size, b"\xa5" * (known - size))
        assert status == _raw.MIXTRAL_OK, message()
        assert found[:4] == size.to_bytes(4, "little")
        assert found[4:size] == expected[4:size]
        assert found[size:] == b"\xa5" * (known - size)


@pytest.mark.parametrize("name", OPTIONS)
def test_A07_larger_struct_with_a_zero_tail(world, name):
    known = ctypes.sizeof(OPTIONS[name])
    for more in (8, 64):
        status, _ = structure_call(world, name, known + more, bytes(more))
        assert status == _raw.MIXTRAL_OK, message()


@pytest.mark.parametrize("name", OPTIONS)
def test_A07_larger_struct_with_something_in_its_tail(world, name):
    """An option of a later release is never ignored in silence."""
    known = ctypes.sizeof(OPTIONS[name])
    for more in (8, 64):
        for tail in (b"\1" + bytes(more - 1), bytes(more - 1) + b"\1"):
            status, _ = structure_call(world, name, known + more, tail)
            assert status == _raw.MIXTRAL_UNSUPPORTED, more
            assert_sentence(message())


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_A07_larger_description(world, name):
    known = ctypes.sizeof(DESCRIPTIONS[name])
    exact, expected = structure_call(world, name, known, b"")
    status, found = structure_call(world, name, known + 8, b"\xa5" * 8)
    assert exact == status == _raw.MIXTRAL_OK, message()
    assert found[4:known] == expected[4:known]
    assert found[known:] in (bytes(8), b"\xa5" * 8)


def test_A07_reserved_fields_are_zero(world):
    reserved = [
        name
        for name, structure in OPTIONS.items()
        if any(field == "reserved" for field, *_ in structure._fields_)
    ]
    assert "mixtral_session_create" in reserved
    for name in reserved:
        arguments = world.arguments(name)
        arguments[-1] = sized(OPTIONS[name], reserved=1)
        assert world.call(name, arguments) == ARGUMENT, name


@pytest.mark.parametrize("name", [name for name, _ in cases("buffer")])
def test_buffer_rule(world, name):
    """Asking, one too small, and exact: the count is always told, and nothing else is touched."""
    place = KINDS[name].index("buffer")

    def call(buffer, capacity):
        arguments = world.arguments(name)
        arguments[place : place + 2] = [buffer, capacity]
        return world.call(name, arguments), arguments[0].value

    element = type(world.arguments(name)[place])._type_
    status, needed = call(None, 0)
    assert status == _raw.MIXTRAL_BUFFER_TOO_SMALL
    assert 0 < needed < GARBAGE
    assert_sentence(message())

    def canaries(buffer):
        ctypes.memset(buffer, 0xA5, ctypes.sizeof(buffer))
        return bytes(buffer)

    small = (element * (needed - 1))()
    before = canaries(small)
    assert call(small, needed - 1) == (_raw.MIXTRAL_BUFFER_TOO_SMALL, needed)
    assert bytes(small) == before
    exact = (element * (needed + 4))()
    before = canaries(exact)
    assert call(exact, needed) == (_raw.MIXTRAL_OK, needed)
    width = ctypes.sizeof(element)
    assert bytes(exact)[: needed * width] != before[: needed * width]
    assert bytes(exact)[needed * width :] == before[needed * width :]
