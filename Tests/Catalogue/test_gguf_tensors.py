"""G24-G36, G61, G62, G65-G69: records of tensors, where their bytes lie, how many there may be."""

from __future__ import annotations

import os
import random
import struct

import gguf_writer as writer
import pytest
from gguf_writer import Tensor, u8, u32
from mixtral._raw import (
    MIXTRAL_LIMIT_EXCEEDED as LIMIT,
    MIXTRAL_MALFORMED as MALFORMED,
    MIXTRAL_UNSUPPORTED as UNSUPPORTED,
)
from unharmed import refused

pytestmark = pytest.mark.usefixtures("unharmed")

NORM = "blk.0.attn_norm.weight"
MATRIX = "blk.1.attn_q.weight"
F32, Q8_0 = 0, 8
WITHOUT_KERNELS = {
    9: "Q8_1",
    15: "Q8_K",
    16: "IQ2_XXS",
    19: "IQ1_S",
    26: "I32",
    34: "TQ1_0",
    39: "MXFP4",
}


def changed(name: str = MATRIX, **fields: object) -> writer.File:
    file = writer.model()
    tensor = file.tensor(name)
    for field, value in fields.items():
        assert hasattr(tensor, field)
        setattr(tensor, field, value)
    return file


@pytest.mark.parametrize("alignment", [0, 3, 6, 24, 65_537, 2**17, 2**31])
def test_G23_alignment(refuse, alignment):
    file = writer.model().set("general.alignment", u32(alignment))
    refuse(file, MALFORMED, f"'general.alignment' is {alignment}", "1..65536")


@pytest.mark.parametrize(
    "value",
    [writer.text("32"), writer.f32(32), writer.boolean(1), writer.i32(-32)],
    ids=["string", "float", "bool", "negative"],
)
def test_G23_alignment_of_another_type(refuse, value):
    refuse(
        writer.model().set("general.alignment", value), MALFORMED, "general.alignment", "1..65536"
    )


def test_G24_alignment_beyond_the_end(refuse):
    file = writer.model().set("general.alignment", u32(65_536))
    refuse(file.bytes()[:50_000], MALFORMED, "data starts at byte 65536", "50000 bytes")


@pytest.mark.parametrize("count", [0, 5, 2**31, 2**32 - 1])
def test_G25_dimension_count(refuse, count):
    refuse(changed(dimension_count=count), MALFORMED, f"'{MATRIX}' has {count} dimensions", "1..4")
    # Really so many.
    if count == 5:
        five = changed(dimensions=[32, 1, 1, 1, 32])
        refuse(five, MALFORMED, f"'{MATRIX}' has 5 dimensions")


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", [0, 2**40 + 1, 2**63, 2**64 - 1])
def test_G26_dimension(refuse, axis, size):
    dimensions = [32, 32]
    dimensions[axis] = size
    words = (f"dimension {axis} of tensor '{MATRIX}' is {size}", f"1..{2**40}")
    refuse(changed(dimensions=dimensions), MALFORMED, *words)


@pytest.mark.parametrize("sizes", [[2**32, 2**32, 1], [2**40, 2**24], [2**40] * 4, [2**24, 2**25]])
def test_G27_element_count_wraps(refuse, sizes):
    refuse(changed(dimensions=sizes), MALFORMED, f"element count of tensor '{MATRIX}' overflows")


def test_G28_byte_count_wraps(refuse):
    file = changed(dimensions=[2**40, 2**22], kind=F32)
    refuse(file, MALFORMED, f"element count of tensor '{MATRIX}' overflows")
    # A product below the ceiling cannot wrap any more.
    file = changed(dimensions=[2**24, 2**24], kind=F32)
    refuse(file, MALFORMED, f"'{MATRIX}' needs {2**50} bytes")


