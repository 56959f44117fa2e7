"""Packed files: the same bits read or mapped, whatever the types; written complete or not at all."""

from __future__ import annotations

import ctypes
import os
import pathlib
import shutil
import subprocess
import threading

import gguf
import mixtral
import numpy
import pytest

import child
from bits import digest, prompt

PACKED = 0x6D780000
MODELS = ["mixtral_tiny", "mistral_tiny", "nemo_shape", "bundled"]


@pytest.fixture(scope="module", params=MODELS)
def source(request) -> pathlib.Path:
    return request.getfixturevalue(request.param)


@pytest.fixture
def packed(source, tmp_path) -> pathlib.Path:
    target = tmp_path / "packed.gguf"
    mixtral.pack(source, target)
    return target


def logits(path: pathlib.Path, **options) -> str:
    with mixtral.Model(path, **options) as model, model.session() as session:
        return digest(session.step_logits(prompt(40)))


def test_the_same_bits_read_and_mapped(source, packed):
    expected = logits(source)
    assert logits(packed) == expected
    assert logits(packed, map=True) == expected
    assert logits(packed, map=True, threads=3) == expected
    assert logits(source, map=True) == expected


def test_the_same_model(source, packed):
    with mixtral.Model(source) as before, mixtral.Model(packed) as after:
        for name in (
            "parameters",
            "active_parameters",
            "vocabulary",
            "layers",
            "experts",
            "tensors",
        ):
            assert getattr(before.info, name) == getattr(after.info, name), name
        old, new = before.metadata(), after.metadata()
        assert new.pop("mixtral.packed.version") == 1
        for one in (old, new):
            one.pop("tensors")
            one.pop("general.alignment", None)
        assert old == new


def test_the_same_file_for_every_number_of_threads(source, packed, tmp_path):
    for threads in (1, 3):
        other = tmp_path / f"{threads}.gguf"
        mixtral.pack(source, other, threads=threads)
        assert other.read_bytes() == packed.read_bytes()


def test_a_mapped_model_takes_no_memory_for_its_weights(packed):
    with mixtral.Model(packed) as read, mixtral.Model(packed, map=True) as mapped:
        # Norms stay in memory, and what products may ask for beyond the last panel.
        assert mapped.info.weight_size < read.info.weight_size / 10


def test_other_readers_refuse_it(mixtral_tiny, tmp_path):
    target = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, target)
    with pytest.raises(ValueError, match=str(PACKED)[:4]):
        gguf.GGUFReader(target)


def test_what_is_there_stays(mixtral_tiny, mistral_tiny, tmp_path):
    target = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, target)
    before = target.read_bytes()
    with pytest.raises(mixtral.InvalidArgumentError, match="exists"):
        mixtral.pack(mistral_tiny, target)
    assert target.read_bytes() == before
    mixtral.pack(mistral_tiny, target, overwrite=True)
    assert target.read_bytes() != before
    assert os.listdir(tmp_path) == ["packed.gguf"]


def test_a_model_that_is_mapped_outlives_a_replacement(mixtral_tiny, mistral_tiny, tmp_path):
    target = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, target)
    with mixtral.Model(target, map=True) as model:
        mixtral.pack(mistral_tiny, target, overwrite=True)
        assert digest(model.session().step_logits(prompt(40))) == logits(mixtral_tiny)


def test_a_mapped_file_that_is_written_to_is_changed(mixtral_tiny, tmp_path):
    target = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, target)
    with mixtral.Model(target, map=True) as model, model.session() as session:
        session.feed([1, 2])
        with open(target, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"x")
        with pytest.raises(mixtral.ChangedError):
            session.feed([3])
        assert session.position == 2


