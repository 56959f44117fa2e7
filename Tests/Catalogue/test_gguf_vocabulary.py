"""G48-G53: a vocabulary that does not fit, or is none."""

from __future__ import annotations

import math

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
def test_G49_mark_beyond_the_vocabulary(refuse, accept, mark):
    key = f"tokenizer.ggml.{mark}_token_id"
    for value in (u32(SIZE), i32(-1), u32(2**32 - 1), f32(1)):
        refuse(writer.model().set(key, value), MALFORMED, f"'{key}' is", f"0..{SIZE - 1}")
    accept(writer.model().set(key, None))


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
def test_G51_byte_pieces(refuse, accept, spelling):
    def change(pieces: list[bytes]) -> None:
        pieces[5] = spelling

    refuse(with_pieces(change), MALFORMED, f"{TOKENS}[5] is", "marked as a byte", "<0xFF>")
    # The same spelling as an ordinary piece is one; then a byte is missing.
    refuse(with_pieces(change, {5: 1}), MALFORMED, "pieces for 255 bytes", "0 or 256")
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
def test_G52_types_of_tokens(refuse, kind):
    refuse(with_pieces(lambda pieces: None, {9: kind}), MALFORMED, f"{TYPES}[9] is {kind}", "1..6")


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
