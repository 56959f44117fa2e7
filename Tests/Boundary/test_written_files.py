"""A file that is written over: its permissions, owner, access list and links stay; what may not be
written to is refused. One way for sessions and packed files."""

from __future__ import annotations

import errno
import os
import pathlib
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator

import mixtral
import pytest

Write = Callable[[pathlib.Path | str], bytes]


@pytest.fixture(params=["session", "packed"])
def write(request, model, mixtral_tiny, tmp_path) -> Iterator[Write]:
    """Writes over what is at a path; what must be there then."""
    with model.session() as session:
        session.feed([1, 2])
        packed = tmp_path.parent / f"{tmp_path.name}-packed"
        mixtral.pack(mixtral_tiny, packed)
        state, panels = session.save(), packed.read_bytes()
        packed.unlink()

        def write(path: pathlib.Path | str) -> bytes:
            if request.param == "session":
                session.save_file(path)
                return state
            mixtral.pack(mixtral_tiny, path, overwrite=True)
            return panels

        write.kind = request.param
        yield write


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def mask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize("masked", [0, 0o022, 0o077])
def test_a_new_file(write, tmp_path, mask, masked):
    """A session is what somebody said to a model: its owner's alone. A model is as the mask has it."""
    mask(masked)
    assert write(tmp_path / "new") == (tmp_path / "new").read_bytes()
    assert mode(tmp_path / "new") == (0o600 if write.kind == "session" else 0o666 & ~masked)


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o644, 0o666, 0o604, 0o200, 0o777])
def test_permissions_stay(write, tmp_path, mask, kept):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(kept)
    expected = write(path)
    assert mode(path) == kept
    path.chmod(0o600)
    assert path.read_bytes() == expected


def test_the_owner_stays(write, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    # Only root gives files to others.
    owner = (12345, 23456) if os.geteuid() == 0 else (os.getuid(), os.getgroups()[-1])
    os.chown(path, *owner)
    path.chmod(0o640)
    assert write(path) == path.read_bytes()
    found = path.stat()
    assert (found.st_uid, found.st_gid, mode(path)) == (*owner, 0o640)


ACCESS_LIST = "system.posix_acl_access"


def entries(*given: tuple[int, int, int]) -> bytes:
    """An access list as the system keeps it: tag, permissions, user or group."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *one) for one in given)


def test_the_access_list_stays(write, tmp_path):
    """Its mask shows as the group's permissions, which the group does not have."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    all_of = 0xFFFFFFFF
    given = entries((1, 6, all_of), (2, 4, 12345), (4, 0, all_of), (16, 4, all_of), (32, 0, all_of))
    try:
        os.setxattr(path, ACCESS_LIST, given)
    except OSError as error:
        assert error.errno == errno.EOPNOTSUPP
        return
    assert mode(path) == 0o640
    write(path)
    assert os.getxattr(path, ACCESS_LIST) == given
    # The list that the folder gives to new files is not given to this one.
    os.removexattr(path, ACCESS_LIST)
    path.chmod(0o640)
    os.setxattr(tmp_path, "system.posix_acl_default", given)
    write(path)
    assert mode(path) == 0o640
    with pytest.raises(OSError):
        os.getxattr(path, ACCESS_LIST)


def test_links_lead_to_the_new_file(write, tmp_path):
    """Relative ones, absolute ones, links to links, and one that leads to nothing yet."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    target = there / "file"
    (here / "relative").symlink_to("../there/file")
    (here / "absolute").symlink_to(target)
    (here / "twice").symlink_to("relative")
    (here / "round").symlink_to("round")
    for name in ("relative", "absolute", "twice"):
        target.write_bytes(b"old")
        assert write(here / name) == target.read_bytes()
        assert (here / name).is_symlink()
    target.unlink()
    assert write(here / "twice") == target.read_bytes()
    with pytest.raises(mixtral.InputOutputError, match="ELOOP"):
        write(here / "round")
    assert sorted(os.listdir(here)) == ["absolute", "relative", "round", "twice"]
    assert os.listdir(there) == ["file"]


def test_a_link_is_not_followed_by_what_must_not_replace(mixtral_tiny, tmp_path):
    (tmp_path / "link").symlink_to("nothing")
    with pytest.raises(mixtral.InvalidArgumentError, match="exists"):
        mixtral.pack(mixtral_tiny, tmp_path / "link")
    assert os.listdir(tmp_path) == ["link"]


def test_links_of_descriptors(write, tmp_path):
    """/proc shows a name for a file that was removed, too."""
    path = tmp_path / "file"
    with open(path, "wb") as file:
        link = f"/proc/self/fd/{file.fileno()}"
        assert write(link) == path.read_bytes()
    with open(path, "r+b") as file:
        path.unlink()
        with pytest.raises(mixtral.InvalidArgumentError, match="without a path"):
            write(f"/proc/self/fd/{file.fileno()}")
    assert os.listdir(tmp_path) == []


LOCKED = """
import mixtral, os, sys
if os.geteuid() == 0:
    os.setgid(54321)
    os.setuid(54321)
session = mixtral.Model(sys.argv[1]).session()
session.feed([1, 2])
for write in (session.save_file, lambda path: mixtral.pack(sys.argv[1], path, overwrite=True)):
    try:
        write(sys.argv[2])
    except mixtral.InputOutputError as error:
        print(error)
"""


@pytest.fixture
def shared() -> Iterator[pathlib.Path]:
    """A folder that any user may use, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield pathlib.Path(folder)


def test_what_may_not_be_written_stays(mixtral_tiny, shared):
    """A rename asks for the folder alone; whoever locked the file meant the file."""
    target = shared / "file"
    target.write_bytes(b"old")
    target.chmod(0o444)
    if os.geteuid() == 0:
        os.chown(target, 54321, 54321)
    run = subprocess.run(
        [sys.executable, "-c", LOCKED, str(mixtral_tiny), str(target)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == ["cannot write 'file': EACCES (permission denied)"] * 2
    assert target.read_bytes() == b"old"
    assert os.listdir(shared) == ["file"]


def test_the_empty_path(write):
    with pytest.raises(mixtral.InvalidArgumentError, match="the path is empty"):
        write("")