def spoil(path: pathlib.Path, keeps_time: bool = False) -> None:
    """Flips a bit of weights all over the file, and may put its times back."""
    before = path.stat()
    with open(path, "r+b", buffering=0) as file:
        for part in range(4, 64):
            file.seek(before.st_size * part // 64)
            old = file.read(500)
            file.seek(before.st_size * part // 64)
            file.write(bytes(byte ^ 1 for byte in old))
    if keeps_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class Allocator:
    """The host's memory, with something to do at the next request for some."""

    def __init__(self) -> None:
        self.blocks: dict[int, ctypes.Array] = {}
        self.next = lambda: None

    def allocate(self, size: int, alignment: int) -> int:
        self.next()
        self.next = lambda: None
        block = ctypes.create_string_buffer(size + alignment)
        address = -(-ctypes.addressof(block) // alignment) * alignment
        self.blocks[address] = block
        return address

    def release(self, address: int, size: int) -> None:
        del self.blocks[address]


@pytest.mark.parametrize("keeps_time", [False, True])
@pytest.mark.parametrize("batch", [16, 512])
def test_a_mapped_file_that_is_written_to_within_a_step(mixtral_tiny, tmp_path, keeps_time, batch):
    """When it takes the first page, and the third: no pass that follows is kept."""
    clean, target = tmp_path / "clean", tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, clean)
    for page in (0, 2):
        shutil.copy(clean, target)
        allocator = Allocator()
        with mixtral.Model(target, map=True, batch=batch, allocator=allocator) as model:
            with model.session() as session:
                if page:
                    session.feed(prompt(64 * page))
                allocator.next = lambda: spoil(target, keeps_time)
                with pytest.raises(mixtral.ChangedError):
                    session.step(prompt(100))
                assert session.position == 64 * page
            with model.session() as another, pytest.raises(mixtral.ChangedError):
                another.step([1, 2])


def test_a_time_that_is_put_back(mixtral_tiny, tmp_path):
    target = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, target)
    with mixtral.Model(target, map=True) as model, model.session() as session:
        session.feed([1, 2])
        spoil(target, keeps_time=True)
        with pytest.raises(mixtral.ChangedError):
            session.feed([3])
        with pytest.raises(mixtral.ChangedError):
            session.save()
        assert session.position == 2


@pytest.mark.parametrize("what", ["mode", "link", "rename", "away", "remove", "replace", "read"])
def test_what_leaves_the_bytes_alone(mixtral_tiny, mistral_tiny, tmp_path, what):
    """Permissions and names are not the file's bytes."""
    target, other = tmp_path / "packed.gguf", tmp_path / "other"
    mixtral.pack(mixtral_tiny, target)
    with mixtral.Model(target, map=True) as model:
        if what == "mode":
            target.chmod(0o400)
        elif what == "link":
            other.hardlink_to(target)
        elif what == "rename":
            target.rename(other)
        elif what == "away":
            target.rename(other)
            target.write_bytes(b"another file of the same name")
        elif what == "remove":
            target.unlink()
        elif what == "replace":
            mixtral.pack(mistral_tiny, target, overwrite=True)
        else:
            target.read_bytes()
        assert digest(model.session().step_logits(prompt(40))) == logits(mixtral_tiny)


def test_source_and_target_must_differ(mixtral_tiny, tmp_path):
    source = tmp_path / "model.gguf"
    source.write_bytes(mixtral_tiny.read_bytes())
    (tmp_path / "hard").hardlink_to(source)
    (tmp_path / "soft").symlink_to(source)
    for target in (source, tmp_path / "hard", tmp_path / "soft", tmp_path / "." / "model.gguf"):
        with pytest.raises(mixtral.InvalidArgumentError, match="is the file that is read"):
            mixtral.pack(source, target, overwrite=True)
    assert source.read_bytes() == mixtral_tiny.read_bytes()


def test_a_packed_file_is_no_source(mixtral_tiny, tmp_path):
    mixtral.pack(mixtral_tiny, tmp_path / "one")
    with pytest.raises(mixtral.InvalidArgumentError, match="packed"):
        mixtral.pack(tmp_path / "one", tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_an_unknown_version_is_refused(mixtral_tiny, tmp_path):
    target = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, target)
    data = target.read_bytes()
    key = data.index(b"mixtral.packed.version")
    value = key + len("mixtral.packed.version") + 4
    target.write_bytes(data[:value] + b"\x02\0\0\0" + data[value + 4 :])
    with pytest.raises(mixtral.UnsupportedError, match="version 2"):
        mixtral.Model(target)
    target.write_bytes(data.replace(b"mixtral.packed.version", b"mixtral.packed.versiom"))
    with pytest.raises(mixtral.UnsupportedError, match="version unknown"):
        mixtral.Model(target)


def test_cancelling_leaves_nothing(mixtral_tiny, tmp_path):
    calls = []

    def stop(done: int, total: int) -> bool:
        calls.append((done, total))
        return len(calls) == 3

    with pytest.raises(mixtral.CancelledError):
        mixtral.pack(mixtral_tiny, tmp_path / "packed.gguf", progress=stop)
    assert len(calls) == 3
    assert not os.listdir(tmp_path)

    def fail(done: int, total: int) -> bool:
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        mixtral.pack(mixtral_tiny, tmp_path / "packed.gguf", progress=fail)
    assert not os.listdir(tmp_path)


def test_progress_ends_with_all(mixtral_tiny, tmp_path):
    calls = []
    mixtral.pack(mixtral_tiny, tmp_path / "p", progress=lambda *pair: calls.append(pair))
    assert calls[0][0] == 0
    assert calls == sorted(calls)
    assert calls[-1][0] == calls[-1][1]


def test_no_folder_and_no_such_name(mixtral_tiny, tmp_path):
    with pytest.raises(mixtral.NotFoundError):
        mixtral.pack(mixtral_tiny, tmp_path / "none" / "packed.gguf")
    with pytest.raises(mixtral.InputOutputError):
        mixtral.pack(mixtral_tiny, tmp_path / ("x" * 250))


def limited(size: int, source: pathlib.Path, target: pathlib.Path) -> subprocess.CompletedProcess:
    """Packs in a process that may write no file beyond `size` bytes."""
    code = f"""
import mixtral, resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
try:
    mixtral.pack({str(source)!r}, {str(target)!r})
except mixtral.InputOutputError as error:
    print(error)
    sys.exit(3)
"""
    return child.python("-c", code)


def test_a_limit_on_files_is_an_error_and_no_signal(mixtral_tiny, tmp_path):
    target = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, target)
    whole = target.stat().st_size
    target.unlink()
    for size in (0, 1, 4096, whole // 2, whole - 1):
        done = limited(size, mixtral_tiny, target)
        assert (done.returncode, "EFBIG" in done.stdout) == (3, True), done
        assert not os.listdir(tmp_path)
    assert limited(whole, mixtral_tiny, target).returncode == 0


def test_damaged_packed_files_are_refused(mixtral_tiny, tmp_path):
    """Every cut of the header and of the data; what loads must step."""
    target = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, target)
    data = target.read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in [*range(0, 3000, 61), *range(3000, len(data), len(data) // 40)]:
        cut.write_bytes(data[:size])
        for mapped in (False, True):
            with pytest.raises(mixtral.MixtralError):
                mixtral.Model(cut, map=mapped)


def test_many_at_once(mixtral_tiny, tmp_path):
    """Packing to one name from many threads: one file, whole, and nothing else."""
    target = tmp_path / "packed.gguf"
    outcomes = []

    def work() -> None:
        try:
            mixtral.pack(mixtral_tiny, target)
            outcomes.append(True)
        except mixtral.InvalidArgumentError:
            outcomes.append(False)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(True) == 1
    assert os.listdir(tmp_path) == ["packed.gguf"]
    assert logits(target, map=True) == logits(mixtral_tiny)


def test_numpy_sees_the_panels(mixtral_tiny, tmp_path):
    """The bytes of an F16 matrix: panels of sixteen rows, column after column."""
    reader = gguf.GGUFReader(mixtral_tiny)
    tensor = next(t for t in reader.tensors if t.name == "blk.0.attn_q.weight")
    assert tensor.tensor_type == gguf.GGMLQuantizationType.F16
    rows, columns = tensor.data.shape
    panels = tensor.data.reshape(rows // 16, 16, columns).transpose(0, 2, 1)
    target = tmp_path / "packed.gguf"
    mixtral.pack(mixtral_tiny, target)
    assert numpy.ascontiguousarray(panels).tobytes() in target.read_bytes()
