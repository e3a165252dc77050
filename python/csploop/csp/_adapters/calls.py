"""Calls: a coroutine function called for each tick of a series, for `async_out` and `async_node`.

Same owner and threads as Work: ticks come on the engine's thread, outcomes on the loop's.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable
from typing import Any, Callable

from csploop._loop.holds import Hold
from csploop.csp._adapters.nodes import taking_node
from csploop.csp._run import current_run
from csploop.csp._work import Outlet, Work

__all__ = ["Calls", "checked_function"]


def checked_function(what: str, function: Any) -> Any:
    """TypeError for what is not a function to call with each tick, but the result of calling one, say."""
    if inspect.isawaitable(function) or not callable(function):
        close = getattr(function, "close", None)
        if asyncio.iscoroutine(function) and close is not None:
            close()
        raise TypeError(f"{what} needs a coroutine function to call for each tick, not {function!r}")
    if inspect.isasyncgenfunction(function):
        raise TypeError(f"{what} needs a coroutine function; {function!r} makes async generators")
    return function


class Calls:
    """What one adapter has called and not yet done with, in one run."""

    def __init__(
        self,
        what: str,
        function: Callable[[Any], Awaitable[Any]],
        *,
        loop: asyncio.AbstractEventLoop | None,
        ordered: bool = False,
        max_concurrency: int | None = None,
    ) -> None:
        if max_concurrency is not None and max_concurrency < 1:
            raise ValueError(f"{what}: max_concurrency must be 1 or more, not {max_concurrency}")
        self._function = checked_function(what, function)
        self._what = what
        self._ordered = ordered
        self._most = max_concurrency
        self.work = Work(what, loop)
        self.values: Outlet | None = None
        self.errors: Outlet | None = None

    def take(self, x: Any) -> None:
        """In the wiring: this is the series."""
        taking_node.using(name=self._what)(self, x)

    # The node calls these.

    def _started(self) -> None:
        run = current_run()
        if run is None:
            raise RuntimeError(f"{self._what} needs the asyncio loop of csploop.csp.run()")
        # Of the loop's thread, as all that follows.
        self._waiting: deque[tuple[int, Any, Hold | None]] = deque()
        self._outcomes: dict[int, tuple[Outlet | None, Any]] = {}
        self._running = 0
        self._next = 0
        self._called = 0
        self.work.start(run)

    def _stopped(self) -> None:
        self.work.stop()

    def _take(self, value: Any) -> None:
        serial = self._called
        self._called += 1
        hold = self.work.hold()
        if self._most is None:
            self.work.begin(self._call(serial, value, hold))
        elif self.work.same_thread:
            self._queue(serial, value, hold)
        else:
            self.work.post(self._queue, serial, value, hold)

    # On the loop's thread.

    def _queue(self, serial: int, value: Any, hold: Hold | None) -> None:
        assert self._most is not None
        if self._running < self._most:
            self._running += 1
            self.work.begin_here(self._call_in_turn(serial, value, hold))
        else:
            self._waiting.append((serial, value, hold))

    async def _call_in_turn(self, serial: int, value: Any, hold: Hold | None) -> None:
        """One of at most so many: makes room for the next when it has ended, however it has."""
        try:
            await self._call(serial, value, hold)
        finally:
            self._running -= 1
            if self._waiting:
                self._queue(*self._waiting.popleft())

    async def _call(self, serial: int, value: Any, hold: Hold | None) -> None:
        try:
            result = await self._function(value)
        except asyncio.CancelledError:
            # Perhaps somebody cancelled this one only: the order goes on without it.
            self._outcome(serial, None, None)
            raise
        except Exception as exc:
            if self.errors is None or not self.errors.in_graph:
                raise
            self._outcome(serial, self.errors, exc)
        else:
            self._outcome(serial, self.values, result)
        finally:
            self.work.release(hold)

    def _outcome(self, serial: int, outlet: Outlet | None, value: Any) -> None:
        if not self._ordered:
            if outlet is not None:
                outlet.send(value)
            return
        outcomes = self._outcomes
        outcomes[serial] = (outlet, value)
        while self._next in outcomes:
            outlet, value = outcomes.pop(self._next)
            self._next += 1
            if outlet is not None:
                outlet.send(value)
