"""The least that a token needs: bytes that must be read, 8-bit operations that must be done.

Decoding reads every weight of the layers and of the output once, of experts those that were chosen, and
the keys and values of all positions. A prompt multiplies every weight of the layers once a token;
once in all the output, and what in the last layer does not make keys and values. Norms, router, attention's products and the embedding's one row are left out: they are
work above the floor.
"""

import gguf


class Work:
    """The work of one model by its file."""

    def __init__(self, file: str) -> None:
        reader = gguf.GGUFReader(file)
        fields = reader.fields

        def number(key: str, default: int = 0) -> int:
            one = fields.get(f"llama.{key}")
            return int(one.contents()) if one else default

        self.layers = number("block_count")
        self.experts = number("expert_count")
        self.used = number("expert_used_count")
        heads = number("attention.head_count")
        width = number("attention.key_length", number("embedding_length") // heads)
        # Half-precision keys and values of one position.
        self.position_bytes = self.layers * number("attention.head_count_kv", heads) * width * 4
        self.layer_bytes = self.expert_bytes = self.output_bytes = 0
        self.layer_weights = self.last_weights = 0
        tied = all(tensor.name != "output.weight" for tensor in reader.tensors)
        for tensor in reader.tensors:
            count, size = int(tensor.n_elements), int(tensor.n_bytes)
            if tensor.name == ("token_embd.weight" if tied else "output.weight"):
                self.output_bytes = size
                self.output_weights = count
            elif tensor.name.startswith("blk.") and len(tensor.shape) > 1:
                is_expert = "_exps" in tensor.name or tensor.name.count(".") == 4
                if is_expert:
                    self.expert_bytes += size
                    count = count * self.used // self.experts
                else:
                    self.layer_bytes += size
                self.layer_weights += count
                _, layer, role, *_ = tensor.name.split(".")
                if int(layer) == self.layers - 1 and role not in ("attn_k", "attn_v"):
                    self.last_weights += count

    def decode_bytes(self, depth: int, cache: str = "f16") -> float:
        """Gigabytes a token reads with `depth` tokens before it."""
        experts = self.expert_bytes * self.used / self.experts if self.experts else 0
        # Q8_0: a byte a value and two for 32.
        positions = depth * self.position_bytes * (34 / 64 if cache == "q8_0" else 1)
        return (self.layer_bytes + experts + self.output_bytes + positions) / 1e9

    def batch_bytes(self, sessions: int) -> float:
        """Gigabytes a step of several sessions reads: their experts are chosen as if by chance."""
        missed = (1 - self.used / self.experts) ** sessions if self.experts else 1
        return (self.layer_bytes + self.expert_bytes * (1 - missed) + self.output_bytes) / 1e9

    def prompt_operations(self, count: int) -> float:
        """Giga-operations of a token of a prompt of `count`: a product and a sum are two."""
        once = self.last_weights + self.output_weights
        return 2 * (self.layer_weights - self.last_weights + once / count) / 1e9
