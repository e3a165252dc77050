"""async_for: what an async generator yields, as a time series."""

from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import AsyncIterable
from typing import Any

from csploop._loop.holds import Hold
from csploop.csp._adapters.outputs import Source
from csploop.csp._adapters.types import checked_type, iterated_type
from csploop.csp._run import Run

__all__ = ["async_for"]


def async_for(
    async_gen: AsyncIterable[Any],
    *,
    output_type: Any = None,
    loop: asyncio.AbstractEventLoop | None = None,
    errors: bool = False,
) -> Any:
    """A series that ticks with each value of an async generator, or of another async iterable. In the wiring.

    The generator begins when the graph starts and goes on after a value only when that has ticked, so that it
    can neither run ahead of the graph nor starve it; on a loop of another thread it may be a few hundred
    values ahead. Values that come at one time tick one per engine cycle. When the graph stops, the generator
    is cancelled and closed, and its end awaited. If it raises, the run ends with that exception.

    output_type: type of the series; by default what the annotation says, `-> AsyncIterator[T]`, else object.
    loop: a loop that runs on another thread, instead of the run's.
    errors: returns (values, errors), two series; an exception ticks on the second and ends no run.

    A generator serves one run. Give a graph that is built once and run often an object whose `__aiter__`
    makes a new one.
    """
    if inspect.isasyncgenfunction(async_gen):
        name = getattr(async_gen, "__name__", "it")
        raise TypeError(
            f"async_for needs an async generator, not the function that makes one: async_for({name}(...))"
        )
    if not hasattr(type(async_gen), "__aiter__"):
        if asyncio.iscoroutine(async_gen):
            async_gen.close()
            raise TypeError("async_for needs an async generator; for a coroutine there is async_in")
        raise TypeError(f"async_for needs an async generator or another async iterable, not {async_gen!r}")
    typ = iterated_type(async_gen) if output_type is None else checked_type(output_type)
    return _Iteration(async_gen, loop, typ, errors).edges


class _Iteration(Source):
    """One generator's way into the graph."""

    def __init__(
        self, source: AsyncIterable[Any], loop: asyncio.AbstractEventLoop | None, typ: Any, errors: bool
    ) -> None:
        super().__init__("async_for", loop, typ, errors)
        self._source = source

    def _start(self, run: Run) -> None:
        source = self._source
        if isinstance(source, types.AsyncGeneratorType) and source.ag_frame is None:
            raise RuntimeError(f"async_for: {source.__qualname__} has ended in an earlier run")
        self._work.start(run)
        self._work.begin(self._iterate(self._work.hold()))

    async def _iterate(self, hold: Hold | None) -> None:
        values = self._source.__aiter__()
        try:
            async for value in values:
                hold = await self._values.put(value, hold)
        except Exception as exc:
            if self._errors is None:
                raise
            self._errors.report(exc)
        finally:
            # It may stand at a yield: cancelled while its value was on the way.
            aclose = getattr(values, "aclose", None)
            if aclose is not None:
                await aclose()
            self._work.release(hold)
