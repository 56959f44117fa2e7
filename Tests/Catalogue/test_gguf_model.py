"""G19-G22, G37-G47, G54-G57: keys and tensors that are well-formed and no model of ours."""

from __future__ import annotations

import math
import pathlib
from collections.abc import Callable

import gguf_writer as writer
import mixtral
import pytest
from gguf_writer import Tensor, array, boolean, f32, i32, number, text, u16, u32
from mixtral._raw import (
    MIXTRAL_IO as IO,
    MIXTRAL_LIMIT_EXCEEDED as LIMIT,
    MIXTRAL_MALFORMED as MALFORMED,
    MIXTRAL_UNSUPPORTED as UNSUPPORTED,
)
from unharmed import logits, refused

pytestmark = pytest.mark.usefixtures("unharmed")

NAN, INFINITY = math.nan, math.inf
HEADS, KV_HEADS = "llama.attention.head_count", "llama.attention.head_count_kv"
EPSILON = "llama.attention.layer_norm_rms_epsilon"
NEEDED = [
    "llama.block_count",
    "llama.embedding_length",
    "llama.feed_forward_length",
    "llama.context_length",
    HEADS,
    EPSILON,
    "tokenizer.ggml.model",
    "tokenizer.ggml.tokens",
    "tokenizer.ggml.scores",
]
TENSORS = [one.name.decode() for one in writer.model().tensors]
EXPERTS = [name for name in TENSORS if "_exps" in name]


def with_key(key: str, value: writer.Value | None) -> writer.File:
    return writer.model().set(key, value)


def older(file: writer.File) -> writer.File:
    """A tensor for each expert, as before April 2024."""
    for name in EXPERTS:
        tensor = file.tensor(name)
        file.tensors.remove(tensor)
        *dimensions, count = tensor.dimensions
        size = len(tensor.data) // count
        for expert in range(count):
            single = name.replace("_exps", f".{expert}").encode()
            data = tensor.data[expert * size : (expert + 1) * size]
            file.tensors.append(Tensor(single, dimensions, tensor.kind, data))
    return file


def test_G19_architecture(refuse):
    key = "general.architecture"
    refuse(with_key(key, None), MALFORMED, f"key '{key}' is missing")
    for name in ("gpt2", "LLAMA", "", "llama "):
        refuse(with_key(key, text(name)), UNSUPPORTED, f"'{name}'", "'llama'")
    refuse(with_key(key, u32(1)), MALFORMED, key, "string")


@pytest.mark.parametrize("key", NEEDED)
def test_G20_needed_key_missing(refuse, key):
    refuse(with_key(key, None), MALFORMED, f"'{key}' is ")


def test_G20_types_are_found_by_spelling_where_they_are_missing(accept):
    accept(with_key("tokenizer.ggml.token_type", None))


@pytest.mark.parametrize("key", NEEDED[:5])
def test_G21_type_of_a_number(refuse, accept, key):
    file = writer.model()
    expected = accept(file)
    (value,) = [
        int.from_bytes(data, "little") for name, (_, data) in file.keys if name == key.encode()
    ]
    for kind in (0, 1, 2, 3, 4, 5, 10, 11):
        if value < 128 or kind > 1:
            assert accept(file.set(key, number(kind, value))) == expected
    wrong = [i32(-2), number(11, -(2**63)), number(10, 2**64 - 1), f32(7.5), f32(value)]
    for other in (*wrong, text(str(value)), boolean(1)):
        refuse(file.set(key, other), MALFORMED, f"key '{key}' is", "allowed")


def test_G22_number_a_layer(refuse, accept):
    file = writer.model()
    expected = accept(file)
    assert accept(file.set(HEADS, array(4, [u32(2), u32(2)]))) == expected
    refuse(file.set(HEADS, array(4, [u32(2), u32(1)])), UNSUPPORTED, HEADS, "layer 1")
    refuse(file.set(HEADS, array(5, [i32(-2), i32(-2)])), MALFORMED, HEADS, "-2")
    refuse(file.set(HEADS, array(4, [])), MALFORMED, HEADS)
    refuse(file.set(HEADS, array(8, [text("2"), text("2")])), MALFORMED, HEADS)


