"""The producer in C (bridge_producer.c), built and loaded. Used by the benchmark and by the tests."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from csploop._ffi import library_path  # noqa: E402
from harness.native import compile_program, csploop_flags  # noqa: E402

__all__ = ["RECORD", "Producer"]

RECORD = np.dtype([("number", "u8"), ("time", "M8[ns]"), ("price", "f8"), ("size", "f8")])

_library: ctypes.CDLL | None = None


def library() -> ctypes.CDLL:
    global _library
    if _library is None:
        flags = ["-shared", "-fPIC", "-pthread", *csploop_flags(library_path(), None)]
        _library = ctypes.CDLL(str(compile_program("bridge_producer", [HERE / "bridge_producer.c"], flags)))
        _library.producer_start.restype = ctypes.c_void_p
        _library.producer_start.argtypes = [
            ctypes.c_uint64,
            ctypes.c_uint64,
            ctypes.c_uint64,
            ctypes.c_uint32,
        ]
        _library.producer_join.argtypes = [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_uint64)] * 2]
    return _library


class Producer:
    """A thread of C that pushes `count` records, `run` a call (1: csploop_bridge_push)."""

    cpu_ns = 0  # that the thread had used, known after join()

    def __init__(self, address: int, count: int, run: int, first: int = 0) -> None:
        self._handle = library().producer_start(address, first, count, run)
        if not self._handle:
            raise OSError("no thread for the producer")

    def join(self) -> tuple[int, int]:
        """Waits; how many records went in, and the code that ended it (0: none)."""
        taken, cpu_ns = ctypes.c_uint64(), ctypes.c_uint64()
        code = library().producer_join(self._handle, ctypes.byref(taken), ctypes.byref(cpu_ns))
        self._handle = None
        self.cpu_ns = cpu_ns.value
        return taken.value, code
