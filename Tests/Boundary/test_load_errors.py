"""Files that are no model: a status that names the file, quickly, and no handle."""

from __future__ import annotations

import os

import mixtral
import pytest


def refused(path: object, kind: type[mixtral.MixtralError]) -> str:
    with pytest.raises(kind) as caught:
        mixtral.Model(path)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


def test_S29_no_such_file(tmp_path):
    missing = tmp_path / "missing.gguf"
    assert "missing.gguf" in refused(missing, mixtral.NotFoundError)
    with pytest.raises(FileNotFoundError):
        mixtral.Model(missing)


def test_S29_a_path_through_a_file(mixtral_tiny):
    refused(mixtral_tiny / "below", mixtral.MixtralError)


def test_S28_strange_paths(tmp_path):
    refused("", mixtral.MixtralError)
    refused("x" * 5000, mixtral.MixtralError)
    refused(os.fsencode(tmp_path) + b"/\xff\xfe.gguf", mixtral.NotFoundError)
    with pytest.raises(mixtral.InvalidArgumentError):
        mixtral.Model("a\0b")


def test_R14_not_a_regular_file(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (tmp_path, fifo, "/dev/zero", "/dev/null"):
        refused(path, mixtral.MixtralError)


@pytest.mark.parametrize("size", [0, 1, 4, 23])
def test_G01_G02_shorter_than_a_header(tmp_path, mixtral_tiny, size):
    path = tmp_path / "short.gguf"
    path.write_bytes(mixtral_tiny.read_bytes()[:size])
    refused(path, mixtral.MalformedError)


def test_G03_wrong_magic(tmp_path, mixtral_tiny):
    data = mixtral_tiny.read_bytes()
    for magic in (b"GGML", b"ggjt", b"PK\3\4", b"\x7fELF", b"<!DO"):
        path = tmp_path / "magic.gguf"
        path.write_bytes(magic + data[4:])
        refused(path, mixtral.MalformedError)


def test_G05_wrong_version(tmp_path, mixtral_tiny):
    data = mixtral_tiny.read_bytes()
    for version in (0, 1, 4, 2**32 - 1, 0x03000000):
        path = tmp_path / "version.gguf"
        path.write_bytes(data[:4] + version.to_bytes(4, "little") + data[8:])
        refused(path, mixtral.UnsupportedError)


def test_G58_truncated(tmp_path, mixtral_tiny, random):
    data = mixtral_tiny.read_bytes()
    path = tmp_path / "truncated.gguf"
    for size in [*random.integers(24, 60_000, 40), *random.integers(60_000, len(data) - 1, 20)]:
        path.write_bytes(data[: int(size)])
        refused(path, mixtral.MalformedError)


def test_G59_flipped_bits_in_the_header(tmp_path, mixtral_tiny, random):
    """An error or a model that steps; never the end of the process."""
    data = bytearray(mixtral_tiny.read_bytes())
    path = tmp_path / "flipped.gguf"
    for place in random.integers(0, 4096 * 8, 60):
        byte, bit = divmod(int(place), 8)
        data[byte] ^= 1 << bit
        path.write_bytes(data)
        data[byte] ^= 1 << bit
        try:
            with mixtral.Model(path) as model, model.session() as session:
                session.feed([1, 2, 3])
        except mixtral.MixtralError as error:
            assert not isinstance(error, mixtral.InternalError)
