"""Writing GGUF files with the `gguf` package: copies with other tensors, small random models."""

import pathlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import gguf
import numpy as np

Kind = gguf.GGMLQuantizationType
# A tensor to write: its name, its values as stored, its type.
Tensor = tuple[str, np.ndarray, Kind]
EXPERT_PARTS = ("gate", "up", "down")
VOCABULARY_START = 3 + 256


def encode(name: str, values: np.ndarray, kind: Kind) -> Tensor:
    """Values in a type, by gguf's quantizer; F16 where the columns do not divide into blocks."""
    if values.ndim == 1 or "ffn_gate_inp" in name:
        kind = Kind.F32
    elif values.shape[-1] % gguf.constants.GGML_QUANT_SIZES[kind][0]:
        kind = Kind.F16
    data = np.ascontiguousarray(values, np.float32)
    return name, gguf.quants.quantize(data, kind), kind


def decode(tensor: gguf.ReaderTensor) -> np.ndarray:
    """The f32 values of a tensor."""
    return gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)


def finish(writer: gguf.GGUFWriter, tensors: Iterable[Tensor]) -> None:
    """Adds the tensors and writes the file."""
    for name, data, kind in tensors:
        writer.add_tensor(name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def copy(
    reader: gguf.GGUFReader,
    target: pathlib.Path,
    tensors: Iterable[Tensor],
    changes: dict[str, int] | None = None,
) -> None:
    """Writes a file with the reader's metadata, `changes` to it (u32), and other tensors."""
    changes = changes or {}
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name == "general.architecture" or name in changes:
            continue
        inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], inner)
    for name, value in changes.items():
        writer.add_uint32(name, value)
    finish(writer, tensors)


@dataclass(frozen=True)
class Shape:
    """A small model. `experts` 0 is a dense one, `window` 0 none."""

    layers: int = 2
    width: int = 96
    heads: int = 4
    kv_heads: int = 2
    head_width: int = 24
    feed_forward: int = 128
    experts: int = 0
    window: int = 0
    vocabulary: int = 1003
    rope_base: float = 1e4
    context: int = 1024
    tied: bool = False


def random_weights(shape: Shape, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names and f32 values. Gains are such that all parts of a layer matter to the logits."""
    random = np.random.default_rng(seed)

    def matrix(*dimensions: int, gain: float = 1.0) -> np.ndarray:
        values = random.standard_normal(dimensions, dtype=np.float32)
        return values * np.float32(gain / dimensions[-1] ** 0.5)

    def norm() -> np.ndarray:
        return 1 + 0.2 * random.standard_normal(shape.width, dtype=np.float32)

    width, hidden = shape.width, shape.feed_forward
    yield "token_embd.weight", matrix(shape.vocabulary, width, gain=6)
    for layer in range(shape.layers):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", norm()
        yield block + "attn_q.weight", matrix(shape.heads * shape.head_width, width, gain=1.5)
        yield block + "attn_k.weight", matrix(shape.kv_heads * shape.head_width, width, gain=1.5)
        yield block + "attn_v.weight", matrix(shape.kv_heads * shape.head_width, width)
        yield block + "attn_output.weight", matrix(width, shape.heads * shape.head_width)
        yield block + "ffn_norm.weight", norm()
        copies = (shape.experts,) if shape.experts else ()
        suffix = "_exps.weight" if shape.experts else ".weight"
        if shape.experts:
            yield block + "ffn_gate_inp.weight", matrix(shape.experts, width, gain=1.5)
        yield block + "ffn_gate" + suffix, matrix(*copies, hidden, width, gain=1.5)
        yield block + "ffn_up" + suffix, matrix(*copies, hidden, width, gain=1.5)
        yield block + "ffn_down" + suffix, matrix(*copies, width, hidden, gain=1.5)
    yield "output_norm.weight", norm()
    if not shape.tied:
        yield "output.weight", matrix(shape.vocabulary, width, gain=3)


def add_vocabulary(writer: gguf.GGUFWriter, size: int) -> None:
    """A SentencePiece vocabulary: three control tokens, all bytes, then invented words."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += [f"▁w{number}" for number in range(size - VOCABULARY_START)]
    kinds = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    kinds += [gguf.TokenType.BYTE] * 256 + [gguf.TokenType.NORMAL] * (size - VOCABULARY_START)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(pieces)
    writer.add_token_scores([float(-number) for number in range(size)])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def add_keys(writer: gguf.GGUFWriter, shape: Shape, name: str) -> None:
    """Hyperparameters and an invented SentencePiece vocabulary."""
    writer.add_name(name)
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(shape.vocabulary)
    if shape.experts:
        writer.add_expert_count(shape.experts)
        writer.add_expert_used_count(2)
    if shape.window:
        writer.add_sliding_window(shape.window)
    add_vocabulary(writer, shape.vocabulary)


def write_random(target: pathlib.Path, shape: Shape, kind: Kind, seed: int = 1) -> pathlib.Path:
    """Writes a random model of a shape, its matrices in one type as far as their columns allow."""
    writer = gguf.GGUFWriter(target, "llama")
    add_keys(writer, shape, f"random {kind.name}")
    finish(writer, (encode(name, x, kind) for name, x in random_weights(shape, seed)))
    return target