@pytest.mark.parametrize("name", TENSORS)
def test_G37_tensor_missing(refuse, accept, name):
    file = writer.model().remove_tensor(name)
    if name == "output.weight":
        accept(file)
    else:
        refuse(file, MALFORMED, name.replace("_exps", ".0"), "is missing")


@pytest.mark.parametrize("name", [b"what.is.this", b"blk.0.attn_sinks.weight", b"output.bias"])
def test_G37_tensor_that_would_change_the_answers(refuse, name):
    file = writer.model()
    file.tensors.append(Tensor(name, [5], 0, bytes(20)))
    refuse(file, UNSUPPORTED, f"'{name.decode()}'", "with 2 layers")


def test_G37_tower_beside_the_model_is_counted(accept, save):
    """Also of a type that nobody knows: nobody reads it."""
    file = writer.model()
    expected = accept(file)
    for name, kind in ((b"v.blk.0.attn_q.weight", 0), (b"mm.linear_1.weight", 999)):
        file.tensors.append(Tensor(name, [5], kind, bytes(20)))
    assert accept(file) == expected
    with mixtral.Model(save(file)) as model:
        assert model.info.unused_tensors == 2
        assert model.info.tensors == len(file.tensors)


@pytest.mark.parametrize("name", TENSORS)
def test_G38_shape(refuse, name):
    """Shapes with one more in a dimension, two swapped, several made one, a dimension more."""
    right = writer.model().tensor(name).dimensions
    wrong = [[*right[:axis], right[axis] + 1, *right[axis + 1 :]] for axis in range(len(right))]
    wrong += [right[1::-1] + right[2:], [math.prod(right)], [*right, 2]]
    for shape in wrong:
        if shape == right or (name == "token_embd.weight" and shape == [32, 263]):
            # More rows than tokens are padding.
            continue
        file = writer.model()
        tensor = file.tensor(name)
        # In a type without blocks, or the shape itself would not be possible.
        tensor.dimensions, tensor.kind = shape, 0
        tensor.data = bytes(4 * math.prod(shape))
        spelled = [" x ".join(map(str, one)) for one in (shape, right)]
        # The embedding itself says how many rows it has.
        expected = "32 x " if name == "token_embd.weight" else spelled[1]
        refuse(file, MALFORMED, f"'{name}' is {spelled[0]}; expected {expected}")


def test_G39_layers(refuse, accept, save):
    key = "llama.block_count"
    refuse(with_key(key, u32(0)), MALFORMED, "is 0", "1..512")
    refuse(with_key(key, u32(513)), MALFORMED, "is 513", "1..512")
    refuse(with_key(key, u32(3)), MALFORMED, "'blk.2.attn_norm.weight' is missing")
    refuse(with_key(key, u32(1)), UNSUPPORTED, "'blk.1.", "with 1 layers")


@pytest.mark.parametrize("heads", [0, 3, 1025, 2**32 - 1])
def test_G40_heads(refuse, heads):
    refuse(with_key(HEADS, u32(heads)), MALFORMED, heads)


@pytest.mark.parametrize(("heads", "words"), [(0, "is 0"), (3, "3"), (4, "4"), (2**31, 2**31)])
def test_G41_key_value_heads(refuse, heads, words):
    sentence = refuse(with_key(KV_HEADS, u32(heads)), MALFORMED, KV_HEADS, words)
    assert heads in (0, 2**31) or "the 2 heads" in sentence


def test_G42_width_of_heads(refuse):
    file = with_key("llama.embedding_length", u32(33))
    for kind in ("key", "value"):
        file.set(f"llama.attention.{kind}_length", None)
    refuse(file, MALFORMED, "33", "2 heads", "key_length")
    for width in (0, 1025, 2**31):
        refuse(with_key("llama.attention.key_length", u32(width)), MALFORMED, width)
    file = with_key("llama.attention.key_length", u32(15))
    refuse(file.set("llama.attention.value_length", u32(15)), MALFORMED, "15", "even")


