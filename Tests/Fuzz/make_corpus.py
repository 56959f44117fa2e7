"""Writes the seeds of corpus/: whole small models, texts, and choices of every kind.

    pip install gguf numpy xxhash && python make_corpus.py

Files named `seed-…` are this script's; `find-…` were found by fuzzing and reduced (`fuzz.py keep`).
"""

from __future__ import annotations

import pathlib
import random
import struct

import numpy as np
import xxhash
from gguf import GGMLQuantizationType, GGUFWriter, TokenType, quants

CORPUS = pathlib.Path(__file__).parent / "corpus"
WIDTH = 32
VOCABULARY = 16


def save(target: str, name: str, data: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def matrices(experts: int) -> dict[str, tuple[int, ...]]:
    """Shapes of one layer and what is around it, rows first."""
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (VOCABULARY, WIDTH),
        "blk.0.attn_q.weight": (WIDTH, WIDTH),
        "blk.0.attn_k.weight": (WIDTH // 2, WIDTH),
        "blk.0.attn_v.weight": (WIDTH // 2, WIDTH),
        "blk.0.attn_output.weight": (WIDTH, WIDTH),
    }
    many = (experts,) if experts else ()
    suffix = "_exps" if experts else ""
    for role in ["gate", "up", "down"]:
        shapes[f"blk.0.ffn_{role}{suffix}.weight"] = (*many, WIDTH, WIDTH)
    return shapes


def model(path: pathlib.Path, kind: GGMLQuantizationType, experts: int, tokenizer: str) -> None:
    numbers = np.random.default_rng(1)
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model(tokenizer)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(1)
        writer.add_sliding_window(3)
    letters = [chr(ord("a") + i) for i in range(VOCABULARY - 4)]
    writer.add_token_list(["<unk>", "<s>", "</s>", *letters, "ab"])
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    writer.add_token_types(kinds + [TokenType.NORMAL] * (VOCABULARY - 3))
    if tokenizer == "gpt2":
        writer.add_tokenizer_pre("smollm")
        writer.add_token_merges(["a b"])
    else:
        writer.add_token_scores([-float(i) for i in range(VOCABULARY)])
    for name, shape in matrices(experts).items():
        values = numbers.standard_normal(shape).astype(np.float32) / 8
        writer.add_tensor(name, quants.quantize(values, kind), raw_dtype=kind)
    vectors = ["blk.0.attn_norm.weight", "blk.0.ffn_norm.weight", "output_norm.weight"]
    for name in vectors:
        writer.add_tensor(name, np.ones(WIDTH, np.float32))
    if experts:
        writer.add_tensor("blk.0.ffn_gate_inp.weight", np.ones((experts, WIDTH), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def models() -> None:
    kinds = GGMLQuantizationType
    for name, kind, experts, tokenizer in [
        ("dense-q8_0", kinds.Q8_0, 0, "llama"),
        ("dense-q4_0-bpe", kinds.Q4_0, 0, "gpt2"),
        ("mixture-f16", kinds.F16, 2, "llama"),
    ]:
        path = CORPUS / "gguf" / f"seed-{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        model(path, kind, experts, tokenizer)
        whole = path.read_bytes()
        save("gguf", f"{name}-version-2", whole[:4] + b"\2" + whole[5:])
        save("gguf", f"{name}-cut", whole[: len(whole) // 2])


def strings() -> None:
    """Strings of a file that sentences quote, with a control character in each."""

    def text(value: bytes) -> bytes:
        return struct.pack("<Q", len(value)) + value

    names = ["block_count", "attention.head_count", "feed_forward_length", "context_length"]
    shape = {"llama.embedding_length": 4, **{f"llama.{name}": 2 for name in names}}
    for name, architecture, scaling in [
        ("architecture", b"\x1b[2J", b"none"),
        ("rope-scaling", b"llama", b"a\nb"),
    ]:
        keys = text(b"general.architecture") + struct.pack("<I", 8) + text(architecture)
        keys += text(b"llama.rope.scaling.type") + struct.pack("<I", 8) + text(scaling)
        for key, number in shape.items():
            keys += text(key.encode()) + struct.pack("<II", 4, number)
        header = b"GGUF" + struct.pack("<IQQ", 3, 1, 2 + len(shape)) + keys
        header += text(b"t") + struct.pack("<IQIQ", 1, 1, 0, 0)
        save("gguf", f"control-in-{name}", header + bytes(-len(header) % 32 + 32))


def texts() -> None:
    samples = [
        "And it came to pass",
        " leading, trailing ",
        "<s>[INST] <unk></s> <0x41> <SPECIAL_20>",
        "é日本語 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u0301\ufeff\u2581\u2581x",
        "1234567 I'm WE'LL \r\n\n\t  x",
        "\0\x01\x7f",
    ]
    data = [text.encode() for text in samples]
    data += [b"\xe2\x96", b"\xf0\x9f\xa6\xff\xc0\x80\xed\xa0\x80", bytes(range(256))]
    for i, text in enumerate(data):
        for model_bit in range(2):
            save("text", f"text-{i}-{model_bit}", bytes([model_bit | (i & 7) << 2]) + text)
            save("text", f"tokens-{i}-{model_bit}", bytes([model_bit | 2 | (i & 3) << 5]) + text)


def states() -> None:
    """Edits of saved states, by state.swift's first bytes: the way, two sessions, then edits."""
    numbers = random.Random(3)
    # The file's two models with both caches.
    for model in range(4):
        for length in [0, 1, 3, 4, 5]:
            save("state", f"unedited-{model}-{length}", bytes([model, model % 3, 0, length]))
    for i in range(16):
        start = bytes([(i + i // 8) % 4, i % 3, 0, i % 6, 1, i % 8])
        save("state", f"edit-{i:02}", start + numbers.randbytes(60))
    save("state", "other-cache", bytes([248, 1, 0, 1]))

    # Bytes offered as they are (odd: with right checksums), behind the same first bytes.
    header = bytearray(128)
    struct.pack_into("<8sIIQ", header, 0, b"MIXTRALS", 1, 0x01020304, len(header))
    struct.pack_into("<Q", header, 112, xxhash.xxh64_intdigest(b""))
    struct.pack_into("<Q", header, 120, xxhash.xxh64_intdigest(header[:120]))
    raw = {"empty": b"", "magic": header[:8], "header": header, "body": header + bytes(100)}
    for name, state in raw.items():
        for seal in range(2):
            save("state", f"raw-{name}-{seal}", bytes([4, 1, 0, 1, seal]) + state)


def choices() -> None:
    """Any bytes are choices: some rows of them for the targets that begin with a generator."""
    numbers = random.Random(2)
    for target, count, size in [("generated", 24, 48), ("packed", 12, 40), ("api", 24, 160)]:
        for i in range(count):
            save(target, f"{i:02}", bytes([i & 3]) + numbers.randbytes(size))
    for kernel in range(8):
        for i in range(13 if kernel > 4 else 4):
            save("kernels", f"{kernel}-{i:02}", bytes([kernel, i]) + numbers.randbytes(12 + 8 * i))


if __name__ == "__main__":
    for old in CORPUS.glob("*/seed-*"):
        old.unlink()
    models()
    strings()
    texts()
    states()
    choices()
