"""Misuse of every function is a status and a sentence. Numbers such as A01 are the cases of
Tests/Catalogue."""

from __future__ import annotations

import ctypes
import mmap
import os

import pytest
from mixtral import _raw

from capi import (
    ARGUMENT,
    CREATORS,
    GARBAGE,
    HANDLE,
    HANDLES,
    KINDS,
    OPTIONS,
    WITHOUT_KINDS,
    assert_results_are_zero,
    assert_sentence,
    cases,
    ids,
    message,
    ok,
    sized,
)

FUNCTIONS = list(KINDS)


def test_this_file_knows_every_function():
    names = {name for name, one in vars(_raw).items() if isinstance(one, ctypes._CFuncPtr)}
    assert names == set(KINDS) | WITHOUT_KINDS
    for name, kinds in KINDS.items():
        assert len(kinds) == len(getattr(_raw, name).argtypes), name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_valid_call_succeeds(world, name):
    assert world.call(name, world.arguments(name)) == _raw.MIXTRAL_OK, message()


@pytest.mark.parametrize(("name", "index"), cases("out", "pointer"))
def test_A01_null_pointer(world, name, index):
    arguments = world.arguments(name)
    arguments[index] = None
    assert world.call(name, arguments) == ARGUMENT
    assert_sentence(message())
    assert_results_are_zero(name, arguments)


@pytest.mark.parametrize(("name", "index"), cases("buffer"))
def test_A01_null_buffer_with_a_capacity(world, name, index):
    arguments = world.arguments(name)
    arguments[index] = None
    assert world.call(name, arguments) == ARGUMENT
    assert_sentence(message())


@pytest.mark.parametrize(("name", "index"), cases("optional", "sampler?"))
def test_A01_null_where_it_is_allowed(world, name, index):
    arguments = world.arguments(name)
    arguments[index] = None
    assert world.call(name, arguments) == _raw.MIXTRAL_OK, message()


def test_A01_null_with_nothing_to_read(world):
    for name, size, expected in (
        ("mixtral_tokenize", 5, _raw.MIXTRAL_OK),
        ("mixtral_detokenize", 5, _raw.MIXTRAL_OK),
        ("mixtral_detokenizer_next", 5, _raw.MIXTRAL_OK),
        ("mixtral_step", 2, ARGUMENT),
    ):
        arguments = world.arguments(name)
        arguments[size] = 0
        arguments[size - 1] = None
        assert world.call(name, arguments) == expected, name
        assert_results_are_zero(name, arguments)


@pytest.mark.parametrize(("name", "index"), cases(*HANDLES))
def test_A02_no_handle_at_all(world, name, index, random):
    strangers = [None, 1, 2, 0x1000, 2**63, 2**64 - 1, id(world)]
    strangers += [int(one) for one in random.integers(1, 2**63, 200)]
    for stranger in strangers:
        arguments = world.arguments(name)
        arguments[index] = stranger
        assert world.call(name, arguments) == HANDLE, stranger
        assert_results_are_zero(name, arguments)
    assert_sentence(message())


def test_A02_no_handle_in_a_batch(world):
    arguments = world.arguments("mixtral_step_many")
    arguments[0] = (ctypes.c_void_p * 1)(None)
    assert world.call("mixtral_step_many", arguments) == HANDLE
    assert arguments[3][0] == HANDLE


@pytest.mark.parametrize(("name", "index"), cases(*HANDLES, "sampler?"))
def test_A03_freed_handle(world, name, index):
    kind = KINDS[name][index].rstrip("?")
    freed = ctypes.c_void_p()
    if kind == "model":
        ok(_raw.mixtral_load(ctypes.byref(freed), world.path, None))
    elif kind == "session":
        ok(_raw.mixtral_session_create(ctypes.byref(freed), world.model, None))
    elif kind == "sampler":
        ok(_raw.mixtral_sampler_create(ctypes.byref(freed), None))
    else:
        ok(_raw.mixtral_detokenizer_create(ctypes.byref(freed), world.model, 0))
    ok(_raw.mixtral_free(freed))
    arguments = world.arguments(name)
    arguments[index] = freed.value
    assert world.call(name, arguments) == HANDLE
    assert_results_are_zero(name, arguments)
    assert _raw.mixtral_free(freed) == HANDLE


def test_A03_a_handle_is_not_given_again(world):
    seen = set()
    for _ in range(3000):
        handle = ctypes.c_void_p()
        ok(_raw.mixtral_sampler_create(ctypes.byref(handle), None))
        assert handle.value not in seen
        seen.add(handle.value)
        ok(_raw.mixtral_free(handle))
    for old in seen:
        assert _raw.mixtral_free(old) == HANDLE


