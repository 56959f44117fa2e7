"""The wheel for musl: its library serves a program that Debian's musl-gcc builds."""

from __future__ import annotations

import pathlib
import zipfile

from conftest import ROOT, SOURCE, Golden, elf, make, run, says_golden

PACKAGES = ROOT / ".build" / "packages"


def test_a_program(version: str, bundled: Golden, tmp_path: pathlib.Path) -> None:
    run(ROOT / "scripts/need.sh", "musl-gcc:musl-tools")
    make("wheel")
    (wheel,) = PACKAGES.glob("*musllinux*_x86_64.whl")
    assert wheel.name == f"mixtral-{version}-py3-none-musllinux_1_2_x86_64.whl"
    with zipfile.ZipFile(wheel) as archive:
        archive.extract("mixtral/libmixtral.so.1", tmp_path)
    folder = tmp_path / "mixtral"
    library = folder / "libmixtral.so.1"
    (folder / "libmixtral.so").symlink_to(library.name)
    assert elf(library, "NEEDED") == ["libc.so"]
    program = tmp_path / "greedy"
    run(
        "musl-gcc",
        "-std=c99",
        "-O1",
        "-I",
        ROOT / "include",
        SOURCE,
        "-o",
        program,
        f"-L{folder}",
        "-lmixtral",
    )
    says_golden([program], bundled, LD_LIBRARY_PATH=str(folder))
