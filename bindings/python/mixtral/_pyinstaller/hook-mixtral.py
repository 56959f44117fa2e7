"""PyInstaller's hook: `libmixtral.so.1` goes where the frozen package looks for it."""

from PyInstaller.utils.hooks import collect_data_files

datas = collect_data_files("mixtral", includes=["libmixtral.so.1"])
