"""Writes the vocabulary of mistral-common's tokenizers as a GGUF file, for the full checks.

    python3 vocabulary_gguf.py tokenizer.model.v1 OUT.gguf
    python3 vocabulary_gguf.py tekken_240718.json OUT.gguf

Its one tensor is there because a file without any is no model.
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


def main(path, out):
    writer = gguf.GGUFWriter(out, "llama")
    (tekken_keys if path.endswith(".json") else sentencepiece_keys)(writer, path)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_tensor("none", numpy.zeros(32, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
