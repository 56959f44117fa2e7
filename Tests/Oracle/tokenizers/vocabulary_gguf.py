"""Writes the vocabulary of mistral-common's tokenizers as a GGUF file, for the full checks.

    python3 vocabulary_gguf.py tokenizer.model.v1 OUT.gguf
    python3 vocabulary_gguf.py tekken_240718.json OUT.gguf

The model around it is the smallest there can be: one layer of width 2, all zeros.
"""

import base64
import json
import sys
import gguf
import numpy

CHARACTERS = {b: chr(b) for b in [*range(33, 127), *range(161, 173), *range(174, 256)]}
CHARACTERS |= {b: chr(256 + n) for n, b in enumerate(b for b in range(256) if b not in CHARACTERS)}


def sentencepiece_keys(writer, path):
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(open(path, "rb").read())
    writer.add_tokenizer_model("llama")
    writer.add_token_list([p.piece for p in model.pieces])
    writer.add_token_scores([p.score for p in model.pieces])
    writer.add_token_types([p.type for p in model.pieces])
    writer.add_add_space_prefix(model.normalizer_spec.add_dummy_prefix)
    writer.add_unk_token_id(0)


def tekken_keys(writer, path):
    model = json.load(open(path))
    special = model["config"]["default_num_special_tokens"]
    size = model["config"]["default_vocab_size"]
    tokens = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    tokens += [f"<SPECIAL_{n}>" for n in range(len(tokens), special)]
    for piece in model["vocab"][: size - special]:
        tokens.append("".join(CHARACTERS[b] for b in base64.b64decode(piece["token_bytes"])))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("tekken")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * special + [1] * (size - special))


def smallest_model(writer, rows):
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(2)
    writer.add_feed_forward_length(2)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    shapes = {"token_embd": (rows, 2), "output_norm": (2,)}
    shapes |= {f"blk.0.{name}": (2,) for name in ("attn_norm", "ffn_norm")}
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        shapes[f"blk.0.{name}"] = (2, 2)
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", numpy.zeros(shape, numpy.float32))


def main(path, out):
    writer = gguf.GGUFWriter(out, "llama")
    (tekken_keys if path.endswith(".json") else sentencepiece_keys)(writer, path)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    smallest_model(writer, len(writer.kv_data[0]["tokenizer.ggml.tokens"].value))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
