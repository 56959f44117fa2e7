"""`make dist`: unpacked anywhere, a C program is built and run with nothing else; the same bytes twice."""

from __future__ import annotations

import hashlib
import pathlib
import shlex
import tarfile

import headers
import pytest

from conftest import C99, ROOT, SOURCE, Golden, clean_environment, files, make, run, says_golden

PACKAGES = ROOT / ".build" / "packages"


@pytest.fixture(scope="module")
def tarball(version: str) -> pathlib.Path:
    make("dist")
    return PACKAGES / f"libmixtral-{version}-linux-x86_64.tar.gz"


@pytest.fixture(scope="module")
def tree(tarball: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("dist") / "any folder"
    folder.mkdir()
    run("tar", "-xzf", tarball, "-C", folder)
    (tree,) = folder.iterdir()
    assert f"{tree.name}.tar.gz" == tarball.name
    return tree


def test_the_files(tree: pathlib.Path, version: str) -> None:
    assert files(tree) == {
        *(f"include/{name}" for name in headers.names()),
        *(f"lib/libmixtral.so{end}" for end in ("", ".1", f".{version}")),
        "lib/pkgconfig/mixtral.pc",
        *(f"lib/cmake/mixtral/mixtral-config{end}.cmake" for end in ("", "-version")),
        *(f"examples/{path.name}" for path in (ROOT / "examples/c").iterdir()),
        *("README.md", "CHANGELOG.md", "LICENSE", "THIRD-PARTY.md"),
    }


def test_a_program(tree: pathlib.Path, bundled: Golden, tmp_path: pathlib.Path) -> None:
    environment = clean_environment(PKG_CONFIG_PATH=str(tree / "lib/pkgconfig"))
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "mixtral", env=environment))
    run(*C99, SOURCE, "-o", tmp_path / "greedy", *flags, f"-Wl,-rpath,{tree / 'lib'}")
    says_golden([tmp_path / "greedy"], bundled)


def test_the_same_bytes_twice(tarball: pathlib.Path) -> None:
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    assert tarball.with_name(f"{tarball.name}.sha256").read_text() == f"{digest}  {tarball.name}\n"
    tarball.unlink()
    make("dist")
    assert hashlib.sha256(tarball.read_bytes()).hexdigest() == digest


def test_nothing_of_who_packed_it(tarball: pathlib.Path) -> None:
    commit = int(run("git", "log", "-1", "--format=%ct"))
    with tarfile.open(tarball) as archive:
        for member in archive:
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
            assert member.mtime == commit
            assert member.mode & 0o022 == 0 or member.issym()
