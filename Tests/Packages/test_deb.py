"""`make deb`: lintian is content, and the unpacked packages serve C and Python programs.

The packages are unpacked into a folder, not installed: that needs no root and leaves the machine alone.
"""

from __future__ import annotations

import pathlib
import re

import headers
import pytest

from conftest import C99, ROOT, SOURCE, Golden, clean_environment, elf, make, run, says_golden

PACKAGES = ("libmixtral1", "libmixtral-dev", "python3-mixtral")
LIBDIR = "usr/lib/x86_64-linux-gnu"


@pytest.fixture(scope="module")
def packages(version: str) -> dict[str, pathlib.Path]:
    """Made with lintian as a judge: `make deb` fails on its warnings."""
    make("deb")
    found = {path.name.split("_")[0]: path for path in (ROOT / ".build/packages").glob("*.deb")}
    assert set(found) == set(PACKAGES)
    for name, path in found.items():
        assert path.name.split("_")[1] == f"{version}-1", name
    return found


@pytest.fixture(scope="module")
def system(
    packages: dict[str, pathlib.Path], tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    root = tmp_path_factory.mktemp("system")
    for package in packages.values():
        run("dpkg-deb", "--extract", package, root)
    return root


def field(package: pathlib.Path, name: str) -> str:
    return run("dpkg-deb", "--field", package, name).strip()


def test_dependencies(packages: dict[str, pathlib.Path], version: str) -> None:
    said = re.findall(r"(\S+) \(>= ([\w.]+)\)", field(packages["libmixtral1"], "Depends"))
    assert {name for name, _ in said} == {"libc6"}
    assert field(packages["libmixtral-dev"], "Depends") == f"libmixtral1 (= {version}-1)"
    assert f"libmixtral1 (>= {version})" in field(packages["python3-mixtral"], "Depends")


def test_each_file_is_in_one_package(packages: dict[str, pathlib.Path]) -> None:
    owners: dict[str, str] = {}
    for name, package in packages.items():
        for line in run("dpkg-deb", "--contents", package).splitlines():
            path = re.split(r"\s+", line, maxsplit=5)[5].split(" -> ")[0]
            if not path.endswith("/"):
                assert owners.setdefault(path, name) == name, path
    for path, owner in {
        f"./{LIBDIR}/libmixtral.so.1": "libmixtral1",
        f"./{LIBDIR}/libmixtral.so": "libmixtral-dev",
        **{f"./usr/include/{name}": "libmixtral-dev" for name in headers.names()},
        "./usr/share/doc/libmixtral1/THIRD-PARTY.md.gz": "libmixtral1",
        "./usr/bin/mixtral": "python3-mixtral",
        "./usr/share/man/man1/mixtral.1.gz": "python3-mixtral",
    }.items():
        assert owners[path] == owner


def test_a_c_program(system: pathlib.Path, bundled: Golden, tmp_path: pathlib.Path) -> None:
    environment = clean_environment(
        PKG_CONFIG_LIBDIR=str(system / LIBDIR / "pkgconfig"),
        PKG_CONFIG_SYSROOT_DIR=str(system),
        PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1",
        PKG_CONFIG_ALLOW_SYSTEM_LIBS="1",
    )
    flags = run("pkg-config", "--cflags", "--libs", "mixtral", env=environment).split()
    run(*C99, SOURCE, "-o", tmp_path / "greedy", *flags)
    assert "libmixtral.so.1" in elf(tmp_path / "greedy", "NEEDED")
    says_golden([tmp_path / "greedy"], bundled, LD_LIBRARY_PATH=str(system / LIBDIR))


def test_python_finds_the_system_s_library(
    system: pathlib.Path, bundled: Golden, version: str, tmp_path: pathlib.Path
) -> None:
    environment = clean_environment(
        PYTHONPATH=str(system / "usr/lib/python3/dist-packages"),
        LD_LIBRARY_PATH=str(system / LIBDIR),
    )
    program = ["/usr/bin/python3", system / "usr/bin/mixtral"]
    options = {"cwd": tmp_path, "env": environment}
    assert run(*program, "--version", **options) == f"mixtral {version}\n"
    count = len(bundled.tokens)
    said = run(*program, "generate", bundled.model, bundled.prompt, "-n", count, **options)
    assert said == f"{bundled.text}\n"
    code = (
        "import mixtral, mixtral._library as opened; print(mixtral.__file__, opened.library._name)"
    )
    file, name = run("/usr/bin/python3", "-c", code, **options).split()
    assert pathlib.Path(file).is_relative_to(system)
    assert name == "libmixtral.so.1"