def test_G43_experts(refuse):
    count, used = "llama.expert_count", "llama.expert_used_count"
    for value in (u32(513), i32(-1)):
        refuse(with_key(count, value), MALFORMED, count)
    refuse(with_key(count, u32(1)), MALFORMED, f"{used}' is 2", "1..1")
    refuse(with_key(count, u32(5)), MALFORMED, "ffn_gate_inp.weight")
    for number_used in (0, 5):
        refuse(with_key(used, u32(number_used)), MALFORMED, f"{used}' is {number_used}", "1..4")
    refuse(with_key(used, None), MALFORMED, f"{used}' is missing")


def test_G44_layouts_of_the_experts(refuse, accept):
    expected = accept(writer.model())
    assert accept(older(writer.model())) == expected
    for name in ("blk.0.ffn_gate.0", "blk.1.ffn_up.2", "blk.0.ffn_down.3"):
        refuse(
            older(writer.model()).remove_tensor(f"{name}.weight"), MALFORMED, f"'{name}.weight' is"
        )
    both = older(writer.model())
    both.tensors += [writer.model().tensor(name) for name in EXPERTS]
    words = ("'blk.0.ffn_gate_exps.weight' and 'blk.0.ffn_gate.0.weight' are both there",)
    refuse(both, MALFORMED, *words)


def test_G45_rotary_numbers(refuse, accept):
    width, base = "llama.rope.dimension_count", "llama.rope.freq_base"
    for value in (0, 7, 18, 2**31):
        refuse(with_key(width, u32(value)), MALFORMED, f"{width}' is {value}")
    for value in (0.0, -1.0, NAN, INFINITY, -INFINITY):
        refuse(with_key(base, f32(value)), MALFORMED, f"{base}' is")
    refuse(with_key("llama.rope.scaling.type", text("yarn")), UNSUPPORTED, "'yarn'", "'linear'")
    linear = with_key("llama.rope.scaling.type", text("linear"))
    expected = accept(writer.model())
    assert accept(linear.set("llama.rope.scaling.factor", f32(0.0))) == expected
    for value in (-2.0, NAN, INFINITY):
        factor = "llama.rope.scaling.factor"
        refuse(linear.set(factor, f32(value)), MALFORMED, f"{factor}' is")
        refuse(with_key("llama.rope.scale_linear", f32(value)), MALFORMED, "scale_linear' is")


@pytest.mark.parametrize("value", [NAN, -1e-5, 0.0, 1.0, 1e30, INFINITY])
def test_G46_epsilon(refuse, value):
    refuse(with_key(EPSILON, f32(value)), MALFORMED, EPSILON, "above 0, below 1")
    refuse(with_key(EPSILON, number(12, value)), MALFORMED, EPSILON, "above 0, below 1")


def test_G47_context_length(refuse, accept, save):
    key = "llama.context_length"
    refuse(with_key(key, u32(0)), MALFORMED, f"{key}' is 0")
    expected = accept(writer.model())
    assert accept(with_key(key, u32(2**32 - 1))) == expected
    with mixtral.Model(save(with_key(key, u32(2**32 - 1)))) as model, model.session() as session:
        assert session.state.cache_size == 0


@pytest.mark.parametrize(
    "template",
    [
        b"x" * 2**24,
        b"{% for a in b %}" * 10**5,
        b"{% for a in range(10**9) %}{{ a }}{% endfor %}",
        b"{{ self.__init__.__globals__.__builtins__.__import__('os').abort() }}",
        b"{% import 'self' as x %}",
        b"\xff\xfe\0",
    ],
    ids=["16 MiB", "nested", "endless", "code", "import", "no text"],
)
def test_G54_chat_template_is_never_run(accept, template):
    expected = accept(writer.model())
    assert accept(with_key("tokenizer.chat_template", text(template))) == expected


def test_G55_quantization_version(refuse, accept):
    key = "general.quantization_version"
    refuse(with_key(key, u32(3)), UNSUPPORTED, f"{key}' is 3", "0..2")
    accept(with_key(key, u32(2)))


Split = Callable[..., pathlib.Path]


