"""G01-G18: a GGUF file's magic, version, counts, keys and values."""

from __future__ import annotations

import struct

import gguf_writer as writer
import pytest
from gguf_writer import ARRAY, STRING, array, boolean, f32, text, u8, u32
from mixtral._raw import (
    MIXTRAL_LIMIT_EXCEEDED as LIMIT,
    MIXTRAL_MALFORMED as MALFORMED,
    MIXTRAL_UNSUPPORTED as UNSUPPORTED,
)

pytestmark = pytest.mark.usefixtures("unharmed")

HEADER = 24
HUGE = (2**31, 2**63, 2**64 - 1)
NAMED = {
    b"GGML": "GGML",
    b"ggjt": "ggjt",
    b"tjgg": "ggjt",
    b"PK\3\4": "ZIP",
    b"\x7fELF": "ELF",
    b"\x80\x02": "pickle",
    b"\x80\x04": "pickle",
    b"<!DOCTYPE": "HTML",
    b"GGUE": "47 47 55 45",
}


def with_key(value: writer.Value, key: str = "k") -> writer.File:
    return writer.model().set(key, value)


def test_G01_zero_byte_file(refuse):
    refuse(b"", MALFORMED, "is 0 bytes", HEADER)


def test_G02_shorter_than_a_header(refuse):
    for size in range(1, HEADER):
        refuse(writer.model().bytes()[:size], MALFORMED, f"is {size} bytes", HEADER)


@pytest.mark.parametrize("magic", NAMED)
def test_G03_wrong_magic(refuse, magic):
    refuse(magic + writer.model().bytes()[len(magic) :], MALFORMED, NAMED[magic])


@pytest.mark.parametrize("version", [2, 3])
def test_G04_big_endian(refuse, version):
    file = writer.model()
    file.magic = b"FUGG"
    refuse(file, UNSUPPORTED, "big-endian")
    file.magic = b"GGUF"
    file.version = int.from_bytes(version.to_bytes(4, "little"), "big")
    refuse(file, UNSUPPORTED, "big-endian")


@pytest.mark.parametrize("version", [0, 1, 4, 2**32 - 1])
def test_G05_version(refuse, version):
    file = writer.model()
    file.version = version
    refuse(file, UNSUPPORTED, f"version is {version}", "2..3")


def test_G06_git_lfs_pointer(refuse):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 9\n"
    refuse(pointer.encode(), MALFORMED, "Git LFS pointer, not the file")


def test_G07_tensor_count(refuse, save):
    file = writer.model()
    file.tensor_count = 0
    file.tensors = []
    refuse(file, MALFORMED, "tensor count is 0")
    for count in (2**16 + 1, *HUGE):
        file = writer.model()
        file.tensor_count = count
        refuse(file, MALFORMED, f"tensor count is {count}", "bytes are left")
    # When there are bytes for so many, the ceiling is what refuses them.
    file.tensor_count = 2**16 + 1
    file.tail = bytes(33 * file.tensor_count)
    refuse(file, LIMIT, "tensor count is 65537", "1..65536")


def test_G08_key_count(refuse):
    for count in (2**16 + 1, *HUGE):
        file = writer.model()
        file.key_count = count
        refuse(file, MALFORMED, f"key count is {count}", "bytes are left")
    file.key_count = 2**16 + 1
    file.tail = bytes(14 * file.key_count)
    refuse(file, LIMIT, "key count is 65537", "0..65536")


