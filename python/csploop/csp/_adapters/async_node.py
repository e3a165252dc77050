"""async_node: a series, mapped through a coroutine function."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Callable

from csploop.csp._adapters.calls import Calls
from csploop.csp._adapters.outputs import edges
from csploop.csp._adapters.types import checked_type, returned_type
from csploop.csp._work import Outlet

__all__ = ["async_node"]


def async_node(
    x: Any,
    async_func: Callable[[Any], Awaitable[Any]],
    *,
    output_type: Any = None,
    loop: asyncio.AbstractEventLoop | None = None,
    ordered: bool = False,
    max_concurrency: int | None = None,
    errors: bool = False,
) -> Any:
    """A series of what `async_func` returns for each tick of the series `x`. In the wiring.

    Calls overlap, and results tick as calls complete. What has not ended when the graph stops is cancelled
    and its end awaited. If one raises, the run ends with that exception.

    output_type: type of the series; by default what the function's annotation says, else object.
    loop: a loop that runs on another thread, instead of the run's.
    ordered: results tick in the order of the ticks that they are for.
    max_concurrency: how many calls run at a time; further ticks wait in order.
    errors: returns (values, errors), two series; exceptions tick on the second and end no run.
    """
    calls = Calls("async_node", async_func, loop=loop, ordered=ordered, max_concurrency=max_concurrency)
    typ = returned_type(async_func) if output_type is None else checked_type(output_type)
    calls.values = Outlet(calls.work, "async_node", typ)
    if errors:
        calls.errors = Outlet(calls.work, "async_node_errors", Exception)
    calls.take(x)
    return edges(calls.values, calls.errors)
