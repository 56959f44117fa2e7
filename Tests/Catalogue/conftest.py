"""The fixtures of Tests/Boundary, a host in C (host.c) for what Python cannot try, and what the cases
of files and numbers do around each."""

from __future__ import annotations

import contextlib
import importlib.util
import pathlib
import sys
from collections.abc import Callable, Iterator

import pytest

HERE = pathlib.Path(__file__).resolve().parent
specification = importlib.util.spec_from_file_location(
    "boundary_fixtures", HERE.parent / "Boundary" / "conftest.py"
)
boundary = importlib.util.module_from_spec(specification)
specification.loader.exec_module(boundary)
globals().update({name: one for name, one in vars(boundary).items() if name[0] != "_"})
sys.path += [str(HERE.parent / folder) for folder in ("Faults", "Oracle", "Catalogue")]
pytest.register_assert_rewrite("unharmed", "capi")


@pytest.fixture(scope="session")
def host(tmp_path_factory):
    from process import Host

    return Host(tmp_path_factory.mktemp("host"), boundary.LIBRARY.resolve())


@pytest.fixture
def unharmed(request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The process after the case is the one before it."""
    from unharmed import unharmed

    with unharmed(request.module.__name__, capfd):
        yield


@pytest.fixture
def save(tmp_path: pathlib.Path) -> Callable[[object], pathlib.Path]:
    """Writes a File or bytes; the path."""

    def write(content: object) -> pathlib.Path:
        path = tmp_path / "model.gguf"
        path.write_bytes(content if isinstance(content, bytes) else content.bytes())
        return path

    return write


@pytest.fixture
def refuse(save: Callable[[object], pathlib.Path]) -> Callable[..., str]:
    """Loads a File or bytes, which must fail with a status and words; the sentence.

    It names the file in any case.
    """
    from unharmed import refused

    def refuse(content: object, status: int, *words: object) -> str:
        return refused(save(content), status, "'model.gguf'", *words)

    return refuse


@pytest.fixture
def accept(save: Callable[[object], pathlib.Path]) -> Callable[..., list[float]]:
    """Loads a File or bytes, which must be a model; its logits after four tokens."""
    from unharmed import logits

    def accept(content: object, *tokens: int, **options: int) -> list[float]:
        return logits(save(content), tokens or (1, 65, 66, 261), **options)

    return accept


@pytest.fixture
def stepping(save: Callable[[object], pathlib.Path]) -> Iterator[Callable[..., object]]:
    """Opens a session of a File, which must be a model; it ends with the test."""
    from unharmed import Stepping, loaded

    with contextlib.ExitStack() as opened:

        def open_one(file: object, isa: int = 0, **options: int) -> Stepping:
            return opened.enter_context(Stepping(loaded(save(file), isa=isa), **options))

        yield open_one