def test_G29_sum_of_sizes_wraps(refuse):
    """2^14 tensors of 2^50 bytes are 2^64; the first does not fit into the file."""
    file = writer.File(keys=writer.model().keys)
    for index in range(2**14):
        file.tensors.append(Tensor(f"t{index}".encode(), [2**24, 2**24], F32, b"", index * 2**50))
    refuse(file, MALFORMED, "tensor 't0' needs", 2**50)


@pytest.mark.parametrize("offset", [2**64 - 3, 2**64 - 32, 2**64 - 1])
def test_G29_rounding_up_wraps(refuse, offset):
    refuse(changed(offset=offset), MALFORMED, f"'{MATRIX}'", offset)


@pytest.mark.parametrize(
    ("kind", "name", "block"),
    [(2, "Q4_0", 32), (8, "Q8_0", 32), (12, "Q4_K", 256), (14, "Q6_K", 256)],
)
def test_G30_row_of_no_whole_blocks(refuse, kind, name, block):
    file = changed(dimensions=[100, 32], kind=kind)
    words = (f"dimension 0 of tensor '{MATRIX}' is 100", f"type {name} needs a multiple of {block}")
    refuse(file, MALFORMED, *words)


@pytest.mark.parametrize("kind", [4, 5, 31, 32, 33, 36, 37, 38, 43, 255, 2**31, 2**32 - 1])
def test_G31_unknown_tensor_type(refuse, kind):
    refuse(changed(kind=kind), UNSUPPORTED, f"tensor '{MATRIX}' has type id {kind}")


@pytest.mark.parametrize("kind", WITHOUT_KERNELS)
def test_G32_type_without_kernels(refuse, kind):
    file = writer.model(writer.WIDE)
    tensor = file.tensor("blk.0.attn_q.weight")
    tensor.kind = kind
    tensor.data = bytes(tensor.size)
    refuse(
        file,
        UNSUPPORTED,
        f"tensor 'blk.0.attn_q.weight' is of type {WITHOUT_KERNELS[kind]}",
        "Q4_K",
    )


def test_G33_offset_not_aligned(refuse):
    for offset in (1, 8, 16, 33):
        refuse(changed(offset=offset), MALFORMED, f"'{MATRIX}' is {offset}", "multiple of 32")


def test_G33_gaps_and_another_order(accept, save):
    """The padded running sum is not asked for: tensors are read one by one."""
    file = writer.model()
    expected = accept(file)
    offsets = {}
    offset = 64
    for tensor in reversed(file.tensors):
        offsets[tensor.name] = offset
        offset += file.padded(len(tensor.data)) + 4096
    data = bytearray(offset)
    for tensor in file.tensors:
        tensor.offset = offsets[tensor.name]
        data[tensor.offset : tensor.offset + len(tensor.data)] = tensor.data
    header = file.header()
    assert accept(header.ljust(file.padded(len(header)), b"\0") + bytes(data)) == expected


@pytest.mark.parametrize("offset", ["end", 2**40, 2**62, 2**63, 2**64 - 32, 2**64 - 4096])
def test_G34_beyond_the_end(refuse, offset):
    file = writer.model()
    if offset == "end":
        offset = sum(file.padded(len(one.data)) for one in file.tensors)
    size = len(file.tensor(MATRIX).data)
    words = (f"'{MATRIX}' needs {size} bytes at offset {offset}", "the data has")
    refuse(changed(offset=offset), MALFORMED, *words)


def test_G35_overlap(refuse):
    file = writer.model()
    first, second = file.tensors[0], file.tensors[3]
    # In its middle, and at its start.
    for offset in (64, 0):
        second.offset = offset
        names = [one.name.decode() for one in (first, second)]
        refuse(file, MALFORMED, *(f"'{name}'" for name in names), "overlap at byte")


def test_G36_name_twice(refuse):
    file = writer.model()
    file.tensors.append(file.tensor(NORM))
    refuse(file, MALFORMED, f"tensor '{NORM}' appears twice")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (b"", "has 0 bytes"),
        (b"n" * 65, "has 65 bytes"),
        (b"a\0b", "NUL"),
        (b"a\xc0", "not UTF-8"),
    ],
)
def test_G36_name(refuse, name, words):
    file = writer.model()
    file.tensors.append(Tensor(name, [1], F32, bytes(4)))
    refuse(file, MALFORMED, f"name of tensor {len(file.tensors) - 1} ", words)


