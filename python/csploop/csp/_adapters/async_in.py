"""async_in: the result of a coroutine, as a time series of one tick."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any

from csploop._loop.holds import Hold
from csploop.csp._adapters.outputs import Source
from csploop.csp._adapters.types import checked_type, result_type
from csploop.csp._futures import close
from csploop.csp._run import Run

__all__ = ["async_in"]


def async_in(
    coro: Awaitable[Any],
    *,
    output_type: Any = None,
    loop: asyncio.AbstractEventLoop | None = None,
    errors: bool = False,
) -> Any:
    """A series that ticks once, with the result of a coroutine or another awaitable. In the wiring.

    The coroutine begins when the graph starts. When the graph stops first, it is cancelled and its end
    awaited. If it raises, the run ends with that exception. It serves one run.

    output_type: type of the series; by default what the coroutine's annotation says, else object.
    loop: a loop that runs on another thread, instead of the run's.
    errors: returns (values, errors), two series; an exception ticks on the second and ends no run.
    """
    given: Any = coro
    if not inspect.isawaitable(given):
        if callable(given):
            name = getattr(given, "__name__", "it")
            raise TypeError(f"async_in needs a coroutine, not a function: async_in({name}(...))")
        raise TypeError(f"async_in needs a coroutine or another awaitable, not {coro!r}")
    typ = result_type(coro) if output_type is None else checked_type(output_type)
    return _Result(coro, loop, typ, errors).edges


class _Result(Source):
    """One coroutine's way into the graph."""

    def __init__(
        self, coro: Awaitable[Any], loop: asyncio.AbstractEventLoop | None, typ: Any, errors: bool
    ) -> None:
        super().__init__("async_in", loop, typ, errors)
        self._coro = coro

    def _start(self, run: Run) -> None:
        try:
            self._work.start(run)
        except RuntimeError:
            close(self._coro)
            raise
        self._work.begin(self._await(self._work.hold()), self._coro)

    async def _await(self, hold: Hold | None) -> None:
        try:
            result = await self._coro
        except Exception as exc:
            if self._errors is None:
                raise
            self._errors.report(exc)
        else:
            self._values.send(result)
        finally:
            self._work.release(hold)
