"""`make wheel`: installed into an empty environment, the package runs with the library it brought."""

from __future__ import annotations

import email
import hashlib
import json
import pathlib
import re
import sys
import zipfile

import pytest

from conftest import ROOT, Golden, make, run

PACKAGE = ROOT / "bindings" / "python" / "mixtral"
# The oldest glibc that the wheel may ask for; test_library.py has the reasons.
PLATFORM = "manylinux_2_17_x86_64"
# The same by its older name, which older versions of pip know alone.
LEGACY = "manylinux2014_x86_64"

TOKENS = """
import json, sys
from mixtral import Model
model, count, ids = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
tokens = []
with Model(model) as model, model.session() as session:
    session.feed(ids)
    for _ in range(count):
        tokens.append(session.sample())
        session.feed(tokens[-1:])
print(json.dumps(tokens))
"""


@pytest.fixture(scope="module")
def wheel(version: str) -> pathlib.Path:
    make("wheel")
    (wheel,) = (ROOT / ".build" / "packages").glob("*manylinux*_x86_64.whl")
    assert wheel.name == f"mixtral-{version}-py3-none-{LEGACY}.{PLATFORM}.whl"
    return wheel


@pytest.fixture(scope="module")
def python(wheel: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """An environment with this wheel alone."""
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", folder)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", "--no-index", wheel, cwd=folder)
    return folder / "bin" / "python"


def test_contents(wheel: pathlib.Path, version: str, capsys: pytest.CaptureFixture[str]) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
        size = archive.getinfo("mixtral/libmixtral.so.1").file_size
        text = b"".join(archive.read(name) for name in sorted(names))
    info = f"mixtral-{version}.dist-info"
    assert names == {
        *(f"mixtral/{path.relative_to(PACKAGE)}" for path in PACKAGE.rglob("*.py")),
        *(f"mixtral/{name}" for name in ("py.typed", "libmixtral.so.1", "LICENSE")),
        "mixtral/THIRD-PARTY.md",
        *(f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")),
    }
    assert bytes(ROOT) not in text
    with capsys.disabled():
        print(f"\n{wheel.name}: {wheel.stat().st_size:,} bytes, {size:,} of the library unpacked")


def test_metadata(wheel: pathlib.Path, version: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f"mixtral-{version}.dist-info/METADATA"))
        tags = email.message_from_bytes(archive.read(f"mixtral-{version}.dist-info/WHEEL"))
    assert metadata["Version"] == version
    assert metadata["Requires-Python"] == ">=3.9"
    assert [one for one in metadata.get_all("Requires-Dist") if "extra" not in one] == []
    assert tags["Root-Is-Purelib"] == "false"
    assert set(tags.get_all("Tag")) == {f"py3-none-{name}" for name in (PLATFORM, LEGACY)}


def test_auditwheel_agrees(wheel: pathlib.Path) -> None:
    said = run(sys.executable, "-m", "auditwheel", "show", wheel)
    assert re.search(r'following\s+platform\s+tag:\s+"(\w+)"', said)[1] == PLATFORM
    assert "graft" not in said


def test_the_same_bytes_twice(wheel: pathlib.Path) -> None:
    before = hashlib.sha256(wheel.read_bytes()).hexdigest()
    make("wheel")
    assert hashlib.sha256(wheel.read_bytes()).hexdigest() == before


def test_its_own_library_is_loaded(python: pathlib.Path, tmp_path: pathlib.Path) -> None:
    code = "import mixtral._library as opened; print(opened.library._name)"
    loaded = pathlib.Path(run(python, "-c", code, cwd=tmp_path).strip())
    assert loaded.name == "libmixtral.so.1"
    assert loaded.is_relative_to(python.parent.parent)


def test_golden_tokens(python: pathlib.Path, bundled: Golden, tmp_path: pathlib.Path) -> None:
    words = [bundled.model, len(bundled.tokens), json.dumps(bundled.ids)]
    assert json.loads(run(python, "-c", TOKENS, *words, cwd=tmp_path)) == bundled.tokens


@pytest.mark.parametrize("command", ["module", "script"])
def test_commands(
    python: pathlib.Path, bundled: Golden, version: str, command: str, tmp_path: pathlib.Path
) -> None:
    words = [python, "-m", "mixtral"] if command == "module" else [python.with_name("mixtral")]
    assert run(*words, "--version", cwd=tmp_path) == f"mixtral {version}\n"
    count = str(len(bundled.tokens))
    said = run(*words, "generate", bundled.model, bundled.prompt, "-n", count, cwd=tmp_path)
    assert said == f"{bundled.text}\n"


def test_a_program_frozen_by_pyinstaller(
    python: pathlib.Path, bundled: Golden, tmp_path: pathlib.Path
) -> None:
    """Without an option: the wheel brings a hook."""
    run(python, "-m", "pip", "install", "--quiet", "pyinstaller==6.22.3")
    (tmp_path / "app.py").write_text(TOKENS)
    run(python, "-m", "PyInstaller", "--noconfirm", "--log-level=ERROR", "app.py", cwd=tmp_path)
    words = [bundled.model, len(bundled.tokens), json.dumps(bundled.ids)]
    assert json.loads(run(tmp_path / "dist/app/app", *words, cwd="/")) == bundled.tokens
