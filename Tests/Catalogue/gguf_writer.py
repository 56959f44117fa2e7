"""A GGUF writer that can write wrong things, and a small right model to start from.

A `File` is what the bytes say, in their order: every count, length, type, size and offset can be
claimed to be another one than it is.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Iterable

import gguf
import gguf_files
import numpy
from gguf_files import Kind, Shape

ALIGNMENT = 32
# A value of the metadata: the id of its type and its bytes.
Value = tuple[int, bytes]
ARRAY, STRING = 9, 8
_FORMATS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "B",
    10: "Q",
    11: "q",
    12: "d",
}


def number(kind: int, value: float) -> Value:
    return kind, struct.pack("<" + _FORMATS[kind], value)


def u8(value: int) -> Value:
    return number(0, value)


def u16(value: int) -> Value:
    return number(2, value)


def u32(value: int) -> Value:
    return number(4, value)


def i32(value: int) -> Value:
    return number(5, value)


def u64(value: int) -> Value:
    return number(10, value)


def f32(value: float) -> Value:
    return number(6, value)


def boolean(byte: int) -> Value:
    return number(7, byte)


def sized(data: bytes, length: int | None = None) -> bytes:
    """Bytes behind their length, or behind one that they do not have."""
    return struct.pack("<Q", len(data) if length is None else length) + data


def text(value: str | bytes, length: int | None = None) -> Value:
    return STRING, sized(value.encode() if isinstance(value, str) else value, length)


def array(kind: int, values: Iterable[Value], count: int | None = None) -> Value:
    """An array of elements that were made with their type, which is left out."""
    parts = [payload for _, payload in values]
    return ARRAY, struct.pack("<IQ", kind, len(parts) if count is None else count) + b"".join(parts)


@dataclasses.dataclass
class Tensor:
    name: bytes
    dimensions: list[int]
    kind: int
    data: bytes
    # Claims; None is the truth.
    offset: int | None = None
    dimension_count: int | None = None
    name_length: int | None = None

    @property
    def size(self) -> int:
        """The bytes that its dimensions and type need."""
        weights, byte_count = gguf.constants.GGML_QUANT_SIZES[Kind(self.kind)]
        return math.prod(self.dimensions) // weights * byte_count

    def record(self, offset: int) -> bytes:
        count = len(self.dimensions) if self.dimension_count is None else self.dimension_count
        return (
            sized(self.name, self.name_length)
            + struct.pack("<I", count)
            + struct.pack(f"<{len(self.dimensions)}Q", *self.dimensions)
            + struct.pack("<IQ", self.kind, offset if self.offset is None else self.offset)
        )


@dataclasses.dataclass
class File:
    keys: list[tuple[bytes, Value]] = dataclasses.field(default_factory=list)
    tensors: list[Tensor] = dataclasses.field(default_factory=list)
    magic: bytes = b"GGUF"
    version: int = 3
    tensor_count: int | None = None
    key_count: int | None = None
    alignment: int = ALIGNMENT
    tail: bytes = b""

    def set(self, key: str, value: Value | None) -> File:
        """Replaces a key where it stands, appends it, or with None removes it."""
        name = key.encode()
        names = [one for one, _ in self.keys]
        if name in names:
            place = names.index(name)
            self.keys[place : place + 1] = [] if value is None else [(name, value)]
        elif value is not None:
            self.keys.append((name, value))
        return self

    def tensor(self, name: str) -> Tensor:
        return next(one for one in self.tensors if one.name == name.encode())

    def remove_tensor(self, name: str) -> File:
        self.tensors.remove(self.tensor(name))
        return self

    def fill(self, name: str, values: numpy.ndarray, kind: Kind = Kind.F32) -> File:
        """Gives a tensor other values, rows first, in a type."""
        tensor = self.tensor(name)
        data = numpy.broadcast_to(numpy.float32(values), tensor.dimensions[::-1])
        tensor.data = gguf.quants.quantize(numpy.ascontiguousarray(data), kind).tobytes()
        tensor.kind = int(kind)
        return self

    def header(self) -> bytes:
        """Everything before the padding and the data."""
        tensors, keys = self.tensor_count, self.key_count
        parts = [
            self.magic,
            struct.pack("<I", self.version),
            struct.pack("<Q", len(self.tensors) if tensors is None else tensors),
            struct.pack("<Q", len(self.keys) if keys is None else keys),
        ]
        parts += [sized(name) + struct.pack("<I", kind) + data for name, (kind, data) in self.keys]
        offset = 0
        for tensor in self.tensors:
            parts.append(tensor.record(offset))
            offset += self.padded(len(tensor.data))
        return b"".join(parts)

    def padded(self, size: int) -> int:
        return -(-size // self.alignment) * self.alignment

    def bytes(self) -> bytes:
        header = self.header()
        parts = [header.ljust(self.padded(len(header)), b"\0")]
        parts += [one.data.ljust(self.padded(len(one.data)), b"\0") for one in self.tensors]
        return b"".join(parts) + self.tail


def vocabulary(size: int) -> tuple[list[bytes], list[float], list[int]]:
    """Pieces, scores and types: three control tokens, all bytes, then invented words."""
    pieces = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256))]
    pieces += [f"\u2581w{index}".encode() for index in range(size - len(pieces))]
    kinds = [2, 3, 3] + [6] * 256 + [1] * (size - gguf_files.VOCABULARY_START)
    return pieces, [-float(index) for index in range(size)], kinds


def set_vocabulary(file: File, pieces: list[bytes], scores: list[float], kinds: list[int]) -> File:
    file.set("tokenizer.ggml.tokens", array(STRING, map(text, pieces)))
    file.set("tokenizer.ggml.scores", array(6, map(f32, scores)))
    return file.set("tokenizer.ggml.token_type", array(5, map(i32, kinds)))


SMALL = Shape(
    layers=2,
    width=32,
    heads=2,
    kv_heads=1,
    head_width=16,
    feed_forward=32,
    experts=4,
    vocabulary=262,
)
# For types whose blocks are 256 weights.
WIDE = Shape(
    layers=1, width=256, heads=4, kv_heads=1, head_width=64, feed_forward=256, vocabulary=262
)


def model(shape: Shape = SMALL, kind: Kind = Kind.Q8_0, seed: int = 1) -> File:
    """A random model that loads and steps: 60 KB in the small shape."""
    file = File()
    file.set("general.architecture", text("llama"))
    numbers = {
        "block_count": shape.layers,
        "context_length": 1024,
        "embedding_length": shape.width,
        "feed_forward_length": shape.feed_forward,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head_width,
        "attention.value_length": shape.head_width,
        "rope.dimension_count": shape.head_width,
        **({"expert_count": shape.experts, "expert_used_count": 2} if shape.experts else {}),
    }
    for key, value in numbers.items():
        file.set("llama." + key, u32(value))
    file.set("llama.rope.freq_base", f32(shape.rope_base))
    file.set("llama.attention.layer_norm_rms_epsilon", f32(1e-5))
    file.set("tokenizer.ggml.model", text("llama"))
    set_vocabulary(file, *vocabulary(shape.vocabulary))
    for index, mark in enumerate(("unknown", "bos", "eos")):
        file.set(f"tokenizer.ggml.{mark}_token_id", u32(index))
    for name, values in gguf_files.random_weights(shape, seed):
        _, data, stored = gguf_files.encode(name, values, kind)
        dimensions = list(values.shape[::-1])
        file.tensors.append(Tensor(name.encode(), dimensions, int(stored), data.tobytes()))
    return file