def test_A03_a_handle_and_a_little_is_no_handle(world):
    """Pointer arithmetic by mistake, `handle + 1`, does not reach the next object."""
    handles = []
    for _ in range(1000):
        handle = ctypes.c_void_p()
        ok(_raw.mixtral_sampler_create(ctypes.byref(handle), None))
        handles.append(handle.value)
    live = set(handles)
    for one in handles:
        near = {one + step for step in (*range(-8, 9), 16, 24, 64, 4096, 65536)} - {one}
        assert not live & near
        for other in near:
            assert _raw.mixtral_free(other) == HANDLE
    # Runtimes that keep numbers as doubles keep them whole.
    assert max(handles) < 2**53
    for one in handles:
        ok(_raw.mixtral_free(one))


@pytest.mark.parametrize(("name", "index"), cases(*HANDLES, "sampler?"))
def test_A04_handle_of_another_kind(world, name, index):
    for other in HANDLES - {KINDS[name][index].rstrip("?")}:
        arguments = world.arguments(name)
        arguments[index] = getattr(world, other)
        assert world.call(name, arguments) == HANDLE, other
        assert_results_are_zero(name, arguments)


def test_A06_free_of_null():
    assert _raw.mixtral_free(None) == _raw.MIXTRAL_OK


def test_a_step_that_lacks_room_for_its_logits_feeds_nothing(world):
    arguments = world.arguments("mixtral_step_logits")
    arguments[2] -= 1
    assert world.call("mixtral_step_logits", arguments) == _raw.MIXTRAL_BUFFER_TOO_SMALL
    assert world.position() == 3


def test_A08_nothing_to_step(world):
    assert _raw.mixtral_step(world.session, ids(1), 0) == ARGUMENT
    for count in (0, 4097):
        arguments = world.arguments("mixtral_step_many")
        arguments[2] = count
        assert world.call("mixtral_step_many", arguments) == ARGUMENT
    assert world.position() == 3


@pytest.mark.parametrize("bad", [-1, -(2**31), 2**31 - 1, None])
def test_A09_token_out_of_range(world, bad):
    bad = world.vocabulary if bad is None else bad
    tokens = ids(3, 4, bad, 5)
    size = ctypes.c_size_t()
    floats = (ctypes.c_float * (4 * world.vocabulary))()
    characters = (ctypes.c_char * 64)()
    calls = [
        lambda: _raw.mixtral_step(world.session, tokens, 4),
        lambda: _raw.mixtral_step_logits(
            ctypes.byref(size), floats, len(floats), world.session, tokens, 4
        ),
        lambda: _raw.mixtral_detokenize(
            ctypes.byref(size), characters, 64, world.model, tokens, 4, 0
        ),
        lambda: _raw.mixtral_detokenizer_next(
            ctypes.byref(size), characters, 64, world.detokenizer, tokens, 4
        ),
    ]
    for call in calls:
        assert call() == ARGUMENT
        assert "2" in message()
        assert str(bad) in message()
    assert world.position() == 3


def test_A10_misaligned_floats(world):
    arguments = world.arguments("mixtral_step_logits")
    memory = (ctypes.c_char * (4 * arguments[2] + 4))()
    address = ctypes.addressof(memory)
    for shift in (1, 2, 3):
        arguments[1] = ctypes.cast(address + shift, ctypes.POINTER(ctypes.c_float))
        assert world.call("mixtral_step_logits", arguments) == ARGUMENT
    assert world.position() == 3


def test_A11_A12_numbers_out_of_range(world):
    info = sized(_raw.mixtral_info)
    ok(_raw.mixtral_model_info(world.model, ctypes.byref(info)))
    for name, field, value in (
        ("mixtral_load", "threads", 513),
        ("mixtral_load", "isa", 8),
        ("mixtral_load", "isa", 2**32 - 1),
        ("mixtral_load", "experts_used", info.experts + 1),
        ("mixtral_load", "sliding_window", -2),
        ("mixtral_load", "sliding_window", -(2**63)),
        ("mixtral_load", "batch", 4097),
        ("mixtral_load", "map", 2),
        ("mixtral_model_pack", "threads", 513),
        ("mixtral_model_pack", "overwrite", 2),
        ("mixtral_session_create", "context", 16777217),
        ("mixtral_session_create", "cache_type", 2),
    ):
        arguments = world.arguments(name)
        arguments[-1] = sized(OPTIONS[name], **{field: value})
        allowed = (ARGUMENT, _raw.MIXTRAL_LIMIT_EXCEEDED)
        assert world.call(name, arguments) in allowed, (field, value)
        assert_sentence(message())
        assert_results_are_zero(name, arguments)


