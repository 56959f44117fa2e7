"""R: what the system refuses, changes or has not, as far as Tests/Faults does not try it."""

from __future__ import annotations

import os
import pathlib
import socket
import stat
from collections.abc import Callable

import child
import gguf_writer as writer
import mixtral
import pytest
from bits import digest, prompt
from process import arguments, environment, find, run, system


def logits(path: object) -> str:
    with mixtral.Model(path) as model, model.session() as session:
        return digest(session.step_logits(prompt(40)))


def host_model() -> pathlib.Path:
    """The model that host.c loads when nothing else is said."""
    return find("mixtral-tiny")[0]


def test_R04_nothing_is_taken_back(host):
    """munmap and madvise fail: memory stays, results do not change."""
    host.run("all", env=environment(HOST_STUBBORN="1"))


def test_R11_address_space_is_small(host):
    """From no room to enough, in steps of 256 KiB: not opened, then refused, never a death."""
    done = run([host.late, host.everything, *arguments("mixtral-tiny", host.folder)])
    assert (done.returncode, done.stderr) == (0, "")
    unopened, refused = map(int, done.stdout.split())
    assert unopened > 0 and refused > 0


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("group", ["/job", "/job/inner"])
def test_R13_more_than_the_container_has(host, tmp_path, version, group):
    """Both numbers, before the kernel kills; the host's memory is the host's business; a byte decides."""
    with mixtral.Model(host_model(), threads=1) as model:
        weights, buffers = model.info.weight_size, model.info.scratch_size
    with mixtral.Model(host_model(), threads=1, batch=1) as model:
        assert model.info.weight_size + model.info.scratch_size < weights + buffers - 100_000
    needed = weights + buffers

    def run_with(limit: int) -> list[int]:
        used, cached = 5_000_000, 1_000_000
        if version == 1:
            files = {
                "proc/self/cgroup": f"4:memory:{group}\n",
                "proc/self/mountinfo": "33 31 0:30 / /sys/memory rw - cgroup cgroup rw,memory\n",
                "sys/memory/job/memory.limit_in_bytes": f"{limit + used - cached}\n",
                "sys/memory/job/memory.usage_in_bytes": f"{used}\n",
                "sys/memory/job/memory.stat": f"cache 7\ntotal_inactive_file {cached}\n",
            }
        else:
            files = {
                "proc/self/cgroup": f"0::{group}\n",
                "proc/self/mountinfo": "33 31 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
                "sys/fs/cgroup/job/memory.max": f"{limit + used - cached}\n",
                "sys/fs/cgroup/job/memory.current": f"{used}\n",
                "sys/fs/cgroup/job/memory.stat": f"file 7\ninactive_file {cached}\n",
            }
        system(tmp_path, files)
        return host.run("lack-memory", env=environment(HOST_FILES=str(tmp_path)))

    assert run_with(needed) == [0, 0, 0, 0, 0, 0, 0]
    assert run_with(needed - 1) == [8, weights, buffers, needed, needed - 1, 0, 0]


def test_R13_more_than_the_machine_has(host, tmp_path):
    """All memory and swap; what is free now refuses nothing."""
    system(tmp_path, {"proc/meminfo": "MemTotal: 200 kB\nSwapTotal: 50 kB\nSwapFree: 50 kB\n"})
    files = environment(HOST_FILES=str(tmp_path))
    status, _, _, _, allowed, *_ = host.run("lack-memory", env=files)
    assert (status, allowed) == (8, 250 * 1024)
    system(tmp_path, {"proc/meminfo": "MemTotal: 9999999 kB\nMemAvailable: 1 kB\nMemFree: 1 kB\n"})
    assert host.run("lack-memory", env=files) == [0] * 7


SPECIAL = ["folder", "fifo", "socket", "/dev/zero", "/dev/random", "/dev/null", "/dev/tty"]


@pytest.mark.parametrize("name", SPECIAL)
def test_R14_not_a_regular_file(model, mixtral_tiny, tmp_path, name):
    """As a model, as a source, as a state: at once, without a byte read."""
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    elif name == "fifo":
        os.mkfifo(path)
    elif name == "socket":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
    with model.session() as session:
        for call in (
            lambda: mixtral.Model(path),
            lambda: mixtral.pack(path, tmp_path / "packed"),
            lambda: session.load_file(path),
        ):
            with pytest.raises(mixtral.InputOutputError, match="not a regular file|ENXIO"):
                call()
    assert not (tmp_path / "packed").exists()


@pytest.mark.parametrize("name", ["folder", "fifo", "socket", "device", "link", "descriptor"])
def test_R14_nothing_but_a_regular_file_is_replaced(model, mixtral_tiny, tmp_path, name):
    """As a state, as a packed file: refused at once, and still what it was."""
    path, target = tmp_path / name, tmp_path / name
    reading = -1
    if name == "folder":
        path.mkdir()
    elif name in ("fifo", "link"):
        os.mkfifo(tmp_path / "fifo")
        target = tmp_path / "fifo"
        if name == "link":
            path.symlink_to("fifo")
    elif name == "socket":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
    elif name == "device":
        try:
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except OSError:
            path = target = pathlib.Path("/dev/null")
    else:
        reading, writing = os.pipe()
        path = target = pathlib.Path(f"/proc/self/fd/{writing}")
    before = target.stat(), sorted(os.listdir(tmp_path))
    with model.session() as session:
        session.feed([1, 2])
        for call in (
            lambda: session.save_file(path),
            lambda: mixtral.pack(mixtral_tiny, path, overwrite=True),
        ):
            with pytest.raises(mixtral.InvalidArgumentError, match="allowed is a regular file"):
                call()
    after = target.stat(), sorted(os.listdir(tmp_path))
    assert (after[0].st_ino, after[0].st_mode) == (before[0].st_ino, before[0].st_mode)
    assert after[1] == before[1]
    if reading >= 0:
        os.close(reading)
        os.close(writing)


