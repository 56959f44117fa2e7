"""PyInstaller's hook: `libmixtral.so.1` goes where the frozen package looks for it."""

import pathlib

_library = pathlib.Path(__file__).resolve().parents[1] / "libmixtral.so.1"
# A package that finds the system's library brings none.
datas = [(str(_library), "mixtral")] if _library.exists() else []
