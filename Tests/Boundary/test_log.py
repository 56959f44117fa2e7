"""The sentences of a load for a host that asked for them; a load says nothing otherwise."""

from __future__ import annotations

import ctypes
import logging
import os
import pathlib

import gguf
import mixtral
import pytest
from mixtral import _raw

from capi import message, ok, sized


def logged(path: pathlib.Path, **options) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    with mixtral.Model(path, log=lambda *line: lines.append(line), threads=2, **options) as model:
        during = len(lines)
        with model.session() as session:
            session.feed(model.tokenize("And it came to pass", bos=True))
        assert len(lines) == during
    return lines


def line(lines: list[tuple[int, str]], start: str) -> str:
    (found,) = [text for _, text in lines if text.startswith(start)]
    return found.removeprefix(start)


def test_every_sentence(mixtral_tiny):
    lines = logged(mixtral_tiny, isa="avx2", batch=64)
    with mixtral.Model(mixtral_tiny, isa="avx2", batch=64, threads=2) as model:
        info = model.info
        types = model.metadata()["tensors"]
    assert {level for level, _ in lines} == {logging.INFO}
    for _, text in lines:
        assert text
        assert "\n" not in text
        assert not text.endswith(".")
    assert line(lines, "file ") == (
        f"'mixtral-tiny-f16.gguf': parts 1, bytes {mixtral_tiny.stat().st_size}, GGUF version 3"
    )
    assert line(lines, "architecture ") == (
        f"'llama': layers {info.layers}, hidden width {info.hidden_width}, heads {info.heads} of "
        f"width {info.head_width}, key-value heads {info.kv_heads}, feed-forward width "
        f"{info.feed_forward_width}, experts 8, used 2, vocabulary {info.vocabulary}, context "
        f"{info.context_length}"
    )
    counts = ", ".join(f"{one['count']} {name}" for name, one in types.items())
    assert line(lines, "tensors ") == f"{info.tensors}: {counts}"
    assert line(lines, "sliding window: ") == "none, as the file says"
    assert line(lines, "kernels: ") == "avx2"
    assert line(lines, "threads: ") == "2"
    assert line(lines, "weights: ") == f"0 bytes mapped, {info.weight_size} bytes read into memory"
    assert line(lines, "buffers: ") == f"{info.scratch_size} bytes for passes of 64 rows"


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (None, "16 positions, as the file"),
        (7, "7 positions, as the options"),
        (-1, "none, switched"),
    ],
)
def test_where_the_window_comes_from(mistral_tiny, window, said):
    lines = logged(mistral_tiny, sliding_window=window)
    assert line(lines, "sliding window: ").startswith(said)
    assert ", dense, " in line(lines, "architecture ")


def test_what_is_mapped(mixtral_tiny, tmp_path):
    packed = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, packed)
    lines = logged(packed, map=True)
    assert {level for level, _ in lines} == {logging.INFO}
    mapped = int(line(lines, "weights: ").split()[0])
    with mixtral.Model(packed) as read, mixtral.Model(packed, map=True) as model:
        # Each matrix begins at a whole line in memory.
        most = read.info.weight_size - model.info.weight_size
        assert most - 64 * read.info.tensors * 8 <= mapped <= most
    lines = logged(mixtral_tiny, map=True)
    warnings = [text for level, text in lines if level == logging.WARNING]
    assert warnings == ["weights: to be mapped, but the file is not packed, so they are read"]


def test_unused_tensors_are_a_warning(mixtral_tiny, oracle, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(oracle)
    import gguf_files

    reader = gguf.GGUFReader(mixtral_tiny)
    tensors = [(one.name, one.data, one.tensor_type) for one in reader.tensors]
    norm = next(one for one in tensors if one[0] == "output_norm.weight")
    names = ["v.blk.0.attn_q.weight", "v.x\x1b[2J\ny", "mm.three", "a.four"]
    for count in (1, 4):
        path = tmp_path / f"{count}.gguf"
        gguf_files.copy(reader, path, [*tensors, *((one, *norm[1:]) for one in names[:count])])
        warnings = [text for level, text in logged(path) if level == logging.WARNING]
        start = "tensors that are not part of the model and are not used: 'v.blk.0.attn_q.weight'"
        rest = ", 'v.x\\x1b[2J\\x0ay', 'mm.three' and 1 more" if count == 4 else ""
        assert warnings == [start + rest]


def test_names_are_quoted_as_in_errors(mixtral_tiny, tmp_path):
    path = os.fsencode(tmp_path) + "/é\n".encode() + b"\xff\x1b[31m.gguf"
    os.symlink(mixtral_tiny, path)
    assert line(logged(path), "file ").startswith("'é\\x0a\\xff\\x1b[31m.gguf': ")


def test_nothing_is_printed(mixtral_tiny, capfd):
    logged(mixtral_tiny)
    assert capfd.readouterr() == ("", "")


def test_A15_each_sentence_may_stop_the_load(mixtral_tiny):
    count = len(logged(mixtral_tiny))
    assert count > 5
    for number in range(1, count + 1):
        seen = []

        def stop(_level, text, seen=seen, number=number):
            seen.append(text)
            return len(seen) == number

        with pytest.raises(mixtral.CancelledError, match="log callback"):
            mixtral.Model(mixtral_tiny, log=stop)
        assert len(seen) == number


def test_an_exception_comes_out_of_the_load(mixtral_tiny):
    def fail(_level, text):
        raise KeyError(text)

    with pytest.raises(KeyError, match="mixtral-tiny"):
        mixtral.Model(mixtral_tiny, log=fail)


def test_a_logger_takes_them(mixtral_tiny, caplog):
    with caplog.at_level(logging.INFO):
        mixtral.Model(mixtral_tiny, log=logging.getLogger("model").log).close()
    assert "kernels: " in caplog.text


def test_the_callback_in_c(world):
    """Size, NUL, user; calls within it."""
    user = ctypes.c_int(5)
    lines = []

    def log(level, text, size, given):
        name = ctypes.c_size_t()
        ok(
            _raw.mixtral_model_metadata(ctypes.byref(name), None, 0, world.model, b"general.name")
            - 10
        )
        ok(_raw.mixtral_step(world.session, world.tokens(), 1))
        lines.append((level, text, size, given))
        return 0

    model = ctypes.c_void_p()
    options = sized(
        _raw.mixtral_load_options,
        log=_raw.log_callback(log),
        user=ctypes.addressof(user),
    )
    status = _raw.mixtral_load(ctypes.byref(model), world.path, ctypes.byref(options))
    assert status == _raw.MIXTRAL_OK, message()
    ok(_raw.mixtral_free(model))
    assert len(lines) > 5
    assert world.position() == 3 + len(lines)
    for level, text, size, given in lines:
        assert level == _raw.MIXTRAL_LOG_INFO
        assert len(text) == size
        assert given == ctypes.addressof(user)
