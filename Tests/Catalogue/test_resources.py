"""R: what the system refuses, changes or has not, as far as Tests/Faults does not try it."""

from __future__ import annotations

import os
import pathlib
import socket

import mixtral
import pytest
from bits import digest, prompt
from process import arguments, environment, run


def logits(path: object) -> str:
    with mixtral.Model(path) as model, model.session() as session:
        return digest(session.step_logits(prompt(40)))


def test_R04_nothing_is_taken_back(host):
    """munmap and madvise fail: memory stays, results do not change."""
    host.run("all", env=environment(HOST_STUBBORN="1"))


def test_R11_address_space_is_small(host):
    """From no room to enough, in steps of 256 KiB: not opened, then refused, never a death."""
    done = run([host.late, host.everything, *arguments("mixtral-tiny", host.folder)])
    assert (done.returncode, done.stderr) == (0, "")
    unopened, refused = map(int, done.stdout.split())
    assert unopened > 0 and refused > 0


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


@pytest.mark.parametrize("path", ["/proc/self/mem", "/proc/self/maps", "/proc/version"])
def test_R14_files_of_the_kernel(path):
    """Regular by name, of 0 bytes by size."""
    with pytest.raises((mixtral.MalformedError, mixtral.InputOutputError)):
        mixtral.Model(path)


def copied(source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    path = folder / "model.gguf"
    path.write_bytes(source.read_bytes())
    return path


@pytest.mark.parametrize("way", ["load", "pack"])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.9])
def test_R15_cut_while_it_is_loaded(mixtral_tiny, tmp_path, way, at):
    path = copied(mixtral_tiny, tmp_path)

    def cut(done: int, total: int) -> None:
        if done >= at * total:
            os.truncate(path, 4096)

    with pytest.raises(mixtral.ChangedError):
        if way == "load":
            mixtral.Model(path, progress=cut)
        else:
            mixtral.pack(path, tmp_path / "packed", progress=cut)
    assert os.listdir(tmp_path) == ["model.gguf"]


@pytest.mark.parametrize("way", ["load", "pack"])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.9])
def test_R16_written_to_while_it_is_loaded(mixtral_tiny, tmp_path, way, at):
    path = copied(mixtral_tiny, tmp_path)

    def write(done: int, total: int) -> None:
        if done >= at * total:
            with open(path, "r+b") as file:
                file.seek(-100, os.SEEK_END)
                file.write(b"x" * 100)

    with pytest.raises(mixtral.ChangedError):
        if way == "load":
            mixtral.Model(path, progress=write)
        else:
            mixtral.pack(path, tmp_path / "packed", progress=write)
    assert os.listdir(tmp_path) == ["model.gguf"]


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
