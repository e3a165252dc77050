"""async_out: a coroutine function, called with each tick of a series for what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Callable

from csploop.csp._adapters.calls import Calls
from csploop.csp._work import Outlet

__all__ = ["async_out"]


def async_out(
    x: Any,
    async_func: Callable[[Any], Awaitable[Any]],
    loop: asyncio.AbstractEventLoop | None = None,
    *,
    max_concurrency: int | None = None,
    errors: bool = False,
) -> Any:
    """Calls `async_func` with each tick of the series `x`. In the wiring.

    Calls overlap. What has not ended when the graph stops is cancelled and its end awaited. If one raises,
    the run ends with that exception.

    loop: a loop that runs on another thread, instead of the run's.
    max_concurrency: how many calls run at a time; further ticks wait. With 1 they keep the order of ticks.
    errors: returns a series on which exceptions tick instead of ending the run.
    """
    calls = Calls("async_out", async_func, loop=loop, max_concurrency=max_concurrency)
    if errors:
        calls.errors = Outlet(calls.work, "async_out_errors", Exception)
    calls.take(x)
    return None if calls.errors is None else calls.errors.edge
