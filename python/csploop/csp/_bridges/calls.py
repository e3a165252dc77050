"""Calls that wait for their time: asked for from any thread, kept until they run or will not run any more.

A call belongs to one clock at a time: the loop's in realtime, the engine's once the bridge's graph runs in
simulation. What was asked for before that moves over, and only its present home may run it.
"""

from __future__ import annotations

import threading
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any, Callable

__all__ = ["ENGINE", "LOOP", "BridgeHandle", "Calls"]

LOOP = "loop"
ENGINE = "engine"


class BridgeHandle:
    """A call that a bridge was asked for. Its methods are for any thread."""

    __slots__ = (
        "_args",
        "_callback",
        "_calls",
        "_cancelled",
        "_context",
        "_home",
        "_inner",
        "_offset",
        "_serial",
        "_when",
    )

    def __init__(
        self,
        calls: Calls,
        when: datetime | timedelta,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context,
    ) -> None:
        self._calls = calls
        # A time (naive UTC), or a span from when it was asked for.
        self._when = when
        # Where it was given as an offset from the start: a simulation says anew when that is.
        self._offset: timedelta | None = None
        self._callback: Callable[..., object] | None = callback
        self._args = args
        self._context = context
        self._home = LOOP
        # The handle of the loop or the engine that will run it, for its cancellation.
        self._inner: Any = None
        self._cancelled = False
        self._serial = 0

    def cancel(self) -> None:
        """It will not run, unless it runs already or has. Twice is no error."""
        self._calls.cancel(self)

    def cancelled(self) -> bool:
        """Whether it was cancelled before it ran, or dropped because its bridge or graph stopped first."""
        return self._cancelled

    def done(self) -> bool:
        """Whether it has run, runs now, or was cancelled."""
        return self._callback is None

    def __repr__(self) -> str:
        state = "cancelled" if self._cancelled else "done" if self._callback is None else f"at {self._when}"
        return f"<BridgeHandle {state}>"


class Calls:
    """The calls of one bridge that have not run yet."""

    def __init__(self, drop: Callable[[BridgeHandle], object]) -> None:
        self._lock = threading.RLock()
        self._pending: dict[int, BridgeHandle] = {}
        self._serial = 0
        # Takes a cancelled handle from the clock that has it.
        self._drop = drop

    def add(self, handle: BridgeHandle, home: str) -> BridgeHandle:
        with self._lock:
            self._serial += 1
            handle._serial = self._serial
            handle._home = home
            self._pending[handle._serial] = handle
        return handle

    def run(self, handle: BridgeHandle, home: str) -> None:
        """Runs it in its context, if it is still to be run, and by this clock."""
        with self._lock:
            callback = handle._callback
            if callback is None or handle._home != home:
                return
            handle._callback = None
            del self._pending[handle._serial]
        handle._context.run(callback, *handle._args)

    def cancel(self, handle: BridgeHandle) -> None:
        with self._lock:
            if handle._callback is None:
                return
            handle._callback = None
            handle._args = ()
            handle._cancelled = True
            del self._pending[handle._serial]
        self._drop(handle)

    def cancel_all(self) -> None:
        for handle in self.pending():
            self.cancel(handle)

    def move(self, home: str) -> list[BridgeHandle]:
        """Gives all calls a new home; returns them in the order in which they were asked for."""
        with self._lock:
            for handle in self._pending.values():
                handle._home = home
            return list(self._pending.values())

    def pending(self) -> list[BridgeHandle]:
        with self._lock:
            return list(self._pending.values())
