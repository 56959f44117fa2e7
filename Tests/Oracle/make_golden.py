#!/usr/bin/env python3
"""Makes the golden files again, with transformers in f32 and with llama.cpp.

    pip install torch==2.15.0 transformers==5.23.0 gguf==0.19.0 numpy llama-cpp-python==0.3.36
    python make_golden.py logits mixtral-demo-f16.gguf \\
        --prompts golden/mixtral-demo.json --out NEW/mixtral-demo
    python make_golden.py tiny tiny/mixtral-tiny-f16.gguf \\
        --prompts tiny/mixtral-tiny.json --out NEW/mixtral-tiny
    python make_golden.py perplexity mistral-demo-f16.gguf --ids IDS.json [--no-window]
    python make_golden.py llama-cpp-perplexity FILE.gguf --text golden/heldout.txt

Prompts and their ids are taken from the golden file that is there. `logits` writes OUT.json and
OUT-logits.npz, `tiny` OUT.json and OUT.npz, as README.md in golden/ and tiny/ describe them. Both
kinds of `perplexity` print one JSON object; for transformers the text comes as a JSON list of ids,
BOS first. Attention is transformers' "eager", without a cache; weights are those of the file, as
f32.
"""

import argparse
import ctypes
import json
import math
import pathlib

import gguf
import numpy as np

CHUNK = 512
FIRST = CHUNK // 2
GREEDY = {"logits": 64, "tiny": 24}


