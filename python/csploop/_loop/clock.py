"""The clocks that loops go by: the system's, read by Python's own functions, which are hidden from those who
fake time.

Such tools put functions of theirs into every module that holds time.monotonic, time.time_ns and so on, which
they know by identity; a loop that goes by one of these sleeps for ever. So the functions here are those of a
second instance of Python's `time` module: the same code at the same cost (a call of csploop_now takes more
than twice as long, and lets the GIL go), and other objects. Where there can be no second instance, as on
PyPy, they are closures. Both are right also when time is faked while csploop is imported.
"""

from __future__ import annotations

import importlib.util
import time
from types import BuiltinFunctionType
from typing import Any, Callable

__all__ = ["monotonic", "monotonic_ns", "wall_clock_ns"]


def _second_time_module() -> Any:
    spec = importlib.util.find_spec("time")
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    if module is time:
        return None
    spec.loader.exec_module(module)
    return module


def _clocks() -> tuple[Callable[[], float], Callable[[], int], Callable[[], int]]:
    """What is exported, in that order."""
    second = _second_time_module()
    if second is not None and isinstance(second.monotonic, BuiltinFunctionType):
        return second.monotonic, second.monotonic_ns, second.time_ns
    # Nobody fakes these two, which name the clock in an argument, for the monotonic one.
    seconds, nanoseconds = time.clock_gettime, time.clock_gettime_ns
    steady, wall = time.CLOCK_MONOTONIC, time.CLOCK_REALTIME
    return lambda: seconds(steady), lambda: nanoseconds(steady), lambda: nanoseconds(wall)


# Seconds and nanoseconds of the clock that time.monotonic tells, which is also the core's.
monotonic: Callable[[], float]
monotonic_ns: Callable[[], int]
# Nanoseconds since 1970, UTC, as time.time_ns.
wall_clock_ns: Callable[[], int]
monotonic, monotonic_ns, wall_clock_ns = _clocks()
