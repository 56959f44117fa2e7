"""Makes xxh64.txt with the `xxhash` package: checksums of the bytes 0, 7, 14, … (modulo 251), by their number.

pip install xxhash==4.1.0 && python make_xxh64.py
"""

import pathlib

import xxhash

LENGTHS = [*range(100), 127, 128, 129, 1000, 4095, 65_537]


def main() -> None:
    lines = []
    for length in LENGTHS:
        data = bytes(7 * i % 251 for i in range(length))
        lines.append(f"{length} {xxhash.xxh64_hexdigest(data)}\n")
    pathlib.Path(__file__).with_name("xxh64.txt").write_text("".join(lines))


main()
