"""Makes golden.gguf with the `gguf` package and, read back by the same package, what it holds.

    pip install gguf==0.19.0 numpy && python make_gguf.py

golden.json     the metadata as one JSON object, arrays of more than 64 elements as type and count
golden.tensors  one line a tensor: name, type, dimensions, offset, bytes, sum of the bytes
golden-split-*.gguf and golden-split.tensors: the same tensors dealt out over three files
SHA256SUMS      of all of them
"""

import json
import pathlib
from importlib.metadata import version

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES

HERE = pathlib.Path(__file__).parent


def add_tensors(writer: GGUFWriter) -> None:
    random = np.random.default_rng(7)
    for index, kind in enumerate([Type.F32, Type.F16]):
        dtype = np.float32 if kind == Type.F32 else np.float16
        writer.add_tensor(f"plain.{index}.weight", random.standard_normal((3, 5)).astype(dtype))
    blocks = [Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0, Type.Q2_K, Type.Q3_K]
    blocks += [Type.Q4_K, Type.Q5_K, Type.Q6_K, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ3_XXS]
    blocks += [Type.IQ1_S, Type.IQ4_NL, Type.IQ3_S, Type.IQ2_S, Type.IQ4_XS, Type.IQ1_M]
    blocks += [Type.BF16, Type.TQ1_0, Type.TQ2_0, Type.MXFP4]
    blocks += [Type.I8, Type.I16, Type.I32, Type.I64, Type.F64]
    blocks += [kind for kind in Type if kind.name in ("NVFP4", "Q1_0", "Q2_0")]
    for kind in blocks:
        size = GGML_QUANT_SIZES[kind][1]
        raw = random.integers(0, 256, (2, 3, size), dtype=np.uint8)
        writer.add_tensor(f"{kind.name}.weight", raw, raw_dtype=kind)


def add_keys(writer: GGUFWriter) -> None:
    writer.add_uint8("int.u8", 255)
    writer.add_int8("int.i8", -128)
    writer.add_uint16("int.u16", 65535)
    writer.add_int16("int.i16", -32768)
    writer.add_uint32("int.u32", 2**32 - 1)
    writer.add_int32("int.i32", -(2**31))
    writer.add_uint64("int.u64", 2**64 - 1)
    writer.add_int64("int.i64", -(2**63))
    writer.add_float32("float.f32", 1e-05)
    writer.add_float64("float.f64", 0.1)
    writer.add_bool("bool.yes", True)
    writer.add_bool("bool.no", False)
    writer.add_string("text.plain", "Mixtral 8x7B")
    writer.add_string("text.awkward", 'quote " backslash \\ line\nreturn\rtab\tbell\x07 ▁é 🦙')
    writer.add_string("text.empty", "")
    writer.add_array("array.texts", ["<unk>", "<s>", "</s>", "▁the"])
    writer.add_array("array.floats", [0.5, -1000.25, 3.0])
    writer.add_array("array.integers", [3, -4, 5])
    writer.add_array("array.truths", [True, False])
    writer.add_array("array.64", list(range(64)))
    writer.add_array("array.65", [str(i) for i in range(65)])


def plain(field):
    """A field's value for json.dumps, floats with the digits of their own width."""
    kind = field.types[0]
    if kind == GGUFValueType.ARRAY:
        if len(field.data) > 64:
            return {"type": field.types[1].name.lower(), "count": len(field.data)}
        return field.contents()
    if kind == GGUFValueType.FLOAT32:
        return float(str(np.float32(field.contents())))
    return field.contents()


def describe(paths) -> None:
    lines = []
    for path in paths:
        for tensor in GGUFReader(path).tensors:
            raw = np.ascontiguousarray(tensor.data).view(np.uint8)
            shape = "x".join(str(int(n)) for n in tensor.shape)
            total = int(raw.sum(dtype=np.int64))
            kind = tensor.tensor_type.name
            place = f"{tensor.data_offset} {tensor.n_bytes}"
            lines.append(f"{tensor.name} {kind} {shape} {place} {total}")
    name = "golden.tensors" if len(paths) == 1 else "golden-split.tensors"
    (HERE / name).write_text("\n".join(lines) + "\n")


def main() -> None:
    whole = HERE / "golden.gguf"
    writer = GGUFWriter(whole, "llama")
    add_keys(writer)
    add_tensors(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    fields = GGUFReader(whole).fields.values()
    keys = {field.name: plain(field) for field in fields if not field.name.startswith("GGUF.")}
    (HERE / "golden.json").write_text(json.dumps(keys, ensure_ascii=False) + "\n")
    describe([whole])

    split = GGUFWriter(HERE / "golden-split.gguf", "llama", split_max_tensors=11)
    split.add_uint32("llama.block_count", 1)
    add_tensors(split)
    split.write_header_to_file()
    split.write_kv_data_to_file()
    split.write_tensors_to_file()
    split.close()
    describe(sorted(HERE.glob("golden-split-*.gguf")))
    print("gguf", version("gguf"), "numpy", np.__version__)


main()
