"""What PyInstaller has to know: the package's library is part of a frozen program."""

import pathlib
from typing import List


def hook_dirs() -> List[str]:
    """The folder of hooks, for PyInstaller's entry point."""
    return [str(pathlib.Path(__file__).parent)]
