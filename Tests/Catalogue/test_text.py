"""T01-T10, T16, T18, T19: text to ids and back.

`demo` has Mistral's first vocabulary, `nemo` a cut Tekken.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import pathlib
import subprocess
import sys

import mixtral
import pytest
from capi import message, ok
from mixtral import Model, _raw
from mixtral._raw import (
    MIXTRAL_BUFFER_TOO_SMALL as SMALL,
    MIXTRAL_INVALID_ARGUMENT as ARGUMENT,
    MIXTRAL_LIMIT_EXCEEDED as LIMIT,
    MIXTRAL_OK as OK,
)
from mixtral._text import StopFilter

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
GUARD = 0x5A
MIB = 1 << 20
INVALID = {
    "continuation": b"\x80",
    "continuations": b"a\xbf\xbfb",
    "overlong": b"\xc0\x80",
    "overlong of 3": b"\xe0\x80\xaf",
    "surrogate": b"\xed\xa0\x80",
    "surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond": b"\xf4\x90\x80\x80",
    "F5": b"\xf5\x80\x80\x80",
    "FF": b"\xff\xfe\xff",
    "cut after 1": b"abc\xe2",
    "cut after 2": b"abc\xe2\x82",
    "cut after 3": b"\xf0\x9f\xa6",
    "cut inside": b"\xf0\x9f\xa6 \xe2\x82z",
}
CONTROL = ["<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<|im_start|>", "<|im_end|>", "<0x0A>"]
# Text and its ids by sentencepiece 0.2.1, Mistral's first vocabulary.
SENTENCEPIECE = [
    ("\u0378", [28705, 208, 187]),
    ("\U0010ffff", [28705, 247, 146, 194, 194]),
    ("\ufffe", [28705, 242, 194, 193]),
    ("\uffff", [28705, 242, 194, 194]),
    ("\ue000", [28705, 241, 131, 131]),
    ("a\U000e0001b", [264, 246, 163, 131, 132, 28726]),
    ("\U000f0000", [28705, 246, 179, 131, 131]),
    ("\0\x01", [28705, 3, 29534]),
    ("\ufeffx", [28705, 31759, 28744]),
    ("\u200b", [15758]),
    ("\u0560\u0588", [28705, 216, 163, 217, 139]),
    ("\U0001fae8", [28705, 243, 162, 174, 171]),
    ("\U00031350", [28705, 243, 180, 144, 147]),
]


@pytest.fixture(scope="module")
def nemo(nemo_shape):
    with Model(nemo_shape, threads=1) as model:
        yield model


@pytest.fixture(params=["demo", "nemo"])
def any_model(request) -> Model:
    return request.getfixturevalue(request.param)


def round_trip(model: Model, text: bytes) -> None:
    ids = model.tokenize(text)
    assert all(0 <= one < model.info.vocabulary for one in ids)
    assert model.detokenize_bytes(ids) == text
    more = model.tokenize(text, continuation=True)
    assert model.detokenize_bytes(more, continuation=True) == text


def test_T01_empty_text(any_model):
    bos = [any_model.info.bos_token]
    for special in (False, True):
        assert any_model.tokenize("", special=special) == []
        assert any_model.tokenize("", bos=True, special=special) == bos
    assert any_model.detokenize([]) == ""
    count = ctypes.c_size_t(7)
    for text in (None, b""):
        ok(_raw.mixtral_tokenize(ctypes.byref(count), None, 0, any_model._handle, text, 0, 0))
        assert count.value == 0


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_T02_invalid_utf8(demo, text):
    """Bytes become byte tokens and come back, alone and in company."""
    for around in (b"", b"word ", "\u00e9".encode(), b"\0"):
        round_trip(demo, around + text)
        round_trip(demo, text + around)
        round_trip(demo, around + text * 3 + around)


@pytest.mark.parametrize("text", INVALID.values(), ids=INVALID)
def test_T02_invalid_utf8_byte_level(nemo, text):
    """A cut vocabulary may lack a byte, which is then dropped; the others come back in order."""
    result = nemo.detokenize_bytes(nemo.tokenize(text))
    left = iter(text)
    assert all(byte in left for byte in result)


def test_T03_nul_bytes(demo):
    for text in (b"\0", b"a\0b", b"\0" * 100, b" \0 "):
        round_trip(demo, text)
    assert demo.tokenize("\0") == [28705, 3]


def test_T04_control_tokens_of_a_user(any_model):
    info = any_model.info
    control = {info.bos_token, info.eos_token, info.unknown_token}
    for spelled in CONTROL:
        for text in (spelled, f"a{spelled}b", f" {spelled} {spelled}", spelled * 50):
            ids = any_model.tokenize(text)
            assert not control & set(ids)
            assert all(any_model.tokenize(spelled, special=True) != [one] for one in ids)


def test_T05_control_tokens_of_a_template(demo):
    info = demo.info
    assert demo.tokenize("<s>", special=True) == [info.bos_token]
    assert demo.tokenize("</s>", special=True) == [info.eos_token]
    assert demo.tokenize("<s><s></s>", special=True) == [1, 1, 2]
    # Text that only looks like one is text, and so is all of it to a user.
    for text in ("<s", "s>", "< s>", "<S>", "<s\0>"):
        assert not {1, 2} & set(demo.tokenize(text, special=True))
        round_trip(demo, text.encode())
    # A template joins tokens: what a user types between them stays text.
    joined = [1, *demo.tokenize("</s>"), 2]
    assert joined.count(2) == 1


@pytest.mark.parametrize(
    "unit",
    ["a", " ", "\u0301", "\U0001f468\u200d", "ab", "\u2581", "<", "\n", "1", "\u65e5"],
    ids=["a", "spaces", "accents", "emoji", "ab", "blocks", "open", "lines", "digits", "kanji"],
)
def test_T06_long_runs(any_model, unit):
    """A megabyte of the same: a tokenizer that is quadratic would not end in this life."""
    text = unit.encode() * (MIB // len(unit.encode()))
    ids = any_model.tokenize(text)
    assert 0 < len(ids) <= len(text) + 1
    if unit == "\u2581":
        # To SentencePiece the block is the space.
        text = any_model.detokenize_bytes(ids)
        assert len(text) in (MIB // 3, MIB // 3 * 3)
    else:
        assert any_model.detokenize_bytes(ids) == text


def test_T07_more_than_a_gibibyte(demo):
    """Refused by its size: the pages are never touched."""
    size = (1 << 30) + 1
    text = (ctypes.c_char * size).from_buffer(mmap.mmap(-1, size))
    count = ctypes.c_size_t(7)
    pointer = ctypes.cast(text, ctypes.c_char_p)
    arguments = (demo._handle, pointer, size, 0)
    assert _raw.mixtral_tokenize(ctypes.byref(count), None, 0, *arguments) == LIMIT
    assert count.value == 0
    assert f"{size} bytes; allowed at most {1 << 30}" in message()


def guarded(element: type, capacity: int) -> tuple[object, object]:
    """A buffer of bytes with guards on both sides, and its middle."""
    size = ctypes.sizeof(element)
    whole = (ctypes.c_uint8 * ((capacity + 16) * size))(*[GUARD] * ((capacity + 16) * size))
    return whole, (element * capacity).from_buffer(whole, 8 * size)


def assert_guards(whole: object, size: int, capacity: int, *, untouched: bool) -> None:
    data = bytes(whole)
    assert data[: 8 * size] == data[-8 * size :] == bytes([GUARD]) * (8 * size)
    if untouched:
        assert data == bytes([GUARD]) * len(data)


@pytest.mark.parametrize("text", [b"Hello world", "na\u00efve \U0001f999".encode(), b"\xff\0"])
def test_T08_capacity(demo, text):
    expected = demo.tokenize(text)
    needed = len(expected)
    for capacity in (0, 1, needed - 1, needed, needed + 1):
        fits = capacity >= needed
        whole, buffer = guarded(_raw.mixtral_token, capacity)
        count = ctypes.c_size_t(7)
        status = _raw.mixtral_tokenize(
            ctypes.byref(count), buffer, capacity, demo._handle, text, len(text), 0
        )
        assert (status, count.value) == (OK if fits else SMALL, needed)
        assert_guards(whole, 4, capacity, untouched=not fits)
        assert not fits or buffer[:needed] == expected
    # A question for the size, and a capacity without a buffer.
    count = ctypes.c_size_t(7)
    arguments = (demo._handle, text, len(text), 0)
    assert _raw.mixtral_tokenize(ctypes.byref(count), None, 0, *arguments) == SMALL
    assert count.value == needed
    assert _raw.mixtral_tokenize(ctypes.byref(count), None, 1, *arguments) == ARGUMENT
    assert count.value == 0


@pytest.mark.parametrize("bad", [-1, "vocabulary", 2**31 - 1, -(2**31)])
def test_T09_ids_out_of_range(any_model, bad):
    bad = any_model.info.vocabulary if bad == "vocabulary" else bad
    for ids, index in (([bad], 0), ([5, 5, bad, bad], 2)):
        tokens = (_raw.mixtral_token * len(ids))(*ids)
        size = ctypes.c_size_t(7)
        buffer = (ctypes.c_char * 64)()
        arguments = (ctypes.byref(size), buffer, 64)
        status = _raw.mixtral_detokenize(*arguments, any_model._handle, tokens, len(ids), 0)
        assert (status, size.value) == (ARGUMENT, 0)
        assert f"token {index} is {bad};" in message()
        with any_model.detokenizer() as detokenizer:
            size.value = 7
            status = _raw.mixtral_detokenizer_next(
                *arguments, detokenizer._handle, tokens, len(ids)
            )
            assert (status, size.value) == (ARGUMENT, 0)
            assert f"token {index} is {bad};" in message()
            # Nothing of the call was taken.
            assert detokenizer.end_bytes() == b""


def test_T09_parts_of_a_character(demo):
    llama = "\U0001f999".encode()
    ids = demo.tokenize(llama, continuation=True)
    assert len(ids) == 4
    for count in range(1, 4):
        assert demo.detokenize_bytes(ids[:count], continuation=True) == llama[:count]
        with demo.detokenizer(continuation=True) as detokenizer:
            assert detokenizer.next_bytes(ids[:count]) == b""
            assert detokenizer.next_bytes(ids[count:]) == llama
            assert detokenizer.end_bytes() == b""
        with demo.detokenizer(continuation=True) as detokenizer:
            # The next token shows that the character will not be completed.
            assert detokenizer.next_bytes(ids[:count]) == b""
            word = demo.tokenize("x", continuation=True)
            assert detokenizer.next_bytes(word) == llama[:count] + b"x"


@pytest.mark.parametrize("text", ["a\u00e9", "\u65e5\u672c", "\U0001f999", "x\U0001f999y"])
def test_T10_buffer_that_ends_inside_a_character(demo, text):
    data = text.encode()
    ids = demo.tokenize(text, continuation=True)
    tokens = (_raw.mixtral_token * len(ids))(*ids)
    for capacity in range(len(data) + 2):
        fits = capacity >= len(data)
        whole, buffer = guarded(ctypes.c_char, capacity)
        size = ctypes.c_size_t(7)
        flags = _raw.MIXTRAL_DETOKENIZE_CONTINUE
        arguments = (tokens, len(ids))
        status = _raw.mixtral_detokenize(
            ctypes.byref(size), buffer, capacity, demo._handle, *arguments, flags
        )
        assert (status, size.value) == (OK if fits else SMALL, len(data))
        assert_guards(whole, 1, capacity, untouched=not fits)
        assert not fits or buffer[: len(data)] == data
        with demo.detokenizer(continuation=True) as detokenizer:
            whole, buffer = guarded(ctypes.c_char, capacity)
            status = _raw.mixtral_detokenizer_next(
                ctypes.byref(size), buffer, capacity, detokenizer._handle, *arguments
            )
            assert (status, size.value) == (OK if fits else SMALL, len(data))
            assert_guards(whole, 1, capacity, untouched=not fits)
            # Tokens whose text did not fit were not consumed.
            assert fits or detokenizer.next_bytes(ids) == data


def stopped(text: str, stops: list[str], cut: int) -> str:
    """The part that is shown of a text that comes in pieces of a size."""
    stop_filter = StopFilter(stops)
    shown = ""
    for start in range(0, len(text), cut):
        shown += stop_filter.next(text[start : start + cut])
        if stop_filter.stopped:
            return shown
    return shown + stop_filter.end()


def test_T16_stop_strings(model):
    with pytest.raises(mixtral.InvalidArgumentError, match="stop 1 is empty"):
        model.generate("x", stop=["a", ""])
    for cut in (1, 2, 3, 50):
        # Across pieces, one inside another, one that begins as another, and none.
        assert stopped("one STOP two", ["STOP"], cut) == "one "
        assert stopped("one STO two", ["STOP"], cut) == "one STO two"
        assert stopped("aaab", ["aab"], cut) == "a"
        assert stopped("a\U0001f999b\U0001f999c", ["\U0001f999c"], cut) == "a\U0001f999b"
    assert stopped("xabcy", ["bc", "abc"], 1) == "x"


def test_T16_many_long_stop_strings():
    """64 of 1 KiB that all begin as the text does; what is held back is bounded by the longest."""
    stops = ["a" * 1023 + chr(0x100 + index) for index in range(64)]
    stop_filter = StopFilter(stops)
    shown = 0
    for count in range(1, 4097):
        shown += len(stop_filter.next("a"))
        assert count - shown <= 1024
    assert not stop_filter.stopped
    stop_filter.next(stops[63][-1])
    assert stop_filter.stopped


@pytest.mark.parametrize(("text", "ids"), SENTENCEPIECE)
def test_T18_code_points_without_a_piece(demo, text, ids):
    assert demo.tokenize(text) == ids
    assert demo.tokenize(text, bos=True) == [1, *ids]
    assert demo.detokenize(ids) == text


LOCALE_PROGRAM = """
import json, locale, sys
from mixtral import Model, MixtralError, Sampler
name, bundled, bad = sys.argv[1:]
locale.setlocale(locale.LC_ALL, name)
with Model(bundled) as model, model.session() as session:
    session.feed([1, 22557, 1526])
    sampler = Sampler(temperature=0.7, top_p=0.9, seed=5)
    texts = ["I i \\u0130 \\u0131 ISTANBUL", "1,5 1.5 1e-3", "\\u00c4\\u00df", "TITLE title"]
    said = []
    for call in (lambda: Sampler(temperature=-1.5), lambda: Model(bad)):
        try:
            call()
        except MixtralError as error:
            said.append(str(error))
    print(json.dumps([
        [model.tokenize(text) for text in texts],
        model.detokenize(model.tokenize(texts[0])),
        [session.sample(sampler) for _ in range(20)],
        model.metadata("llama.attention.layer_norm_rms_epsilon"),
        said,
    ]))
    print(locale.localeconv()["decimal_point"], file=sys.stderr)
