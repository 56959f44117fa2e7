#!/usr/bin/env python3
"""The forward pass of Mistral and Mixtral in numpy, f64, as the papers and a GGUF file define it.

    python reference_forward.py MODEL.gguf --ids 1,43,891

An oracle to read: nothing is fast, nothing is cached, the whole prompt is one matrix. Weights are
dequantised by the `gguf` package. `Rounding` puts in, one by one, the places where the library
rounds, so that a comparison can be as sharp as f32.
"""

import argparse
from dataclasses import dataclass

import gguf
import numpy as np

EXPERT_PARTS = ("gate", "up", "down")
FLOATS = (
    gguf.GGMLQuantizationType.F32,
    gguf.GGMLQuantizationType.F16,
    gguf.GGMLQuantizationType.BF16,
)


@dataclass(frozen=True)
class Rounding:
    """Where values are rounded. The default is nowhere.

    cache: keys (after rope) and values as F16.
    activations: inputs of matrices of integer types as int8 codes times absmax / 127, in blocks of
      256 for 256-value types and of 32 for the others.
    """

    cache: bool = False
    activations: bool = False


@dataclass
class Matrix:
    """Weights [outputs, inputs] in f64 and how many inputs share a scale: 0 for float types."""

    values: np.ndarray
    block: int = 0

    @staticmethod
    def read(data: np.ndarray, kind: gguf.GGMLQuantizationType) -> "Matrix":
        values = gguf.quants.dequantize(data, kind).astype(np.float64)
        block = 0 if kind in FLOATS else gguf.constants.GGML_QUANT_SIZES[kind][0]
        return Matrix(values, block)

    def __call__(self, x: np.ndarray, rounding: Rounding) -> np.ndarray:
        """Rows [n, inputs] to rows [n, outputs]."""
        if rounding.activations and self.block:
            blocks = x.reshape(len(x), -1, self.block)
            scale = np.abs(blocks).max(-1, keepdims=True) / 127
            codes = np.rint(np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale > 0))
            x = (codes * scale).reshape(x.shape)
        return x @ self.values.T