def test_unknown_flags(world):
    for name in ("mixtral_tokenize", "mixtral_detokenize", "mixtral_detokenizer_create"):
        arguments = world.arguments(name)
        arguments[-1] = 1 << 31
        assert world.call(name, arguments) == ARGUMENT, name


def test_A13_context_full(world):
    session = world.new_session(context=8)
    assert _raw.mixtral_step(session, ids(*range(9)), 9) == _raw.MIXTRAL_CONTEXT_FULL
    assert_sentence(message())
    position = ctypes.c_uint64(GARBAGE)
    ok(_raw.mixtral_session_position(ctypes.byref(position), session))
    assert position.value == 0
    ok(_raw.mixtral_step(session, ids(*range(8)), 8))
    assert _raw.mixtral_step(session, ids(1), 1) == _raw.MIXTRAL_CONTEXT_FULL
    ok(_raw.mixtral_session_position(ctypes.byref(position), session))
    assert position.value == 8
    ok(_raw.mixtral_free(session))


def test_A13_no_token_is_read_that_has_no_room(world):
    """A count of bytes for elements, or a negative one: the memory behind the tokens is not the caller's."""
    session = world.new_session(context=64)
    page = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(start + mmap.PAGESIZE), mmap.PAGESIZE, 0) == 0
    tokens = ctypes.cast(start + mmap.PAGESIZE - 64 * 4, ctypes.POINTER(_raw.mixtral_token))
    full = _raw.MIXTRAL_CONTEXT_FULL
    inputs, sessions = (_raw.mixtral_input * 1)(), (ctypes.c_void_p * 1)(session)
    for count, status in (
        (65, full),
        (2**40, full),
        (2**62, full),
        (2**63, ARGUMENT),
        (2**64 - 1, ARGUMENT),
    ):
        assert _raw.mixtral_step(session, tokens, count) == status, count
        assert_sentence(message())
        inputs[0].tokens, inputs[0].count = tokens, count
        assert _raw.mixtral_step_many(sessions, inputs, 1, None) == status, count
    # Zeros: one that there is room for, and the end of the page.
    ok(_raw.mixtral_step(session, tokens, 64))
    ok(_raw.mixtral_free(session))


def test_A14_rewind_beyond_the_position(world):
    for position in (4, 2**32, 2**63, 2**64 - 1):
        assert _raw.mixtral_session_rewind(world.session, position) == ARGUMENT
    assert world.position() == 3


def test_an_input_that_cannot_be_stops_no_other_session(world):
    tokens = world.tokens()
    array = ctypes.POINTER(_raw.mixtral_token)
    good = ctypes.cast(tokens, array)
    odd = ctypes.cast(ctypes.addressof(tokens) + 1, array)
    wrong = [
        *((good, 0, ARGUMENT), (None, 3, ARGUMENT), (odd, 1, ARGUMENT)),
        *((good, 2**64 - 1, ARGUMENT), (good, 2**63 - 1, _raw.MIXTRAL_CONTEXT_FULL)),
        (ctypes.cast(ids(1, -5), array), 2, ARGUMENT),
    ]
    other = world.new_session()
    for place, (pointer, count, expected) in enumerate(wrong):
        inputs = (_raw.mixtral_input * 2)((pointer, count), (good, 2))
        sessions = (ctypes.c_void_p * 2)(world.session, other)
        statuses = (_raw.mixtral_status * 2)(77, 77)
        assert _raw.mixtral_step_many(sessions, inputs, 2, statuses) == expected
        assert message().startswith("sessions[0]: ")
        assert_sentence(message())
        assert list(statuses) == [expected, 0]
        position = ctypes.c_uint64()
        ok(_raw.mixtral_session_position(ctypes.byref(position), other))
        assert position.value == 2 * (place + 1)
    assert world.position() == 3
    ok(_raw.mixtral_free(other))


