"""Where loops get the C library from, so that a test can count how often they call it.

A loop asks `library` once, when it is made. Outside of `counting` it gets the library itself: counting costs
nothing unless somebody counts.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, Callable

from csploop._ffi import lib

__all__ = ["Crossings", "counting", "library"]


class Crossings:
    """Calls into the C library by function name, made by the loops that belong to it."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()


class _CountingLibrary:
    """The library with a counter before each function."""

    def __init__(self, calls: Counter[str]) -> None:
        self._calls = calls
        self._lock = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        value = getattr(lib, name)
        if callable(value):
            value = self._counted(name, value)
        setattr(self, name, value)
        return value

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        calls, lock = self._calls, self._lock

        def call(*args: Any) -> Any:
            with lock:  # of loops in several threads
                calls[name] += 1
            return function(*args)

        return call


_counters: list[_CountingLibrary] = []


def library() -> Any:
    """The library for a loop that is being made."""
    for counter in _counters[-1:]:  # not asked first: another thread may end its counting meanwhile
        return counter
    return lib


@contextlib.contextmanager
def counting() -> Iterator[Crossings]:
    """Counts the calls of all loops that are made inside the `with` block, for as long as they live."""
    crossings = Crossings()
    counter = _CountingLibrary(crossings.calls)
    _counters.append(counter)
    try:
        yield crossings
    finally:
        _counters.remove(counter)
