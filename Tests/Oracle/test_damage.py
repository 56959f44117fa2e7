"""A valid model cut at every byte of its header, and every header byte set to 00 01 7f 80 ff: through the
whole of loading, in one process. Each gives a status with a sentence, or a model that then steps."""

import os
import pathlib

import gguf
import mixtral
import pytest
from gguf_files import Kind, Shape, write_random


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> pathlib.Path:
    shape = Shape(
        layers=1,
        width=32,
        heads=2,
        kv_heads=1,
        head_width=16,
        feed_forward=32,
        experts=2,
        vocabulary=262,
    )
    return write_random(tmp_path_factory.mktemp("damage") / "small.gguf", shape, Kind.Q8_0)


def header_size(path: pathlib.Path) -> int:
    return int(min(tensor.data_offset for tensor in gguf.GGUFReader(path).tensors))


def attempt(path: pathlib.Path) -> bool:
    """Loads and steps; true when the file was a model."""
    try:
        with mixtral.Model(path, threads=1, batch=4) as model, model.session(context=8) as session:
            session.feed([1, 2, 3, 4])
            return True
    except mixtral.NumericError:
        return True
    except mixtral.InternalError:
        raise
    except mixtral.MixtralError as error:
        assert str(error)
        assert "\n" not in str(error)
        return False


def test_G58_cut_at_every_byte_of_the_header(model, tmp_path):
    whole = model.read_bytes()
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole)
    # From the end on: each cut only shortens the file.
    for size in range(header_size(model), -1, -1):
        os.truncate(path, size)
        assert not attempt(path), f"cut at byte {size}"
    path.write_bytes(whole)
    assert attempt(path)


@pytest.mark.parametrize("value", [0x00, 0x01, 0x7F, 0x80, 0xFF])
def test_G59_every_byte_of_the_header_set(model, tmp_path, value):
    whole = model.read_bytes()
    path = tmp_path / "set.gguf"
    path.write_bytes(whole)
    models = 0
    with path.open("r+b", buffering=0) as file:
        for offset in range(header_size(model)):
            file.seek(offset)
            file.write(bytes([value]))
            models += attempt(path)
            file.seek(offset)
            file.write(whole[offset : offset + 1])
    # A byte of a name or of a score may be anything.
    assert models > 0
    assert attempt(path)
