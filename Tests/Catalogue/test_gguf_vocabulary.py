"""G48-G53: a vocabulary that does not fit, or is none."""

from __future__ import annotations

import logging
import math
import pathlib

import gguf_writer as writer
import mixtral
import pytest
from gguf_writer import STRING, array, f32, i32, text, u32
from mixtral._raw import (
    MIXTRAL_LIMIT_EXCEEDED as LIMIT,
    MIXTRAL_MALFORMED as MALFORMED,
    MIXTRAL_UNSUPPORTED as UNSUPPORTED,
)

pytestmark = pytest.mark.usefixtures("unharmed")

SIZE = writer.SMALL.vocabulary
TOKENS, SCORES, TYPES = (f"tokenizer.ggml.{key}" for key in ("tokens", "scores", "token_type"))
FIRST_WORD = 259


def with_pieces(change, kinds: dict[int, int] | None = None) -> writer.File:
    pieces, scores, types = writer.vocabulary(SIZE)
    change(pieces)
    for index, kind in (kinds or {}).items():
        types[index] = kind
    return writer.set_vocabulary(writer.model(), pieces, scores, types)


def warnings(path: pathlib.Path) -> list[str]:
    lines: list[tuple[int, str]] = []
    with mixtral.Model(path, log=lambda *line: lines.append(line)):
        return [text for level, text in lines if level == logging.WARNING]


def byte_level(merges: list[bytes], pre: str = "smollm") -> writer.File:
    file = writer.model().set("tokenizer.ggml.model", text("gpt2"))
    pieces = [bytes([letter]) for letter in b"abcdef"] + [b"ab", b"abc"]
    pieces += [b"piece %d" % index for index in range(SIZE - len(pieces))]
    file.set(TOKENS, array(STRING, map(text, pieces))).set(TYPES, array(5, [i32(1)] * SIZE))
    file.set("tokenizer.ggml.pre", text(pre))
    return file.set("tokenizer.ggml.merges", array(STRING, map(text, merges)))


def test_G48_counts(refuse, accept):
    def counted(count: int) -> writer.File:
        return writer.set_vocabulary(writer.model(), *writer.vocabulary(count))

    refuse(writer.model().set(TOKENS, array(STRING, [])), MALFORMED, TOKENS, "has 0 entries")
    refuse(counted(SIZE + 1), MALFORMED, TOKENS, f"has {SIZE + 1} entries", SIZE)
    # Fewer are an embedding that was rounded up.
    accept(counted(SIZE - 1), 1, 65, 66, 67)
    for key, element in ((SCORES, f32(0)), (TYPES, i32(1))):
        for count in (0, SIZE - 1, SIZE + 1):
            file = writer.model().set(key, array(element[0], [element] * count))
            words = (key, f"has {count} entries", SIZE) if count or key == SCORES else (key,)
            refuse(file, MALFORMED, *words)


@pytest.mark.parametrize("mark", ["bos", "eos", "unknown", "padding"])
def test_G49_mark_beyond_the_vocabulary(refuse, accept, save, mark):
    key = f"tokenizer.ggml.{mark}_token_id"
    accept(writer.model().set(key, None))
    with mixtral.Model(save(writer.model().set(key, None))) as model:
        absent = getattr(model.info, f"{mark}_token")
    for value, text in ((u32(SIZE), SIZE), (i32(-1), -1), (u32(2**32 - 1), 2**32 - 1)):
        accept(writer.model().set(key, value))
        assert warnings(save(writer.model().set(key, value))) == [
            f"{key} is {text}; allowed 0..{SIZE - 1}; taken for absent"
        ]
        with mixtral.Model(save(writer.model().set(key, value))) as model:
            assert getattr(model.info, f"{mark}_token") == absent
    refuse(writer.model().set(key, f32(1)), MALFORMED, f"'{key}' is", f"0..{SIZE - 1}")