"""


def test_T19_locale(tmp_path, bundled):
    import gguf_writer as writer

    bad = writer.model().set("llama.rope.freq_base", writer.f32(-0.5))
    (tmp_path / "bad.gguf").write_bytes(bad.bytes())
    answers = {}
    for name in ("C", "tr_TR.UTF-8", "de_DE.UTF-8"):
        if name != "C":
            source = ["-i", name[:5], "-f", "UTF-8", str(tmp_path / name)]
            subprocess.run(["localedef", *source], check=True, capture_output=True)
        done = subprocess.run(
            [sys.executable, "-c", LOCALE_PROGRAM, name, bundled, tmp_path / "bad.gguf"],
            capture_output=True,
            text=True,
            check=True,
            env={
                **os.environ,
                "LOCPATH": str(tmp_path),
                "PYTHONPATH": str(ROOT / "bindings" / "python"),
                "PYTHONIOENCODING": "utf-8",
            },
        )
        answers[name] = json.loads(done.stdout)
        # The locale is really in force.
        assert done.stderr.strip() == ("." if name == "C" else ",")
    assert answers["tr_TR.UTF-8"] == answers["de_DE.UTF-8"] == answers["C"]
    assert "-1.5" in answers["C"][-1][0] and "-0.5" in answers["C"][-1][1]
