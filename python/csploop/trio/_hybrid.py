"""allow_asyncio: one Trio task that may await both kinds."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Generator
from contextvars import ContextVar
from typing import Any, Callable, TypeVar

import trio

from csploop.trio._futures import run_aio_future

__all__ = ["allow_asyncio"]

T = TypeVar("T")

_allowed: ContextVar[bool] = ContextVar("csploop.trio.allow_asyncio", default=False)


@types.coroutine
def _translate(iterator: Any) -> Generator[Any, Any, Any]:
    """Runs an awaitable's iterator; asyncio's yields become waits of Trio's, others are Trio's already."""
    resume, value = iterator.send, None
    while True:
        try:
            wanted = resume(value)
        except StopIteration as stop:
            return stop.value
        try:
            if wanted is None:  # asyncio.sleep(0) and the like
                yield from trio.lowlevel.checkpoint().__await__()
                value = None
            elif asyncio.isfuture(wanted):
                wanted._asyncio_future_blocking = False  # as asyncio's tasks do for "I wait for it"
                try:
                    yield from run_aio_future(wanted).__await__()
                except BaseException as exc:
                    if not wanted.done() or wanted.cancelled() or wanted.exception() is not exc:
                        raise  # Ctrl-C, for one, may come after the end
                # The future's own iterator takes the result or raises the exception.
                value = None
            else:
                value = yield wanted
        except BaseException as exc:
            resume, value = iterator.throw, exc
        else:
            resume = iterator.send


async def allow_asyncio(fn: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Runs `await fn(*args)` in Trio, where fn and what it calls may await Trio's and asyncio's functions
    alike.

    For one-off code. Asyncio code sees trio.Cancelled and not asyncio.CancelledError, and has no current
    task, which some of asyncio (timeouts, task groups) and many libraries need; use aio_as_trio for those.
    """
    if _allowed.get():
        return await fn(*args)
    token = _allowed.set(True)
    try:
        awaitable = fn(*args)
        if asyncio.isfuture(awaitable):
            return await run_aio_future(awaitable)
        result: T = await _translate(awaitable if hasattr(awaitable, "send") else awaitable.__await__())
        return result
    finally:
        _allowed.reset(token)