def test_G50_strange_pieces(accept, save):
    def change(pieces: list[bytes]) -> None:
        pieces[FIRST_WORD:] = [b"", b"same", b"same"]

    def invalid(pieces: list[bytes]) -> None:
        pieces[FIRST_WORD:] = [b"\xff\xfe", b"a\0b", b"\xed\xa0\x80"]

    accept(with_pieces(change))
    with mixtral.Model(save(with_pieces(change))) as model:
        # Of equal pieces the first is used, as by sentencepiece.
        assert FIRST_WORD + 2 not in model.tokenize("same same")
        assert model.detokenize([FIRST_WORD + 2]) == "same"
        assert model.detokenize([FIRST_WORD]) == ""
    with mixtral.Model(save(with_pieces(invalid))) as model:
        kept = [model.detokenize_bytes([FIRST_WORD + index]) for index in range(3)]
        assert kept == [b"\xff\xfe", b"a\0b", b"\xed\xa0\x80"]


@pytest.mark.parametrize(
    "spelling", [b"<0xZZ>", b"<0x-1>", b"<0x1>", b"<0x001>", b"", b"<0xFF", b"A"]
)
def test_G51_byte_pieces(accept, save, spelling):
    def change(pieces: list[bytes]) -> None:
        pieces[5] = spelling

    missing = (
        f"{TOKENS} has pieces for 255 of 256 bytes; text that needs the others becomes unknown"
    )
    for kinds, said in (
        ({}, f"1 of {TOKENS} are marked as bytes and spelled otherwise"),
        ({5: 1}, ""),
    ):
        accept(with_pieces(change, kinds))
        lines = warnings(save(with_pieces(change, kinds)))
        assert lines[-1] == missing
        assert len(lines) == (2 if said else 1)
        assert lines[0].startswith(said)
        with mixtral.Model(save(with_pieces(change, kinds))) as model:
            # The piece of another byte, and that of none.
            assert model.tokenize(b"\x03\x02", continuation=True) == [6, 0]
    # Bytes that are all marked as text are bytes by their spelling.
    accept(with_pieces(change, dict.fromkeys(range(3, FIRST_WORD), 1)))


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_G52_scores(refuse, score):
    _, scores, _ = writer.vocabulary(SIZE)
    scores[7] = score
    file = writer.model().set(SCORES, array(6, map(f32, scores)))
    refuse(file, MALFORMED, f"{SCORES}[7] is")


@pytest.mark.parametrize("merge", [b"ab", b"", b" ", b"a", b"x y", b"a zz", b"a b c", b"ab f"])
def test_G52_merges(refuse, accept, merge):
    accept(byte_level([b"a b", b"ab c"]))
    refuse(byte_level([b"a b", merge]), MALFORMED, "tokenizer.ggml.merges[1] is")


@pytest.mark.parametrize("kind", [0, 7, -1, 2**31 - 1])
def test_G52_types_of_tokens(accept, save, kind):
    file = with_pieces(lambda pieces: None, {FIRST_WORD: kind})
    accept(file)
    (line,) = warnings(save(file))
    assert line.startswith(f"1 of {TOKENS} are of a type that is none; taken for text")


def test_G53_tokenizers_that_are_not_ours(refuse):
    for name in ("bert", "no_vocab", "rwkv", ""):
        file = writer.model().set("tokenizer.ggml.model", text(name))
        refuse(file, UNSUPPORTED, f"tokenizer.ggml.model is '{name}'", "'llama', 'gpt2'")
    for name in ("deepseek-llm", ""):
        refuse(byte_level([], name), UNSUPPORTED, f"tokenizer.ggml.pre is '{name}'", "'tekken'")


def test_longest_piece(refuse, accept):
    def change(pieces: list[bytes]) -> None:
        pieces[FIRST_WORD] = b"x" * length

    length = 65_535
    accept(with_pieces(change))
    length += 1
    refuse(with_pieces(change), LIMIT, f"{TOKENS}[{FIRST_WORD}] has 65536 bytes", "0..65535")