@pytest.fixture
def split(tmp_path: pathlib.Path) -> Split:
    """Writes the model in three parts, changed by a function of them; the path of the first."""

    def write(change: Callable[[list[writer.File]], object] = lambda parts: None) -> pathlib.Path:
        whole = writer.model()
        parts = [writer.File() for _ in range(3)]
        parts[0].keys = whole.keys
        for index, tensor in enumerate(whole.tensors):
            parts[index * 3 // len(whole.tensors)].tensors.append(tensor)
        for index, part in enumerate(parts):
            part.set("split.no", u16(index)).set("split.count", u16(3))
            part.set("split.tensors.count", i32(len(whole.tensors)))
        change(parts)
        for index, part in enumerate(parts):
            (tmp_path / f"m-{index + 1:05}-of-00003.gguf").write_bytes(part.bytes())
        return tmp_path / "m-00001-of-00003.gguf"

    return write


def test_G56_parts_of_one_model(split, accept):
    assert logits(split(), (1, 65, 66, 261)) == accept(writer.model())


def test_G56_no_part_is_packed_over(split):
    """Whatever name it has: the target would take the place of what is read."""
    first = split()
    parts = sorted(first.parent.glob("m-*.gguf"))
    before = [part.read_bytes() for part in parts]
    for part in parts:
        names = [part, first.parent / "soft", first.parent / "hard"]
        names[1].symlink_to(part)
        names[2].hardlink_to(part)
        for name in names:
            with pytest.raises(mixtral.InvalidArgumentError, match="is the file that is read"):
                mixtral.pack(first, name, overwrite=True)
        for name in names[1:]:
            name.unlink()
    assert [part.read_bytes() for part in parts] == before
    mixtral.pack(first, first.parent / "packed")
    assert logits(first.parent / "packed", (1, 65)) == logits(first, (1, 65))


def test_G56_part_missing(split):
    path = split()
    (path.parent / "m-00002-of-00003.gguf").unlink()
    refused(path, IO, "part 2 of 3", "'m-00002-of-00003.gguf'", "ENOENT")


@pytest.mark.parametrize(
    ("part", "key", "value", "words"),
    [
        (2, "split.no", u16(1), "'split.no' is 1; its name says 2"),
        (1, "split.no", None, "'split.no' is absent"),
        (1, "split.count", u16(4), "'split.count' is 4"),
        (2, "split.count", None, "'split.count' is absent"),
        (1, "split.tensors.count", i32(9), "'split.tensors.count' is 9"),
        (1, "general.architecture", text("gpt2"), "'general.architecture' is 'gpt2'"),
    ],
)
def test_G56_parts_that_do_not_belong_together(split, part, key, value, words):
    path = split(lambda parts: parts[part].set(key, value))
    refused(path, MALFORMED, f"'m-0000{part + 1}-of-00003.gguf'", words)


def test_G56_tensor_in_two_parts(split):
    path = split(lambda parts: parts[1].tensors.append(parts[0].tensors[0]))
    refused(path, MALFORMED, "'token_embd.weight' appears twice")


def test_G57_split_count(split, save, accept):
    for count, status in ((65_536, MALFORMED), (1025, LIMIT)):
        path = split(lambda parts: parts[0].set("split.count", u32(count)))
        refused(path, status, f"'split.count' is {count}")
    path = split(lambda parts: [part.set("split.tensors.count", i32(9)) for part in parts])
    refused(path, MALFORMED, "'split.tensors.count' is 9", "the 3 parts have")
    for number_opened in (2, 3):
        path = split().with_name(f"m-0000{number_opened}-of-00003.gguf")
        refused(path, UNSUPPORTED, "open part 1: 'm-00001-of-00003.gguf'")


def test_G57_one_file_that_was_merged(accept):
    """llama-gguf-split --merge writes a count of 0."""
    expected = accept(writer.model())
    merged = with_key("split.count", u16(0)).set("split.no", u16(0))
    assert accept(merged.set("split.tensors.count", i32(len(TENSORS)))) == expected
    assert accept(with_key("split.count", u16(1)).set("split.no", u16(0))) == expected
