"""`make wheel ARCH=aarch64`: installed by pip for that platform, Debian's Python for arm64 runs it in qemu."""

from __future__ import annotations

import json
import pathlib
import sys

import pytest

from conftest import ROOT, Golden, elf, make, run

PACKAGES = ROOT / ".build" / "packages"
# Debian's interpreter with what ctypes needs.
PYTHON = ("python3-minimal", "python3.11", "libpython3.11-stdlib")
ISA = {"max": "i8mm", "neoverse-n1": "dotprod", "cortex-a72": "neon"}

TOKENS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from mixtral import Model
model, count, ids = sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
tokens = []
with Model(model) as model, model.session() as session:
    session.feed(ids)
    for _ in range(count):
        tokens.append(session.sample())
        session.feed(tokens[-1:])
    print(json.dumps([model.info.isa, tokens]))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An arm64 Debian's files: its packages unpacked, beside this system's own."""
    run(ROOT / "scripts/need.sh", "qemu-aarch64:qemu-user")
    folder = tmp_path_factory.mktemp("arm64")
    for name in ("state/lists/partial", "cache/archives/partial", "root"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures::": "arm64",
        "APT::Install-Recommends": "0",
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": "1",
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
    }
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in settings.items())]
    run(*apt, "update")
    run(*apt, "install", "-y", "--download-only", *PYTHON)
    for package in sorted((folder / "cache/archives").glob("*.deb")):
        run("dpkg-deb", "--extract", package, folder / "root")
    return folder / "root"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What pip installs on arm64."""
    make("wheel", "ARCH=aarch64")
    (wheel,) = PACKAGES.glob("*manylinux*_aarch64.whl")
    folder = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-index", "--only-binary", ":all:"]
    options += ["--platform", "manylinux2014_aarch64", "--target", folder]
    run(sys.executable, "-m", "pip", "install", "--quiet", *options, wheel)
    return folder


def test_the_library(site: pathlib.Path) -> None:
    library = site / "mixtral" / "libmixtral.so.1"
    assert library.stat().st_size <= 3_000_000
    assert set(elf(library, "NEEDED")) <= {"libc.so.6", "libm.so.6", "libpthread.so.0"}


@pytest.mark.parametrize("processor", ISA)
def test_golden_tokens(
    root: pathlib.Path, site: pathlib.Path, bundled: Golden, processor: str
) -> None:
    emulated = ["qemu-aarch64", "-cpu", processor, "-L", root, root / "usr/bin/python3.11"]
    words = [site, bundled.model, len(bundled.tokens), json.dumps(bundled.ids)]
    said = json.loads(run(*emulated, "-c", TOKENS, *words, cwd="/"))
    assert said == [ISA[processor], bundled.tokens]
