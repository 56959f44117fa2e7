#!/usr/bin/env python3
"""Quantises an F16 GGUF with llama.cpp's own quantiser.

    pip install llama-cpp-python==0.3.36
    python quantise.py mixtral-demo-f16.gguf WORK-FOLDER

Writes WORK-FOLDER/mixtral-demo-TYPE.gguf for each type of --types; a file that is there is kept.
With F16, the master itself, the default types are the 13 that the library is checked with. No
importance matrix is used.
"""

import argparse
import ctypes
import os
import pathlib

TYPES = (
    *("q8_0", "q6_k", "q5_k_m", "q4_k_m", "iq4_nl", "iq4_xs", "q4_0", "q4_1", "q5_0", "q5_1"),
    *("q3_k_m", "q2_k"),
)


def quantise(source: pathlib.Path, kind: str, target: pathlib.Path, threads: int = 2) -> None:
    """Writes `target`, whole or not at all."""
    import llama_cpp

    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{kind.upper()}")
    parameters.nthread = threads
    part = target.with_name(target.name + ".part")
    status = llama_cpp.llama_model_quantize(
        os.fsencode(source), os.fsencode(part), ctypes.byref(parameters)
    )
    if status:
        raise SystemExit(f"{source.name} to {kind}: llama_model_quantize returned {status}")
    os.replace(part, target)


def quantise_all(
    master: pathlib.Path, folder: pathlib.Path, kinds: list[str], threads: int = 2
) -> dict[str, pathlib.Path]:
    """Type to file, the master under f16."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = master.stem.removesuffix("-f16")
    files = {"f16": master}
    for kind in kinds:
        files[kind] = folder / f"{stem}-{kind}.gguf"
        if not files[kind].exists():
            quantise(master, kind, files[kind], threads)
    return files


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("master", type=pathlib.Path, metavar="MODEL-f16.gguf")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--types", default=",".join(TYPES), help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    kinds = options.types.split(",")
    for kind, file in quantise_all(options.master, options.folder, kinds, options.threads).items():
        print(f"{kind}: {file}, {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
