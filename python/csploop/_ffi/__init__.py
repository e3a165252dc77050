"""The C ABI as Python sees it: ``lib`` holds its functions and constants, ``ffi`` makes and reads C data.

Both exist only once `csploop._ffi._load` has found the compiled module and made sure that it and the library
belong together. Codes become exceptions in `csploop._ffi.errors`.
"""

from __future__ import annotations

from csploop._ffi._load import ffi as ffi
from csploop._ffi._load import lib as lib
from csploop._ffi._load import library_path as library_path

__all__ = ["ffi", "lib", "library_path"]