@pytest.mark.parametrize("path", ["/proc/self/mem", "/proc/self/maps", "/proc/version"])
def test_R14_files_of_the_kernel(path):
    """Regular by name, of 0 bytes by size."""
    with pytest.raises((mixtral.MalformedError, mixtral.InputOutputError)):
        mixtral.Model(path)


def copied(source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    path = folder / "model.gguf"
    path.write_bytes(source.read_bytes())
    return path


def refused_as_changed(way: str, path: pathlib.Path, progress: Callable[[int, int], None]) -> None:
    """A load, or the writing of a packed file, is CHANGED and leaves no other file."""
    with pytest.raises(mixtral.ChangedError):
        if way == "load":
            mixtral.Model(path, progress=progress)
        else:
            mixtral.pack(path, path.with_name("packed"), progress=progress)
    assert os.listdir(path.parent) == ["model.gguf"]


@pytest.mark.parametrize("way", ["load", "pack"])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.9])
def test_R15_cut_while_it_is_loaded(mixtral_tiny, tmp_path, way, at):
    path = copied(mixtral_tiny, tmp_path)

    def cut(done: int, total: int) -> None:
        if done >= at * total:
            os.truncate(path, 4096)

    refused_as_changed(way, path, cut)


@pytest.mark.parametrize("way", ["load", "pack"])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.9])
def test_R16_written_to_while_it_is_loaded(mixtral_tiny, tmp_path, way, at):
    path = copied(mixtral_tiny, tmp_path)

    def write(done: int, total: int) -> None:
        if done >= at * total:
            with open(path, "r+b") as file:
                file.seek(-100, os.SEEK_END)
                file.write(b"x" * 100)

    refused_as_changed(way, path, write)


@pytest.mark.parametrize("what", ["replaced", "removed"])
def test_R16_replaced_while_it_is_loaded(mixtral_tiny, mistral_tiny, tmp_path, what):
    """The file that was opened is loaded, whatever its name stands for by then."""
    path, other = copied(mixtral_tiny, tmp_path), tmp_path / "other"

    def change(done: int, total: int) -> None:
        if what == "removed":
            path.unlink(missing_ok=True)
        else:
            other.write_bytes(mistral_tiny.read_bytes())
            other.rename(path)

    with mixtral.Model(path, progress=change) as model, model.session() as session:
        assert digest(session.step_logits(prompt(40))) == logits(mixtral_tiny)


def test_R19_a_system_that_tells_nothing(host):
    """No affinity, no /proc, no /sys: one thread, the same tokens."""
    assert host.run("all", env=environment(HOST_BARE="1")) == [1]


def test_R20_no_random_numbers(host):
    """The number in the handles is made of something else."""
    host.run("all", env=environment(HOST_NO_RANDOM="1"))
    host.run("fork", "step", env=environment(HOST_NO_RANDOM="1"))


LARGE_METADATA = """
import ctypes, pathlib, resource, sys
import mixtral
from mixtral import _raw

def kibibytes(name):
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split(f"Vm{name}:")[1].split()[0])

size = int(sys.argv[2])
mixtral.Model(sys.argv[3], threads=1).close()
before = kibibytes("RSS")
model = mixtral.Model(sys.argv[1], threads=1)
print("kept", (kibibytes("RSS") - before) * 1024 / size)
print("peak", (kibibytes("HWM") - before) * 1024 / size)
count = ctypes.c_size_t()
assert _raw.mixtral_model_metadata(ctypes.byref(count), None, 0, model._handle, None) == (
    _raw.MIXTRAL_BUFFER_TOO_SMALL)
print("text", count.value / size)
print("asked", (kibibytes("HWM") - before) * 1024 / size)
model.close()
limit = (kibibytes("Size") << 10) + size
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    mixtral.Model(sys.argv[1], threads=1)
except mixtral.OutOfMemoryError as error:
    print("refused", error)
"""


def test_R23_large_metadata(save, tmp_path):
    """A load holds it once and its text never; what cannot be had is refused by the key's name."""
    strings = [writer.text(b"\1" * (1 << 20))] * 48
    size = 48 << 20
    path = save(writer.model().set("a.large", writer.array(writer.STRING, strings)))
    small = tmp_path / "small.gguf"
    small.write_bytes(writer.model().bytes())
    done = child.python("-c", LARGE_METADATA, path, size, small)
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert 0.9 < float(found["kept"]) < 1.3
    assert float(found["peak"]) < 4
    # Escaped, and in an array of fewer than 65.
    assert 6 < float(found["text"]) < 6.1
    assert found["asked"] == found["peak"]
    assert "key 'a.large' needs" in found["refused"]
    assert "bytes of addresses; allowed are" in found["refused"]
