"""The headers in ctypes, a module each; their names are here, too. Written by `make abi`."""

from .mixtral import *
