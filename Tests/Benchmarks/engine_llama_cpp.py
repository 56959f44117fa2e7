"""llama.cpp as an engine process, by the low-level functions of llama-cpp-python 0.3.36.

Defaults of llama.cpp, except for batches of 512 tokens and the number of threads.
"""

import argparse
import ctypes

import engine
import llama_cpp

BATCH = 512


@llama_cpp.llama_log_callback
def silent(level: int, text: bytes, data: ctypes.c_void_p) -> None:
    """Keeps llama.cpp's log off the terminal."""


class LlamaCpp:
    """A context of a model."""

    def __init__(self, options: argparse.Namespace) -> None:
        llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(options.file.encode(), parameters)
        if not self.model:
            raise SystemExit(f"llama.cpp does not load {options.file}")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = options.context + 64
        settings.n_batch = settings.n_ubatch = BATCH
        settings.n_threads = settings.n_threads_batch = options.threads
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        self.memory = llama_cpp.llama_get_memory(self.context)
        vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(vocabulary)

    def rewind(self, position: int) -> None:
        llama_cpp.llama_memory_seq_rm(self.memory, 0, position, -1)

    def feed(self, ids: list[int]) -> None:
        for start in range(0, len(ids), BATCH):
            part = ids[start : start + BATCH]
            array = (llama_cpp.llama_token * len(part))(*part)
            batch = llama_cpp.llama_batch_get_one(array, len(part))
            if llama_cpp.llama_decode(self.context, batch):
                raise SystemExit("llama_decode failed")
        llama_cpp.llama_synchronize(self.context)


if __name__ == "__main__":
    engine.serve(LlamaCpp)