@pytest.mark.parametrize("length", [2**31, 2**63, 2**64 - 1])
def test_G36_length_of_a_name(refuse, length):
    refuse(changed(name_length=length), MALFORMED, "name of tensor", f"has {length} bytes", "1..64")


@pytest.mark.parametrize("size", [1, 31, 4096, 100_000])
def test_G61_bytes_after_the_last_tensor(accept, size):
    file = writer.model()
    expected = accept(file)
    file.tail = b"\xa5" * size
    assert accept(file) == expected


@pytest.mark.parametrize("size", [2**40, 2**63 - 1])
def test_G62_huge_sparse_file(refuse, tmp_path, size):
    """Missing bytes are not read: a count that fits the size meets the ceiling or the zeros."""
    file = writer.model()
    path = tmp_path / "sparse.gguf"
    for change, status, word in (
        ({}, MALFORMED, "length of key 0 is 0"),
        ({"key_count": 2**32}, LIMIT, "key count"),
        ({"tensor_count": 2**32}, LIMIT, "tensor count"),
    ):
        file = writer.File(**{"tensor_count": 1, "key_count": 1, **change})
        path.write_bytes(file.bytes())
        try:
            os.truncate(path, size)
        except OSError:
            # The file system's own ceiling: 16 TiB of ext4.
            os.truncate(path, 2**43)
        refused(path, status, "'sparse.gguf'", word)


@pytest.mark.parametrize("kind", ["F32", "F16", "Q8_0"])
def test_G65_all_zero_data(accept, kind):
    for zeroed in ("all", "matrices"):
        file = writer.model(kind=writer.Kind[kind])
        for tensor in file.tensors:
            if zeroed == "all" or len(tensor.dimensions) > 1:
                tensor.data = bytes(len(tensor.data))
        values = accept(file)
        assert set(values) == {0.0}
        assert accept(file) == values


def test_G66_many_keys(accept, refuse):
    """Linear or nearly: a look through the keys for each of them would not end in time."""
    file = writer.model()
    expected = accept(file)
    for index in range(65_536 - len(file.keys)):
        file.keys.append((struct.pack("<I", index).hex().encode(), u8(1)))
    assert accept(file) == expected
    file.keys.append((b"one more", u8(1)))
    refuse(file, LIMIT, "key count is 65537", "0..65536")


def test_G67_many_tensors(accept, refuse):
    file = writer.model()
    expected = accept(file)
    prefix = b"a.name.that.begins.as.all.the.others.and.differs.in.its.end."
    while len(file.tensors) < 65_536:
        file.tensors.append(
            Tensor(prefix + f"{len(file.tensors):04x}".encode(), [1], F32, bytes(4))
        )
    assert accept(file) == expected
    file.tensors.append(Tensor(b"one more", [1], F32, bytes(4)))
    refuse(file, LIMIT, "tensor count is 65537", "1..65536")


def test_G68_keys_in_another_order(accept):
    file = writer.model()
    expected = accept(file)
    for seed in range(3):
        random.Random(seed).shuffle(file.keys)
        assert accept(file) == expected
    file.keys.reverse()
    assert accept(file) == expected


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q5_1"])
def test_G69_alignments(accept, kind):
    """Tensors of sizes that are no multiple of 32 put the next ones between the lines."""
    expected = None
    for alignment in (32, 8, 1, 2, 65_536):
        file = writer.model(kind=writer.Kind[kind])
        file.tensors.insert(0, Tensor(b"v.odd", [1], F32, bytes(4)))
        file.set("general.alignment", u32(alignment)).alignment = alignment
        values = accept(file)
        assert expected is None or values == expected
        expected = values
