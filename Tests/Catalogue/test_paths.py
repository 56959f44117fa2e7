"""S28, S29: paths that are strange, or lead to nothing that can be read."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

import gguf_writer as writer
import pytest
from mixtral._raw import (
    MIXTRAL_IO as IO,
    MIXTRAL_MALFORMED as MALFORMED,
    MIXTRAL_NOT_FOUND as NOT_FOUND,
)
from unharmed import logits, refused

pytestmark = pytest.mark.usefixtures("unharmed")

TOKENS = (1, 65, 66, 261)
UNREADABLE = """
import os, sys
import mixtral
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
try:
    mixtral.Model(sys.argv[1])
    print("loaded")
except mixtral.InputOutputError as error:
    print(error)
"""


def test_S28_paths_are_bytes(tmp_path, accept):
    file = writer.model()
    expected = accept(file)
    for name in (b"\xff\xfe", b"a'\n\x1b[31m", b"%s%n", "na\u00efve \U0001f999".encode(), b" "):
        path = os.fsencode(tmp_path) + b"/" + name
        pathlib.Path(os.fsdecode(path)).write_bytes(file.bytes())
        assert logits(path, TOKENS) == expected
        # A sentence shows them, and stays one line of UTF-8.
        pathlib.Path(os.fsdecode(path)).write_bytes(b"")
        refused(path, MALFORMED, "is 0 bytes")


@pytest.mark.parametrize("size", [4096, 4097, 100_000])
def test_S28_long_paths(tmp_path, size):
    refused(b"x" * size, IO, "ENAMETOOLONG")
    long = (os.fsencode(tmp_path) + b"/" + b"./" * size)[: size - 1] + b"x"
    refused(long, IO, "ENAMETOOLONG")


def test_S28_empty_path():
    refused(b"", NOT_FOUND, "ENOENT")


def test_S29_nothing_there(tmp_path):
    refused(tmp_path / "missing.gguf", NOT_FOUND, "'missing.gguf'", "ENOENT")
    refused(tmp_path / "missing" / "model.gguf", NOT_FOUND, "'model.gguf'", "ENOENT")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    refused(tmp_path / "dangling", NOT_FOUND, "'dangling'", "ENOENT")


def test_S29_no_folder_and_a_loop(tmp_path, save):
    refused(save(writer.model()) / "below", NOT_FOUND, "'below'", "ENOTDIR")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(tmp_path / "loop", IO, "'loop'", "ELOOP")
    refused(tmp_path, IO, "not a regular file")


@pytest.mark.parametrize("locked", ["nothing", "file", "folder"])
def test_S29_unreadable(locked):
    """Root reads everything: then another user tries."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        path = folder / "model.gguf"
        path.write_bytes(writer.model().bytes())
        path.chmod(0 if locked == "file" else 0o644)
        folder.chmod(0 if locked == "folder" else 0o755)
        command = [sys.executable, "-c", UNREADABLE, path]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        folder.chmod(0o700)
    assert done.stderr == ""
    said = "loaded" if locked == "nothing" else "cannot open 'model.gguf': EACCES"
    assert said in done.stdout