class Reference:
    """A model read out of a GGUF file, in either layout of the experts."""

    def __init__(self, path: str) -> None:
        reader = gguf.GGUFReader(path)
        self.keys = reader.fields
        self.tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.layers = self.key("block_count")
        self.width = self.key("embedding_length")
        self.heads = self.key("attention.head_count")
        self.kv_heads = self.key("attention.head_count_kv", self.heads)
        self.head_width = self.key("attention.key_length", self.width // self.heads)
        self.window = self.key("attention.sliding_window", 0)
        self.experts = self.key("expert_count", 0)
        self.experts_used = self.key("expert_used_count", 0)
        self.epsilon = self.key("attention.layer_norm_rms_epsilon")
        self.rope_base = self.key("rope.freq_base", 1e4)
        self.read: dict[tuple[str, int], Matrix] = {}
        self.embedding = self.matrix("token_embd")
        self.output = self.matrix("output" if "output.weight" in self.tensors else "token_embd")

    def key(self, name: str, default: object = None) -> object:
        """A value under `llama.`; without a default it must be there."""
        field = self.keys.get(f"llama.{name}")
        if field is None and default is None:
            raise KeyError(name)
        return default if field is None else field.contents()

    def matrix(self, name: str, expert: int | None = None) -> Matrix:
        """A tensor by its name without `.weight`, or an expert's slice of it. Read once."""
        key = (name, -1 if expert is None else expert)
        if key not in self.read:
            tensor = self.tensors[f"{name}.weight"]
            data = tensor.data if expert is None else tensor.data[expert]
            self.read[key] = Matrix.read(data, tensor.tensor_type)
        return self.read[key]

    def expert(self, layer: int, part: str, expert: int) -> Matrix:
        """The matrix of one expert: a slice of a merged tensor or a tensor of its own."""
        merged = f"blk.{layer}.ffn_{part}_exps"
        if f"{merged}.weight" in self.tensors:
            return self.matrix(merged, expert)
        return self.matrix(f"blk.{layer}.ffn_{part}.{expert}")

    def norm(self, x: np.ndarray, name: str) -> np.ndarray:
        """x / sqrt(mean(x²) + ε), times a weight for each channel."""
        mean = (x * x).mean(-1, keepdims=True)
        return x / np.sqrt(mean + self.epsilon) * self.matrix(name).values

    def rope(self, x: np.ndarray) -> np.ndarray:
        """Turns pair i of neighbours in [n, heads, head width] by position · base^(-2i/width)."""
        rates = self.rope_base ** (-np.arange(0, self.head_width, 2) / self.head_width)
        angles = (np.arange(len(x))[:, None] * rates)[:, None, :]
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = np.empty_like(x)
        turned[..., 0::2] = even * np.cos(angles) - odd * np.sin(angles)
        turned[..., 1::2] = even * np.sin(angles) + odd * np.cos(angles)
        return turned

    def attention(self, x: np.ndarray, layer: int, window: int, rounding: Rounding) -> np.ndarray:
        """Grouped-query attention over the token itself and those before it, `window` in all."""
        q, k, v = (self.matrix(f"blk.{layer}.attn_{part}")(x, rounding) for part in "qkv")
        queries = self.rope(q.reshape(len(x), self.heads, self.head_width))
        keys = self.rope(k.reshape(len(x), self.kv_heads, self.head_width))
        values = v.reshape(len(x), self.kv_heads, self.head_width)
        if rounding.cache:
            keys, values = (a.astype(np.float16).astype(np.float64) for a in (keys, values))
        group = self.heads // self.kv_heads
        keys, values = np.repeat(keys, group, axis=1), np.repeat(values, group, axis=1)
        scores = np.einsum("qhd,khd->hqk", queries, keys) / np.sqrt(self.head_width)
        distance = np.arange(len(x))[:, None] - np.arange(len(x))
        hidden = (distance < 0) | (distance >= window if window > 0 else False)
        mixed = np.einsum("hqk,khd->qhd", softmax(np.where(hidden, -np.inf, scores)), values)
        return self.matrix(f"blk.{layer}.attn_output")(mixed.reshape(len(x), -1), rounding)

    def feed_forward(self, x: np.ndarray, parts: list[Matrix], rounding: Rounding) -> np.ndarray:
        """down(silu(gate(x)) · up(x))."""
        gate, up, down = parts
        gated = gate(x, rounding)
        return down(gated / (1 + np.exp(-gated)) * up(x, rounding), rounding)

    def mixture(self, x: np.ndarray, layer: int, rounding: Rounding) -> np.ndarray:
        """The most probable experts of each token, weighted by probabilities that add to 1."""
        probabilities = softmax(self.matrix(f"blk.{layer}.ffn_gate_inp")(x, rounding))
        # A stable sort gives ties to the lower index.
        chosen = np.argsort(-probabilities, axis=-1, kind="stable")[:, : self.experts_used]
        weights = np.take_along_axis(probabilities, chosen, axis=-1)
        weights /= weights.sum(-1, keepdims=True)
        out = np.zeros_like(x)
        for expert in range(self.experts):
            rows, ranks = np.nonzero(chosen == expert)
            if len(rows):
                parts = [self.expert(layer, part, expert) for part in EXPERT_PARTS]
                result = self.feed_forward(x[rows], parts, rounding)
                out[rows] += weights[rows, ranks, None] * result
        return out

    def forward(
        self, ids: list[int], window: int | None = None, rounding: Rounding = Rounding()
    ) -> tuple[np.ndarray, np.ndarray]:
        """Logits [tokens, vocabulary] and hidden states [layers + 1, tokens, width].

        window: positions a token sees; None as the file says, -1 for all. The hidden states are the
        embedding, what leaves each layer but the last, and the last after the final norm.
        """
        window = self.window if window is None else window
        x = self.embedding.values[ids]
        hidden = [x]
        for layer in range(self.layers):
            x = x + self.attention(self.norm(x, f"blk.{layer}.attn_norm"), layer, window, rounding)
            normed = self.norm(x, f"blk.{layer}.ffn_norm")
            if self.experts:
                x = x + self.mixture(normed, layer, rounding)
            else:
                parts = [self.matrix(f"blk.{layer}.ffn_{part}") for part in EXPERT_PARTS]
                x = x + self.feed_forward(normed, parts, rounding)
            hidden.append(x)
        hidden[-1] = self.norm(x, "output_norm")
        return self.output(hidden[-1], rounding), np.stack(hidden)


def f32_bound(model: Reference, logits: np.ndarray) -> float:
    """The distance that f32 arithmetic may put between two results: half an ulp of the largest logit
    for each addition on the way from the embedding to the logits, all in the same direction.
    """
    wide = model.heads * model.head_width
    inner = model.key("feed_forward_length") * max(1, model.experts_used)
    additions = model.layers * (2 * model.width + 2 * wide + inner) + model.width
    return additions * 2.0**-24 * float(np.abs(logits).max())


def softmax(x: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL.gguf")
    parser.add_argument("--ids", required=True, help="tokens, separated by commas")
    parser.add_argument("--window", type=int, help="-1: off; default: as the file says")
    options = parser.parse_args()
    ids = [int(number) for number in options.ids.split(",")]
    logits, _ = Reference(options.model).forward(ids, options.window)
    for token in np.argsort(-logits[-1], kind="stable")[:5]:
        print(f"{token}: {logits[-1, token]:.6f}")


if __name__ == "__main__":
    main()
