"""A session after a failed step, and memory that a caller changes while a step runs.

After a failure every other session gives the bits that it would have given, for widths that are no
multiple of sixteen too, in every table.
"""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGUFWriter
from mixtral import Model, NumericError

import child

VOCABULARY = 4


def narrow_model(path, hidden: int) -> str:
    """A random model of one layer, plain values, in which token 3 is infinite."""
    random = np.random.default_rng(hidden)
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_embedding_length(hidden)
    writer.add_head_count(1)
    writer.add_key_length(16)
    writer.add_feed_forward_length(24)
    writer.add_context_length(64)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(["<unk>", "<s>", "</s>"])
    writer.add_token_scores([0.0, 0.0, 0.0])
    writer.add_token_types([2, 3, 3])
    shapes = {
        **{"token_embd": (VOCABULARY, hidden), "output": (VOCABULARY, hidden)},
        **{"output_norm": (hidden,), "blk.0.attn_norm": (hidden,), "blk.0.ffn_norm": (hidden,)},
        **{"blk.0.attn_q": (16, hidden), "blk.0.attn_k": (16, hidden)},
        **{"blk.0.attn_v": (16, hidden), "blk.0.attn_output": (hidden, 16)},
        **{"blk.0.ffn_gate": (24, hidden), "blk.0.ffn_up": (24, hidden)},
        **{"blk.0.ffn_down": (hidden, 24)},
    }
    for name, shape in shapes.items():
        values = (random.standard_normal(shape) * 0.3).astype(np.float32)
        if name == "token_embd":
            values[3, 0] = np.inf
        writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return str(path)


@pytest.mark.parametrize("hidden", [15, 16, 17, 40])
@pytest.mark.parametrize("cache", ["f16", "q8_0"])
@pytest.mark.parametrize("isa", ["reference", None])
def test_a_failed_step_changes_no_other_session(tmp_path, hidden, cache, isa):
    path = narrow_model(tmp_path / "narrow.gguf", hidden)
    with Model(path, threads=1, isa=isa) as model:
        wanted = np.asarray(model.session(cache=cache).step([1, 2])).tobytes()
        other = model.session(cache=cache)
        other.feed([1])
        with pytest.raises(NumericError):
            model.session(cache=cache).step([1, 3])
        assert np.asarray(other.step([2])).tobytes() == wanted
        assert np.asarray(model.session(cache=cache).step([1, 2])).tobytes() == wanted


CHANGING = """
import ctypes, sys, threading, time
from mixtral import MixtralError, Model, _raw
model = Model(sys.argv[1], threads=1, batch=1)
ids = (ctypes.c_int32 * 60)(*[5] * 60)
end = time.monotonic() + 3
def change():
    while time.monotonic() < end:
        ids[59] = 2**31 - 1
        ids[59] = 5
threading.Thread(target=change, daemon=True).start()
session, outcomes = model.session(), set()
while time.monotonic() < end:
    session.rewind(0)
    outcomes.add(_raw.mixtral_step(session._handle, ids, 60))
print(sorted(outcomes))
"""


def test_tokens_that_change_during_a_step_are_read_once(mixtral_tiny):
    """Ids that another thread changes: an error or a step, as they were when the step began."""
    done = child.python("-c", CHANGING, mixtral_tiny)
    assert done.returncode == 0, done.stderr
    assert set(eval(done.stdout)) <= {0, 1}


COUNTS = """
import ctypes, sys
from mixtral import Model, _raw
session = Model(sys.argv[1], threads=1).session(context=16)
for count in (17, 1 << 25, 1 << 40, (1 << 62) - 1, (1 << 64) - 1):
    ids = (ctypes.c_int32 * 16)()
    status = _raw.mixtral_step(session._handle, ids, count)
    inputs = (_raw.mixtral_input * 1)(_raw.mixtral_input(tokens=ids, count=count))
    handles = (ctypes.c_void_p * 1)(session._handle)
    print(status, _raw.mixtral_step_many(handles, inputs, 1, None))
"""


def test_a_count_beyond_the_context_is_refused_before_a_token_is_read(mixtral_tiny):
    done = child.python("-c", COUNTS, mixtral_tiny)
    assert done.returncode == 0, done.stderr
    statuses = [int(word) for word in done.stdout.split()]
    # CONTEXT_FULL; a count that is no size of an array may be INVALID_ARGUMENT as well.
    assert statuses[:6] == [9] * 6
    assert len(statuses) == 10 and set(statuses[6:]) <= {1, 9}
