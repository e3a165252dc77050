"""await_: the result of a coroutine in the middle of a node, or of any other function that is not async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import Any

from csploop.csp._futures import as_coroutine, close, submit
from csploop.csp._shared_loop import get_async_loop, get_shared_loop, runs_on_this_thread

__all__ = ["await_"]


def await_(
    coro: Awaitable[Any],
    block: bool = True,
    timeout: float | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
) -> Any:
    """Runs a coroutine, or awaits an awaitable, and returns its result, or a future with block=False.

    Blocking, it runs on the shared background loop, while the engine and its loop stand still: for what is
    short. Not blocking, it runs on the loop that `get_async_loop()` chooses, and the future is a
    `concurrent.futures.Future`, to be asked in a later tick; a run cancels what is left when it ends.

    timeout: in seconds; the coroutine is cancelled and asyncio.TimeoutError raised (or set), TimeoutError
    from Python 3.11 on.
    loop: a running loop to use instead.

    TypeError for what cannot be awaited. RuntimeError, and no deadlock, when it would wait for a loop that
    runs on this thread, and when the loop does not run at all.
    """
    if not inspect.isawaitable(coro):
        raise TypeError(f"await_ needs a coroutine or another awaitable, not {coro!r}")
    try:
        if loop is None:
            loop = get_shared_loop() if block else get_async_loop()
        elif not loop.is_running():
            raise RuntimeError("await_: this loop does not run, so the coroutine would never end")
        if block and runs_on_this_thread(loop):
            raise RuntimeError(
                "await_ would wait for a loop that runs on this thread: a deadlock. Leave out loop=, use "
                "block=False, or await the coroutine"
            )
    except BaseException:
        close(coro)
        raise
    future = submit(loop, as_coroutine(coro, timeout))
    if not block:
        return future
    try:
        return future.result()
    except BaseException:
        # KeyboardInterrupt, say. Without effect on one that is done.
        future.cancel()
        raise
