#!/usr/bin/env python3
"""Makes small models with biases and with linear scaling of positions, and their logits.

    pip install torch==2.15.0 transformers==5.24.0 gguf==0.19.0 numpy llama-cpp-python==0.3.36
    python make_family.py models DIR      # the GGUF files: the same bytes on every run
    python make_family.py logits DIR      # NAME.npz, by transformers in f32 and by `Exact` in f64
    python make_family.py llama DIR       # adds llama.cpp's rows to them, and writes llama_cpp.json

Matrices are F16, norms and biases F32; llama.cpp runs on an F32 copy of the same values with an F32
cache and without flash attention, so that its rows differ by rounding and by meaning only. The
files have 288 tokens, 2 layers, hidden width 64, 2 query heads and 1 key-value head of 32.

NAME.npz: `ids`, `positions`, and rows of logits [positions, 288] by `transformers`, `exact` and
`llama_cpp`. variants.npz: rows of linear.gguf with other metadata (`VARIANTS`) at the last two
positions, by `Exact`. llama_cpp.json: how far llama.cpp is from `Exact` at most, of each.
"""

import argparse
import ctypes
import json
import math
import pathlib
import tempfile

import gguf
import numpy as np

VOCABULARY, LAYERS, HIDDEN, HEADS, KV_HEADS, WIDTH, FEED_FORWARD = 288, 2, 64, 2, 1, 32, 96
EPSILON, ROPE_BASE, CONTEXT, TOKENS = 1e-5, 1e4, 1024, 300
POSITIONS = (0, 1, 47, 48, 127, 128, 129, 255, 256, 299)
Key = tuple[str, object]  # a GGUF type and a value
LINEAR: dict[str, Key] = {
    "rope.scaling.type": ("string", "linear"),
    "rope.scaling.factor": ("float32", 4.0),
}
# name: seed, whether there are biases, whether the output is the embedding, further keys
CASES: dict[str, tuple[int, bool, bool, dict[str, Key]]] = {
    "linear": (7, False, False, LINEAR),
    "bias": (12, True, True, {}),
}
# Of linear.gguf: keys that are set, keys or tensors that are left out.
VARIANTS: dict[str, tuple[dict[str, Key], tuple[str, ...]]] = {
    "old-key": (
        {"rope.scale_linear": ("float32", 4.0)},
        ("rope.scaling.type", "rope.scaling.factor"),
    ),
    "no-type": ({}, ("rope.scaling.type",)),
    "no-factor": ({}, ("rope.scaling.factor",)),
    "factor-0": ({"rope.scaling.factor": ("float32", 0.0)}, ()),
    "both-keys": ({"rope.scale_linear": ("float32", 2.0)}, ()),
    "none-with-factor": ({"rope.scaling.type": ("string", "none")}, ()),
    "none-with-old-key": (
        {"rope.scaling.type": ("string", "none"), "rope.scale_linear": ("float32", 4.0)},
        ("rope.scaling.factor",),
    ),
    "attn-factor-1.25": ({"rope.scaling.attn_factor": ("float32", 1.25)}, ()),
    "tied": ({}, ("output.weight",)),
}
PARTS = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def weights(biased: bool, tied: bool, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Values that F16 has, by transformers' names."""

    def matrix(rows: int, columns: int, gain: float = 1.0) -> np.ndarray:
        values = random.standard_normal((rows, columns)) * gain / columns**0.5
        return values.astype(np.float16)

    def norm() -> np.ndarray:
        return (1 + 0.2 * random.standard_normal(HIDDEN)).astype(np.float16)

    def bias(count: int, gain: float) -> np.ndarray:
        return (gain * random.standard_normal(count)).astype(np.float16)

    query, kv = HEADS * WIDTH, KV_HEADS * WIDTH
    all = {"model.embed_tokens.weight": matrix(VOCABULARY, HIDDEN, 6), "model.norm.weight": norm()}
    if not tied:
        all["lm_head.weight"] = matrix(VOCABULARY, HIDDEN, 3)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        attention, mlp = prefix + "self_attn.", prefix + "mlp."
        all[prefix + "input_layernorm.weight"] = norm()
        all[prefix + "post_attention_layernorm.weight"] = norm()
        all[attention + "q_proj.weight"] = matrix(query, HIDDEN, 2)
        all[attention + "k_proj.weight"] = matrix(kv, HIDDEN, 2)
        all[attention + "v_proj.weight"] = matrix(kv, HIDDEN)
        all[attention + "o_proj.weight"] = matrix(HIDDEN, query, 2)
        all[mlp + "gate_proj.weight"] = matrix(FEED_FORWARD, HIDDEN, 1.5)
        all[mlp + "up_proj.weight"] = matrix(FEED_FORWARD, HIDDEN, 1.5)
        all[mlp + "down_proj.weight"] = matrix(HIDDEN, FEED_FORWARD, 1.5)
        if not biased:
            continue
        for part, count in (("q", query), ("k", kv), ("v", kv), ("o", HIDDEN)):
            all[f"{attention}{part}_proj.bias"] = bias(count, 0.7)
        for part, count in (("gate", FEED_FORWARD), ("up", FEED_FORWARD), ("down", HIDDEN)):
            all[f"{mlp}{part}_proj.bias"] = bias(count, 0.5)
    return all


def gguf_tensors(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same by GGUF's names, rotary pairs side by side, which transformers has in two halves."""
    tensors = {
        "token_embd.weight": values["model.embed_tokens.weight"],
        "output_norm.weight": values["model.norm.weight"],
    }
    if "lm_head.weight" in values:
        tensors["output.weight"] = values["lm_head.weight"]
    for name, value in values.items():
        if not name.startswith("model.layers."):
            continue
        _, _, layer, rest = name.split(".", 3)
        part, kind = rest.rsplit(".", 1)
        heads = {"self_attn.q_proj": HEADS, "self_attn.k_proj": KV_HEADS}.get(part)
        if heads:
            pairs = value.reshape(heads, 2, len(value) // heads // 2, -1)
            value = pairs.swapaxes(1, 2).reshape(value.shape)
        tensors[f"blk.{layer}.{PARTS[part]}.{kind}"] = value
    return tensors


def add_vocabulary(writer: gguf.GGUFWriter) -> None:
    pieces = [("▁t", 0.0), ("th", -1.0)]
    pieces += [(letter, -2.0 - i) for i, letter in enumerate("▁etaoinshrdlcumwfgypbvkjxqz")]
    tokens = [b"<unk>", b"<s>", b"</s>"] + [f"<0x{byte:02X}>".encode() for byte in range(256)]
    kind = gguf.TokenType
    kinds = [kind.UNKNOWN, kind.CONTROL, kind.CONTROL] + [kind.BYTE] * 256
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens + [piece.encode() for piece, _ in pieces])
    writer.add_token_scores([0.0] * 259 + [score for _, score in pieces])
    writer.add_token_types(kinds + [kind.NORMAL] * len(pieces))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(True)


def finish(writer: gguf.GGUFWriter, tensors: dict[str, np.ndarray]) -> None:
    for name, value in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write(path: pathlib.Path, name: str, keys: dict[str, Key], tensors: dict) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("family " + name)
    writer.add_file_type(1)
    writer.add_quantization_version(2)
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_vocab_size(VOCABULARY)
    writer.add_rope_dimension_count(WIDTH)
    writer.add_key_length(WIDTH)
    writer.add_value_length(WIDTH)
    for key, (kind, value) in keys.items():
        getattr(writer, "add_" + kind)("llama." + key, value)
    add_vocabulary(writer)
    types = {1: np.float32, 2: np.float16}
    finish(writer, {name: value.astype(types[value.ndim]) for name, value in tensors.items()})


def rewrite(
    source: pathlib.Path,
    target: pathlib.Path,
    keys: dict[str, Key],
    left_out: tuple[str, ...],
    as_f32: bool = False,
) -> None:
    """Copies a file with keys set, keys or tensors left out."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    changed = {"llama." + key for key in (*keys, *left_out)} | {"general.architecture"}
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in changed:
            inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], inner)
    for key, (kind, value) in keys.items():
        getattr(writer, "add_" + kind)("llama." + key, value)
    tensors = {}
    for tensor in reader.tensors:
        if tensor.name not in left_out:
            value = np.array(tensor.data).reshape([int(size) for size in reversed(tensor.shape)])
            tensors[tensor.name] = value.astype(np.float32) if as_f32 else value
    finish(writer, tensors)


class Exact:
    """The forward pass of a dense model in f64, straight from its file."""

    def __init__(self, path: pathlib.Path) -> None:
        reader = gguf.GGUFReader(path)
        self.keys = {key: field.contents() for key, field in reader.fields.items()}
        self.tensors = {
            tensor.name: np.array(tensor.data)
            .reshape([int(size) for size in reversed(tensor.shape)])
            .astype(np.float64)
            for tensor in reader.tensors
        }
        factor = self.key("rope.scaling.factor", self.key("rope.scale_linear", 0.0)) or 1.0
        if self.key("rope.scaling.type", "linear") == "none":
            factor = 1.0
        self.magnitude = self.key("rope.scaling.attn_factor", 1.0)
        self.frequencies = ROPE_BASE ** (-2.0 * np.arange(WIDTH // 2) / WIDTH) / factor

    def key(self, name: str, absent: object) -> object:
        return self.keys.get("llama." + name, absent)

    def rotate(self, x: np.ndarray) -> np.ndarray:
        angles = np.arange(len(x))[:, None, None] * self.frequencies
        cosine, sine = np.cos(angles) * self.magnitude, np.sin(angles) * self.magnitude
        even, odd = x[..., 0::2], x[..., 1::2]
        pairs = np.stack([even * cosine - odd * sine, even * sine + odd * cosine], axis=-1)
        return pairs.reshape(x.shape)

    def product(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.tensors[name + ".weight"].T + self.tensors.get(name + ".bias", 0.0)

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        size = np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)
        return x / size * self.tensors[name + ".weight"]

    def attention(self, x: np.ndarray, prefix: str) -> np.ndarray:
        count = len(x)
        query, key, value = (
            self.product(x, f"{prefix}attn_{part}").reshape(count, -1, WIDTH) for part in "qkv"
        )
        query, key = self.rotate(query), self.rotate(key)
        key, value = (np.repeat(each, HEADS // KV_HEADS, axis=1) for each in (key, value))
        scores = np.einsum("qhd,khd->hqk", query, key) / math.sqrt(WIDTH)
        scores[:, ~np.tri(count, dtype=bool)] = -np.inf
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        return np.einsum("hqk,khd->qhd", scores, value).reshape(count, -1)

    def logits(self, ids: list[int], positions: list[int]) -> np.ndarray:
        x = self.tensors["token_embd.weight"][ids]
        for layer in range(LAYERS):
            prefix = f"blk.{layer}."
            attended = self.attention(self.norm(x, prefix + "attn_norm"), prefix)
            x = x + self.product(attended, prefix + "attn_output")
            normed = self.norm(x, prefix + "ffn_norm")
            gate = self.product(normed, prefix + "ffn_gate")
            gated = gate / (1 + np.exp(-gate)) * self.product(normed, prefix + "ffn_up")
            x = x + self.product(gated, prefix + "ffn_down")
        output = self.tensors.get("output.weight", self.tensors["token_embd.weight"])
        return self.norm(x[positions], "output_norm") @ output.T


def transformers_logits(
    case: str, values: dict[str, np.ndarray], ids: list[int], positions: list[int]
) -> np.ndarray:
    import torch
    import transformers

    _, biased, tied, keys = CASES[case]
    rope = {"rope_type": "default", "rope_theta": ROPE_BASE}
    if keys:
        rope |= {"rope_type": "linear", "factor": keys["rope.scaling.factor"][1]}
    config = transformers.LlamaConfig(
        hidden_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        head_dim=WIDTH,
        intermediate_size=FEED_FORWARD,
        vocab_size=VOCABULARY,
        max_position_embeddings=CONTEXT,
        rms_norm_eps=EPSILON,
        tie_word_embeddings=tied,
        attention_bias=biased,
        mlp_bias=biased,
        rope_parameters=rope,
        pad_token_id=None,
    )
    config._attn_implementation = "eager"
    model = transformers.LlamaForCausalLM(config).float().eval()
    state = {name: torch.from_numpy(value.astype(np.float32)) for name, value in values.items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}
    model.tie_weights()
    with torch.no_grad():
        return model(torch.tensor([ids]), use_cache=False).logits[0, positions].numpy()


def llama_cpp_logits(path: str, ids: list[int], positions: list[int]) -> np.ndarray:
    import llama_cpp

    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(
        path.encode(), llama_cpp.llama_model_default_params()
    )
    if not model:
        raise ValueError(f"llama.cpp refuses {path}")
    options = llama_cpp.llama_context_default_params()
    options.n_ctx = options.n_batch = options.n_ubatch = CONTEXT
    options.type_k = options.type_v = options.flash_attn_type = 0
    context = llama_cpp.llama_init_from_model(model, options)
    batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
    batch.n_tokens = len(ids)
    for i, token in enumerate(ids):
        batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
        batch.seq_id[i][0], batch.logits[i] = 0, i in positions
    assert llama_cpp.llama_decode(context, batch) == 0
    shape = (len(positions), VOCABULARY)
    rows = ctypes.cast(llama_cpp.llama_get_logits(context), ctypes.POINTER(ctypes.c_float))
    logits = np.ctypeslib.as_array(rows, shape).copy()
    llama_cpp.llama_batch_free(batch)
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return logits


def make_models(folder: pathlib.Path) -> dict[str, tuple[dict[str, np.ndarray], list[int]]]:
    """Writes the files; the weights by transformers' names, and the ids that are fed."""
    made = {}
    for name, (seed, biased, tied, keys) in CASES.items():
        random = np.random.default_rng(seed)
        values = weights(biased, tied, random)
        write(folder / f"{name}.gguf", name, keys, gguf_tensors(values))
        made[name] = values, [1, *random.integers(3, VOCABULARY, TOKENS - 1).tolist()]
    return made


def make_logits(folder: pathlib.Path) -> None:
    rows = {}
    for name, (values, ids) in make_models(folder).items():
        exact = Exact(folder / f"{name}.gguf").logits(ids, list(POSITIONS))
        np.savez_compressed(
            folder / f"{name}.npz",
            ids=np.array(ids, np.int32),
            positions=np.array(POSITIONS, np.int32),
            transformers=transformers_logits(name, values, ids, list(POSITIONS)),
            exact=exact.astype(np.float32),
        )
        if name == "linear":
            with tempfile.TemporaryDirectory() as work:
                for variant, change in VARIANTS.items():
                    path = pathlib.Path(work) / "variant.gguf"
                    rewrite(folder / "linear.gguf", path, *change)
                    rows[variant] = Exact(path).logits(ids, list(POSITIONS[-2:]))
    np.savez_compressed(
        folder / "variants.npz", **{name: row.astype(np.float32) for name, row in rows.items()}
    )


def add_llama_cpp(folder: pathlib.Path) -> None:
    distances = {}

    def compare(name: str, source: str, change: tuple, positions: list[int]) -> np.ndarray:
        ids = np.load(folder / f"{source}.npz")["ids"].tolist()
        with tempfile.TemporaryDirectory() as work:
            path = pathlib.Path(work) / "f32.gguf"
            rewrite(folder / f"{source}.gguf", path, *change, as_f32=True)
            rows = llama_cpp_logits(str(path), ids, positions)
            exact = Exact(path).logits(ids, positions)
        distances[name] = float(f"{np.abs(rows - exact).max():.2e}")
        return rows

    for name in CASES:
        golden = dict(np.load(folder / f"{name}.npz"))
        golden["llama_cpp"] = compare(name, name, ({}, ()), list(POSITIONS))
        np.savez_compressed(folder / f"{name}.npz", **golden)
    for name, change in VARIANTS.items():
        compare(name, "linear", change, list(POSITIONS[-2:]))
    (folder / "llama_cpp.json").write_text(json.dumps(distances, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("models", "logits", "llama"))
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    work = {"models": make_models, "logits": make_logits, "llama": add_llama_cpp}
    work[arguments.what](arguments.folder)


if __name__ == "__main__":
    main()
