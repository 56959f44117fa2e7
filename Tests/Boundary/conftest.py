"""The library from outside: only the headers, the built library and the Python package.

Nothing is skipped: a library or a model file that is missing is a failure that says what to do.
"""

from __future__ import annotations

import os
import pathlib
import sys

import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "bindings" / "python"
LIBRARY = pathlib.Path(
    os.environ.setdefault("MIXTRAL_LIBRARY", str(ROOT / ".build" / "lib" / "libmixtral.so.1"))
)

sys.path[:0] = [str(PYTHON), str(ROOT / "scripts"), str(pathlib.Path(__file__).parent)]


def pytest_sessionstart(session: pytest.Session) -> None:
    if not LIBRARY.is_file():
        pytest.exit(f"{LIBRARY} is missing: build the library first (make)", returncode=1)


def _existing(path: pathlib.Path) -> pathlib.Path:
    if not path.is_file():
        pytest.fail(f"{path} is missing: it belongs to the repository", pytrace=False)
    return path


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    return ROOT


@pytest.fixture(scope="session")
def include() -> pathlib.Path:
    return ROOT / "include"


@pytest.fixture(scope="session")
def library() -> pathlib.Path:
    return _existing(LIBRARY)


@pytest.fixture(scope="session")
def oracle() -> pathlib.Path:
    return ROOT / "Tests" / "Oracle"


@pytest.fixture(scope="session")
def mixtral_tiny(oracle: pathlib.Path) -> pathlib.Path:
    """Random weights, 8 experts, 1024 ids, no window."""
    return _existing(oracle / "tiny" / "mixtral-tiny-f16.gguf")


@pytest.fixture(scope="session")
def mistral_tiny(oracle: pathlib.Path) -> pathlib.Path:
    """Random weights, dense, 1024 ids, window of 16."""
    return _existing(oracle / "tiny" / "mistral-tiny-f16.gguf")


@pytest.fixture(scope="module", params=["mixtral_tiny", "mistral_tiny"])
def tiny(request) -> pathlib.Path:
    """The tiny models in turn: a mixture without a window, a dense one with a window of 16."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def plain(tiny: pathlib.Path):
    """A tiny model loaded with no option that changes a bit."""
    from mixtral import Model

    with Model(tiny, threads=2) as model:
        yield model


@pytest.fixture(scope="session")
def nemo_shape(oracle: pathlib.Path) -> pathlib.Path:
    """Random weights, heads wider than the hidden width gives, a cut Tekken."""
    return _existing(oracle / "models" / "nemo-shape-demo-f16.gguf")


@pytest.fixture(scope="session")
def bundled() -> pathlib.Path:
    """The trained model that comes with the examples; Mistral's first vocabulary."""
    return _existing(ROOT / "examples" / "models" / "mixtral-demo-q4_k_m.gguf")


@pytest.fixture(scope="session")
def model(mixtral_tiny: pathlib.Path):
    from mixtral import Model

    with Model(mixtral_tiny, threads=2) as model:
        yield model


@pytest.fixture(scope="session")
def windowed(mistral_tiny: pathlib.Path):
    from mixtral import Model

    with Model(mistral_tiny, threads=2) as model:
        yield model


@pytest.fixture(scope="session")
def demo(bundled: pathlib.Path):
    from mixtral import Model

    with Model(bundled, threads=2) as model:
        yield model


@pytest.fixture
def random() -> numpy.random.Generator:
    return numpy.random.default_rng(0x51ED)


@pytest.fixture(scope="module")
def shared_world(mixtral_tiny: pathlib.Path):
    from capi import World

    world = World(mixtral_tiny)
    yield world
    world.close()


@pytest.fixture
def world(shared_world):
    """An object of each kind for the plain C calls."""
    shared_world.reset()
    return shared_world