def test_G09_counts_and_the_bytes_left(refuse):
    left = len(writer.model().bytes()) - HEADER
    for least, field in ((33, "tensor_count"), (14, "key_count")):
        # A count of one more than fit, and so many that the product wraps to a small number.
        for count in (left // least + 1, 2**64 // least + 1):
            file = writer.model()
            setattr(file, field, count)
            refuse(file, MALFORMED, f"is {count}", f"at least {least} bytes", f"{left} bytes")


@pytest.mark.parametrize("length", [0, 2**16, 2**40, 2**63, 2**64 - 1])
def test_G10_key_length(refuse, length):
    data = bytearray(writer.model().bytes())
    data[HEADER : HEADER + 8] = struct.pack("<Q", length)
    refuse(bytes(data), MALFORMED, f"length of key 0 is {length}", "1..65535")
    data[HEADER : HEADER + 8] = struct.pack("<Q", 65_535)
    beyond = bytes(data[: HEADER + 8 + 65_534])
    refuse(beyond, MALFORMED, "key 0 needs 65535 bytes", "are left")


def test_G11_bytes_of_a_key(refuse, accept):
    for key, words in ((b"a\0b", "NUL"), (b"a\xff", "not UTF-8"), (b"\xed\xa0\x80", "not UTF-8")):
        file = writer.model()
        file.keys.append((key, u8(1)))
        refuse(file, MALFORMED, f"key {len(file.keys) - 1}", words)
    accept(with_key(u8(1), "UPPER CASE é"))


@pytest.mark.parametrize("kind", [13, 255, 2**31, 2**32 - 1])
def test_G12_value_type(refuse, kind):
    refuse(with_key((kind, b"\0" * 8)), MALFORMED, f"value type of key 'k' is {kind}", "0..12")
    inside = (ARRAY, struct.pack("<IQ", kind, 1) + b"\0" * 8)
    refuse(with_key(inside), MALFORMED, f"element type of key 'k' is {kind}", "0..12")


@pytest.mark.parametrize("byte", [2, 127, 255])
def test_G13_bool(refuse, byte):
    refuse(with_key(boolean(byte)), MALFORMED, f"key 'k' is a bool of value {byte}", "0 or 1")
    several = array(7, [boolean(1), boolean(byte)])
    refuse(with_key(several), MALFORMED, f"element 1 of key 'k' is a bool of value {byte}")


@pytest.mark.parametrize("length", ["left + 1", 2**63, 2**64 - 1])
def test_G14_string_length(refuse, length):
    file = with_key(text("abc", 0))
    if length == "left + 1":
        # After the last key come the records and the data.
        data = file.bytes()
        length = len(data) - data.index(b"abc") + 1
    file.keys[-1] = (b"k", text("abc", length))
    refuse(file, MALFORMED, "value of key 'k'", f"is {length}", "bytes are left")


def test_G14_string_beyond_the_ceiling(refuse, accept):
    refuse(with_key(text(b"x" * (2**24 + 1))), LIMIT, "value of key 'k'", 2**24 + 1, 2**24)
    accept(with_key(text(b"x" * 2**24)))


@pytest.mark.parametrize("depth", [1, 2, 10_000])
def test_G15_arrays_of_arrays(refuse, depth):
    nested = struct.pack("<IQ", ARRAY, 1) * depth + struct.pack("<IQ", 0, 1) + b"\0"
    refuse(with_key((ARRAY, nested)), UNSUPPORTED, "key 'k' is an array of arrays")


@pytest.mark.parametrize("kind", [0, 4, STRING, 10])
def test_G16_array_count(refuse, kind):
    for count in (2**40, 2**61 + 1, 2**62 + 1, 2**63, 2**64 - 1):
        wrong = array(kind, [(kind, b"\0" * 8)], count)
        refuse(with_key(wrong), MALFORMED, f"key 'k' counts {count} elements", "bytes are left")


def test_G16_array_beyond_the_ceiling(refuse):
    longer = ARRAY, struct.pack("<IQ", 0, 2**24 + 1) + bytes(2**24 + 1)
    refuse(with_key(longer), LIMIT, f"key 'k' counts {2**24 + 1}", 2**24)


@pytest.mark.parametrize("length", [2**24, 2**40, 2**64 - 1])
def test_G17_length_of_a_string_in_an_array(refuse, length):
    strings = array(STRING, [text("abc")] * 4 + [text("abc", length)])
    refuse(with_key(strings), MALFORMED, "element 4 of key 'k'", length)


@pytest.mark.parametrize(
    "value", [u32(2), u32(3), text("2")], ids=["same", "other", "another type"]
)
def test_G18_key_twice(refuse, value):
    file = writer.model()
    file.keys.append((b"llama.block_count", value))
    refuse(file, MALFORMED, "key 'llama.block_count' appears twice")
    file = with_key(f32(1.0), "tokenizer.ggml.tokens2")
    file.keys.append((b"tokenizer.ggml.tokens2", value))
    refuse(file, MALFORMED, "'tokenizer.ggml.tokens2' appears twice")
