"""`make install`: a C program outside the tree finds the library by pkg-config and by CMake."""

from __future__ import annotations

import pathlib
import shlex
import shutil
import subprocess

import headers
import pytest

from conftest import (
    C99,
    ROOT,
    SOURCE,
    Golden,
    clean_environment,
    elf,
    files,
    make,
    run,
    says_golden,
)

CONFIGS = ("mixtral-config.cmake", "mixtral-config-version.cmake")
CMAKE = """
cmake_minimum_required(VERSION 3.16...3.31)
project(outside C)
find_package(mixtral {wanted} CONFIG REQUIRED)
add_executable(greedy {source})
set_property(TARGET greedy PROPERTY C_STANDARD 99)
target_link_libraries(greedy PRIVATE mixtral::mixtral)
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    prefix = tmp_path_factory.mktemp("install") / "prefix"
    make("install", f"PREFIX={prefix}")
    return prefix


def with_pkg_config(libdir: pathlib.Path, folder: pathlib.Path, **more: str) -> pathlib.Path:
    """greedy.c built with the flags of pkg-config alone."""
    environment = clean_environment(PKG_CONFIG_PATH=str(libdir / "pkgconfig"), **more)
    flags = shlex.split(run("pkg-config", "--cflags", "--libs", "mixtral", env=environment))
    run(*C99, SOURCE, "-o", folder / "greedy", *flags, cwd=folder)
    return folder / "greedy"


def with_cmake(folder: pathlib.Path, wanted: str = "", **definitions: object) -> pathlib.Path:
    """greedy.c built by a CMake project that asks for the package."""
    folder.mkdir(exist_ok=True)
    (folder / "CMakeLists.txt").write_text(CMAKE.format(wanted=wanted, source=SOURCE))
    more = [f"-D{name}={value}" for name, value in definitions.items()]
    run("cmake", "-S", folder, "-B", folder / "build", *more)
    run("cmake", "--build", folder / "build")
    return folder / "build" / "greedy"


def test_the_files(prefix: pathlib.Path, version: str) -> None:
    assert files(prefix) == {
        *(f"include/{name}" for name in headers.names()),
        *(f"lib/libmixtral.so{end}" for end in ("", ".1", f".{version}")),
        "lib/pkgconfig/mixtral.pc",
        *(f"lib/cmake/mixtral/{name}" for name in CONFIGS),
        *(f"share/doc/libmixtral/{name}.md" for name in ("README", "CHANGELOG", "THIRD-PARTY")),
        "share/doc/libmixtral/LICENSE",
    }
    assert (prefix / "lib/libmixtral.so").readlink() == pathlib.Path("libmixtral.so.1")
    assert (prefix / "lib/libmixtral.so.1").readlink() == pathlib.Path(f"libmixtral.so.{version}")
    for name in ("pkgconfig/mixtral.pc", *(f"cmake/mixtral/{one}" for one in CONFIGS)):
        assert "@" not in (prefix / "lib" / name).read_text()


def test_pkg_config(
    prefix: pathlib.Path, version: str, bundled: Golden, tmp_path: pathlib.Path
) -> None:
    program = with_pkg_config(prefix / "lib", tmp_path)
    says_golden([program], bundled, LD_LIBRARY_PATH=str(prefix / "lib"))
    assert "libmixtral.so.1" in elf(program, "NEEDED")
    environment = clean_environment(PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))
    assert run("pkg-config", "--modversion", "mixtral", env=environment).strip() == version


def test_cmake(prefix: pathlib.Path, bundled: Golden, tmp_path: pathlib.Path) -> None:
    program = with_cmake(tmp_path, CMAKE_PREFIX_PATH=prefix)
    says_golden([program], bundled)


@pytest.mark.parametrize("wanted", ["{} EXACT", "0.0.1", "0.0.1...{}", "0.0.1...<99"])
def test_cmake_accepts(
    prefix: pathlib.Path, version: str, wanted: str, tmp_path: pathlib.Path
) -> None:
    with_cmake(tmp_path, wanted.format(version), CMAKE_PREFIX_PATH=prefix)


@pytest.mark.parametrize("wanted", ["99", "0.0.1 EXACT", "0.0.1...<0.0.2", "99...100"])
def test_cmake_refuses(prefix: pathlib.Path, wanted: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(AssertionError, match="considered but not accepted"):
        with_cmake(tmp_path, wanted, CMAKE_PREFIX_PATH=prefix)


def test_cmake_after_a_move(prefix: pathlib.Path, bundled: Golden, tmp_path: pathlib.Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(prefix, moved, symlinks=True)
    program = with_cmake(tmp_path / "project", mixtral_DIR=moved / "lib/cmake/mixtral")
    assert elf(program, "RUNPATH") == [str(moved / "lib")]
    says_golden([program], bundled)
    (moved / "include/mixtral.h").unlink()
    with pytest.raises(AssertionError, match=r"mixtral.h\s+is\s+missing"):
        with_cmake(tmp_path / "again", mixtral_DIR=moved / "lib/cmake/mixtral")


def test_folders_of_a_distribution(bundled: Golden, tmp_path: pathlib.Path) -> None:
    """DESTDIR, a LIBDIR of its own, and /lib as a link to /usr/lib."""
    stage, libdir = tmp_path / "stage", "lib/x86_64-linux-gnu"
    make("install", f"DESTDIR={stage}", "PREFIX=/usr", f"LIBDIR=/usr/{libdir}")
    (stage / "lib").symlink_to("usr/lib")
    sysroot = {"PKG_CONFIG_SYSROOT_DIR": str(stage), "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1"}
    sysroot["PKG_CONFIG_ALLOW_SYSTEM_LIBS"] = "1"
    program = with_pkg_config(stage / "usr" / libdir, tmp_path, **sysroot)
    says_golden([program], bundled, LD_LIBRARY_PATH=str(stage / "usr" / libdir))
    program = with_cmake(tmp_path / "project", mixtral_DIR=stage / libdir / "cmake/mixtral")
    says_golden([program], bundled)


def test_a_second_header(bundled: Golden, tmp_path: pathlib.Path) -> None:
    """Installed below mixtral.h, asked for by CMake, and taken away again."""
    include, prefix = tmp_path / "include", tmp_path / "prefix"
    (include / "mixtral").mkdir(parents=True)
    shutil.copy(headers.INCLUDE / "mixtral.h", include)
    (include / "mixtral" / "probe.h").write_text('#include "../mixtral.h"\n')
    words = [f"INCLUDE={include}", f"PREFIX={prefix}"]
    make("install", *words)
    installed = {name for name in files(prefix) if name.startswith("include/")}
    assert installed == {"include/mixtral.h", "include/mixtral/probe.h"}
    says_golden([with_cmake(tmp_path / "project", CMAKE_PREFIX_PATH=prefix)], bundled)
    (prefix / "include" / "mixtral" / "probe.h").rename(tmp_path / "probe.h")
    with pytest.raises(AssertionError, match=r"probe.h\s+is\s+missing"):
        with_cmake(tmp_path / "again", CMAKE_PREFIX_PATH=prefix)
    (tmp_path / "probe.h").rename(prefix / "include" / "mixtral" / "probe.h")
    make("uninstall", *words)
    assert not files(prefix) and not (prefix / "include" / "mixtral").exists()


@pytest.mark.parametrize("name", ["a b", "a  b&|c'd$e"])
def test_folders_with_any_name(name: str, bundled: Golden, tmp_path: pathlib.Path) -> None:
    """Names are no words of a shell, of make, of sed or of mixtral.pc; make wants $ twice."""
    prefix, libdir = tmp_path / name, tmp_path / name / "lib 64"
    folders = [f"{each}".replace("$", "$$") for each in (f"PREFIX={prefix}", f"LIBDIR={libdir}")]
    make("install", *folders)
    installed = files(prefix)
    assert {path.split("/")[-1] for path in installed} >= {"mixtral.h", "mixtral.pc", *CONFIGS}
    program = with_pkg_config(libdir, tmp_path)
    says_golden([program], bundled, LD_LIBRARY_PATH=str(libdir))
    if name == "a b":  # The makefiles that CMake writes know no more.
        program = with_cmake(tmp_path / "project", mixtral_DIR=libdir / "cmake/mixtral")
        says_golden([program], bundled)
    make("uninstall", *folders)
    assert files(prefix) == set()
    stage = tmp_path / "stage of a b"
    make("install", f"DESTDIR={stage}", *folders)
    assert files(pathlib.Path(f"{stage}{prefix}")) == installed


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a#b"])
def test_a_name_that_a_file_cannot_say_is_refused(name: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(AssertionError, match="folder is /tmp.* allowed any characters but"):
        make("install", f"PREFIX={tmp_path / name}")
    assert files(tmp_path) == set()


@pytest.mark.parametrize("tool", ["sed", "chmod", "mv", "install"])
def test_a_step_that_fails_leaves_no_part_of_a_file(tool: str, tmp_path: pathlib.Path) -> None:
    """An install over another one whose tool fails in the middle of what it writes."""
    tools, prefix = tmp_path / "tools", tmp_path / "prefix"
    make("install", f"PREFIX={prefix}")
    before = {name: (prefix / name).read_bytes() for name in files(prefix)}
    tools.mkdir()
    fails = 'test "$#" != 2 || echo half > "$2"; echo half; exit 1'
    real = f'exec {shutil.which(tool)} "$@"'
    # sed serves other steps too.
    which = f'case "{tool} $*" in sed*VERSION@*|[!s]*) {fails} ;; *) {real} ;; esac'
    (tools / tool).write_text(f"#!/bin/sh\n{which}\n")
    (tools / tool).chmod(0o755)
    environment = clean_environment()
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    failed = subprocess.run(
        ["make", "install", f"PREFIX={prefix}"], cwd=ROOT, env=environment, capture_output=True
    )
    assert failed.returncode != 0
    assert {name: (prefix / name).read_bytes() for name in files(prefix)} == before


def test_uninstall(tmp_path: pathlib.Path) -> None:
    prefix = tmp_path / "prefix"
    (prefix / "lib").mkdir(parents=True)
    (prefix / "lib" / "libother.so").touch()
    make("install", f"PREFIX={prefix}")
    make("uninstall", f"PREFIX={prefix}")
    assert files(prefix) == {"lib/libother.so"}