def test_the_status_of_a_call_that_ran_for_nobody_is_everybodys(world):
    other = world.new_session()
    ok(_raw.mixtral_step(other, ids(1), 1))
    sessions = (ctypes.c_void_p * 3)(other, world.session, other)
    tokens = world.tokens()
    one = (ctypes.cast(tokens, ctypes.POINTER(_raw.mixtral_token)), 1)
    inputs = (_raw.mixtral_input * 3)(one, one, one)
    drawn = (_raw.mixtral_token * 3)(*[GARBAGE & 0xFFFF] * 3)

    def statuses_of(call) -> tuple[int, list[int]]:
        statuses = (_raw.mixtral_status * 3)(*[77] * 3)
        return call(statuses), list(statuses)

    step, sample = _raw.mixtral_step_many, _raw.mixtral_sample_many
    for call in (
        lambda statuses: step(sessions, inputs, 3, statuses),
        lambda statuses: step(None, inputs, 3, statuses),
        lambda statuses: step(sessions, None, 3, statuses),
        lambda statuses: sample(drawn, sessions, None, 3, statuses),
        lambda statuses: sample(drawn, None, None, 3, statuses),
        lambda statuses: sample(None, sessions, None, 3, statuses),
    ):
        assert statuses_of(call) == (ARGUMENT, [ARGUMENT] * 3)
    nobody = (ctypes.c_void_p * 3)(None, None, None)
    assert statuses_of(lambda statuses: step(nobody, inputs, 3, statuses)) == (HANDLE, [HANDLE] * 3)
    assert list(drawn) == [0] * 3
    # Where there cannot be so many, none is written.
    for count in (0, 4097, 2**64 - 1):
        found = statuses_of(lambda statuses: step(sessions, inputs, count, statuses))
        assert found == (ARGUMENT, [77] * 3)
    assert world.position() == 3
    ok(_raw.mixtral_free(other))


def test_batch_refuses_the_same_session_twice(world):
    inputs = (_raw.mixtral_input * 2)()
    tokens = world.tokens()
    for one in inputs:
        one.tokens = ctypes.cast(tokens, ctypes.POINTER(_raw.mixtral_token))
        one.count = 1
    sessions = (ctypes.c_void_p * 2)(world.session, world.session)
    assert _raw.mixtral_step_many(sessions, inputs, 2, None) == ARGUMENT
    assert world.position() == 3


def test_batch_refuses_sessions_of_two_models(world, mistral_tiny):
    model, stranger = ctypes.c_void_p(), ctypes.c_void_p()
    ok(_raw.mixtral_load(ctypes.byref(model), os.fsencode(mistral_tiny), None))
    ok(_raw.mixtral_session_create(ctypes.byref(stranger), model, None))
    inputs = (_raw.mixtral_input * 2)()
    tokens = world.tokens()
    for one in inputs:
        one.tokens = ctypes.cast(tokens, ctypes.POINTER(_raw.mixtral_token))
        one.count = 1
    sessions = (ctypes.c_void_p * 2)(world.session, stranger)
    assert _raw.mixtral_step_many(sessions, inputs, 2, None) == ARGUMENT
    assert world.position() == 3
    ok(_raw.mixtral_free(stranger))
    ok(_raw.mixtral_free(model))


def test_logits_before_the_first_step(world):
    session = world.new_session()
    token = _raw.mixtral_token(GARBAGE)
    assert _raw.mixtral_sample(ctypes.byref(token), session, None) == ARGUMENT
    count = ctypes.c_size_t(GARBAGE)
    assert _raw.mixtral_logits(ctypes.byref(count), None, 0, session) == ARGUMENT
    assert count.value == 0
    ok(_raw.mixtral_free(session))


def test_report_before_the_first_draw_or_without_a_report(world):
    for report in (0, 3):
        sampler = ctypes.c_void_p()
        options = sized(_raw.mixtral_sampler_options, report=report)
        ok(_raw.mixtral_sampler_create(ctypes.byref(sampler), ctypes.byref(options)))
        count = ctypes.c_size_t(GARBAGE)
        assert _raw.mixtral_sample_report(ctypes.byref(count), None, 0, sampler) == ARGUMENT
        assert count.value == 0
        if report == 0:
            token = _raw.mixtral_token()
            ok(_raw.mixtral_sample(ctypes.byref(token), world.session, sampler))
            assert _raw.mixtral_sample_report(ctypes.byref(count), None, 0, sampler) == ARGUMENT
        ok(_raw.mixtral_free(sampler))


def test_status_names():
    for name, value in vars(_raw).items():
        if name.startswith("MIXTRAL_") and not name.startswith(
            (
                *("MIXTRAL_ISA_", "MIXTRAL_LOG_", "MIXTRAL_TOKENIZE_", "MIXTRAL_DETOKENIZE_"),
                "MIXTRAL_CACHE_",
            )
        ):
            assert _raw.mixtral_status_name(value) == name.removeprefix("MIXTRAL_").encode()
    for value in (-1, 17, 2**31 - 1, -(2**31)):
        assert _raw.mixtral_status_name(value) == b"UNKNOWN"


def test_creators_are_known():
    for name, kinds in KINDS.items():
        creates = kinds[0] == "out" and getattr(_raw, name).argtypes[0] == ctypes.POINTER(
            ctypes.c_void_p
        )
        assert creates == (name in CREATORS), name