def half_split(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of a GGUF's query or key matrix, whose rotary pairs are neighbours, as transformers has
    them: the first of each pair in a head's first half.
    """
    width = len(rows) // heads
    return rows.reshape(heads, width // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def state(keys: dict, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors under transformers' names."""
    heads = {"q": keys["attention.head_count"], "k": keys["attention.head_count_kv"]}
    named = {
        "model.embed_tokens.weight": tensors["token_embd.weight"],
        "model.norm.weight": tensors["output_norm.weight"],
    }
    if "output.weight" in tensors:
        named["lm_head.weight"] = tensors["output.weight"]
    for layer in range(keys["block_count"]):
        own = {
            name.removeprefix(f"blk.{layer}.").removesuffix(".weight"): value
            for name, value in tensors.items()
            if name.startswith(f"blk.{layer}.")
        }
        parts = {
            "input_layernorm.weight": own["attn_norm"],
            "post_attention_layernorm.weight": own["ffn_norm"],
            "self_attn.q_proj.weight": half_split(own["attn_q"], heads["q"]),
            "self_attn.k_proj.weight": half_split(own["attn_k"], heads["k"]),
            "self_attn.v_proj.weight": own["attn_v"],
            "self_attn.o_proj.weight": own["attn_output"],
        }
        if "ffn_gate_inp" in own:
            gate_up = np.concatenate([own["ffn_gate_exps"], own["ffn_up_exps"]], axis=1)
            parts["mlp.gate.weight"] = own["ffn_gate_inp"]
            parts["mlp.experts.gate_up_proj"] = gate_up
            parts["mlp.experts.down_proj"] = own["ffn_down_exps"]
        else:
            for part in ("gate", "up", "down"):
                parts[f"mlp.{part}_proj.weight"] = own[f"ffn_{part}"]
        named |= {f"model.layers.{layer}.{name}": value for name, value in parts.items()}
    return named


def load(path: str, window: bool = True, family: str | None = None):
    """A transformers model in f32 with the file's weights."""
    import torch
    import transformers

    torch.set_grad_enabled(False)
    reader = gguf.GGUFReader(path)
    keys = {name.removeprefix("llama."): f.contents() for name, f in reader.fields.items()}
    tensors = {
        t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)
        for t in reader.tensors
    }
    experts = keys.get("expert_count", 0)
    heads = keys["attention.head_count"]
    settings = {
        "vocab_size": len(tensors["token_embd.weight"]),
        "hidden_size": keys["embedding_length"],
        "intermediate_size": keys["feed_forward_length"],
        "num_hidden_layers": keys["block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": keys["attention.head_count_kv"],
        "head_dim": keys.get("attention.key_length", keys["embedding_length"] // heads),
        "max_position_embeddings": keys["context_length"],
        # The file has the nearest f32; the checkpoint has the short decimal number.
        "rms_norm_eps": float(f"{keys['attention.layer_norm_rms_epsilon']:.6g}"),
        "rope_parameters": {"rope_type": "default", "rope_theta": keys.get("rope.freq_base", 1e4)},
        "tie_word_embeddings": "output.weight" not in tensors,
        "attn_implementation": "eager",
    }
    if experts:
        settings |= {"num_local_experts": experts, "num_experts_per_tok": keys["expert_used_count"]}
    family = family or ("Mixtral" if experts else "Mistral")
    if family != "Llama":
        settings["sliding_window"] = keys.get("attention.sliding_window") if window else None
    config = getattr(transformers, f"{family}Config")(**settings)
    model = getattr(transformers, f"{family}ForCausalLM")(config).float().eval()
    weights = {
        name: torch.from_numpy(np.ascontiguousarray(value))
        for name, value in state(keys, tensors).items()
    }
    missing, unexpected = model.load_state_dict(weights, strict=False)
    if unexpected or any(name != "lm_head.weight" for name in missing):
        raise SystemExit(f"{path}: missing {missing}, unexpected {unexpected}")
    model.tie_weights()
    if experts:
        model.set_experts_implementation("eager")
    return model


def forward(model, ids: list[int], keep: int = 1, **more):
    """The model's output; logits of the last `keep` positions, 0 for all."""
    import torch

    return model(torch.tensor([ids]), use_cache=False, logits_to_keep=keep, **more)


def greedy(model, ids: list[int], count: int) -> tuple[list[int], list[dict]]:
    """The most probable tokens one after the other, with the top 5 of each step."""
    ids, steps = list(ids), []
    for _ in range(count):
        top = forward(model, ids).logits[0, -1].topk(5)
        values = top.values.tolist()
        steps.append(
            {
                "ids": top.indices.tolist(),
                "logits": [round(value, 5) for value in values],
                "gap": round(values[0] - values[1], 5),
            }
        )
        ids.append(steps[-1]["ids"][0])
    return ids[-count:], steps


def router(model, ids: list[int]) -> dict[str, np.ndarray]:
    """Logits, chosen experts and their weights, by layer and token."""
    import torch

    out = forward(model, ids, output_router_logits=True)
    logits = torch.stack([x.reshape(len(ids), -1) for x in out.router_logits])
    weights, experts = logits.softmax(-1).topk(model.config.num_experts_per_tok)
    return {
        "router_logits": logits.numpy(),
        "router_experts": experts.numpy().astype(np.int8),
        "router_weights": (weights / weights.sum(-1, keepdim=True)).numpy(),
    }


def hidden_states(model, ids: list[int]) -> np.ndarray:
    """The embedding, what leaves each layer but the last, and the last after the final norm."""
    out = forward(model, ids, output_hidden_states=True)
    return np.stack([x[0].numpy() for x in out.hidden_states])


def oracle_name() -> str:
    """The engine and its version."""
    import torch
    import transformers

    versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
    return f"{versions}, f32, CPU, eager attention, F16 weights"


def make_logits(options: argparse.Namespace) -> None:
    """Golden choices and whole rows of a demo model."""
    model = load(options.model)
    window = getattr(model.config, "sliding_window", None)
    full = load(options.model, window=False) if window else None
    golden = json.loads(options.prompts.read_text("utf-8"))
    golden["oracle"] = oracle_name()
    arrays = {}
    for prompt in golden["prompts"]:
        name, ids = prompt["name"], prompt["ids"]
        prompt["greedy"], prompt["steps"] = greedy(model, ids, GREEDY["logits"])
        prompt["min_gap"] = min(step["gap"] for step in prompt["steps"])
        rows = forward(model, ids, 0).logits[0]
        for position in sorted({len(ids) // 2, len(ids) - 1}):
            arrays[f"{name}/logits/{position}"] = rows[position].numpy()
        if window and len(ids) > window:
            row = forward(full, ids).logits[0, -1].numpy()
            arrays[f"{name}/logits-no-window/{len(ids) - 1}"] = row
        if name.startswith("fr") and model.config.model_type == "mixtral":
            arrays |= {f"{name}/{key}": value for key, value in router(model, ids).items()}
    shortest = min(golden["prompts"], key=lambda prompt: len(prompt["ids"]))
    name, ids = shortest["name"], shortest["ids"]

    def keep(module, inputs: tuple) -> None:
        arrays[f"{name}/hidden_before_final_norm"] = inputs[0][0].numpy()

    hook = model.model.norm.register_forward_pre_hook(keep)
    arrays[f"{name}/hidden"] = hidden_states(model, ids)
    hook.remove()
    text = json.dumps(golden, ensure_ascii=False, separators=(",", ":"))
    pathlib.Path(options.out + ".json").write_text(text, "utf-8")
    np.savez_compressed(options.out + "-logits.npz", **arrays)


def make_tiny(options: argparse.Namespace) -> None:
    """All logits and hidden states of a tiny model."""
    model = load(options.model)
    golden = json.loads(options.prompts.read_text("utf-8"))
    ids = golden["ids"]
    arrays = {
        "logits": forward(model, ids, 0).logits[0].numpy(),
        "hidden": hidden_states(model, ids),
    }
    if model.config.model_type == "mixtral":
        arrays |= router(model, ids)
    if getattr(model.config, "sliding_window", None):
        full = load(options.model, window=False)
        arrays["logits_without_window"] = forward(full, ids, 0).logits[0].numpy()
    golden["oracle"] = oracle_name()
    golden["greedy"], steps = greedy(model, ids, GREEDY["tiny"])
    golden["min_gap"] = min(step["gap"] for step in steps)
    pathlib.Path(options.out + ".json").write_text(json.dumps(golden, indent=1), "utf-8")
    np.savez_compressed(options.out + ".npz", **arrays)


def figures(ids: list[int], bos: int | None, score) -> dict:
    """Perplexity by llama.cpp's protocol. `score` gives the logits of positions 256 to 510."""
    total = scored = 0
    for start in range(0, len(ids) - CHUNK + 1, CHUNK):
        chunk = ids[start : start + CHUNK]
        rows = score([bos, *chunk[1:]] if bos is not None else chunk).astype(np.float64)
        top = rows.max(axis=1)
        logs = np.log(np.exp(rows - top[:, None]).sum(axis=1)) + top
        total += float((logs - rows[np.arange(len(rows)), chunk[FIRST + 1 :]]).sum())
        scored += len(rows)
    return {
        "perplexity": round(math.exp(total / scored), 4),
        "nll": round(total / scored, 6),
        "scored": scored,
        "tokens": len(ids),
        "chunks": len(ids) // CHUNK,
    }


def make_perplexity(options: argparse.Namespace) -> None:
    """Perplexity by transformers."""
    model = load(options.model, window=not options.no_window)
    ids = json.loads(options.ids.read_text())
    print(
        json.dumps(figures(ids, ids[0], lambda c: forward(model, c, FIRST).logits[0, :-1].numpy()))
    )


def make_llama_cpp_perplexity(options: argparse.Namespace) -> None:
    """Perplexity by llama.cpp with an f32 cache."""
    import llama_cpp as llama

    silent = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(silent, ctypes.c_void_p(0))
    model = llama.llama_model_load_from_file(
        options.model.encode(), llama.llama_model_default_params()
    )
    settings = llama.llama_context_default_params()
    settings.n_ctx = settings.n_batch = settings.n_ubatch = CHUNK
    settings.n_threads = settings.n_threads_batch = options.threads
    settings.type_k = settings.type_v = 0
    context = llama.llama_init_from_model(model, settings)
    vocabulary = llama.llama_model_get_vocab(model)
    text = options.text.read_bytes()
    buffer = (llama.llama_token * (len(text) + 8))()
    count = llama.llama_tokenize(vocabulary, text, len(text), buffer, len(buffer), True, False)
    size = llama.llama_vocab_n_tokens(vocabulary)
    adds_bos = llama.llama_vocab_get_add_bos(vocabulary)
    batch = llama.llama_batch_init(CHUNK, 0, 1)

    def score(chunk: list[int]) -> np.ndarray:
        llama.llama_memory_clear(llama.llama_get_memory(context), True)
        batch.n_tokens = len(chunk)
        for i, token in enumerate(chunk):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = FIRST <= i < CHUNK - 1
        if llama.llama_decode(context, batch):
            raise SystemExit("llama_decode failed")
        rows = CHUNK - 1 - FIRST
        return np.ctypeslib.as_array(llama.llama_get_logits(context), (rows, size)).copy()

    bos = llama.llama_vocab_bos(vocabulary) if adds_bos else None
    print(json.dumps(figures(list(buffer[:count]), bos, score)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    makers = {
        "logits": make_logits,
        "tiny": make_tiny,
        "perplexity": make_perplexity,
        "llama-cpp-perplexity": make_llama_cpp_perplexity,
    }
    parser.add_argument("what", choices=makers)
    parser.add_argument("model", metavar="MODEL.gguf")
    parser.add_argument("--prompts", type=pathlib.Path, help="the golden file that is there")
    parser.add_argument("--out", help="stem of the files to write")
    parser.add_argument("--ids", type=pathlib.Path, help="tokens of a text, BOS first")
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--no-window", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    makers[options.what](options)


if __name__ == "__main__":
    main()
