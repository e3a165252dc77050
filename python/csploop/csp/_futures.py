"""submit: a coroutine on some loop, with a future for other threads that will not deadlock on its own.

Owner: nobody; a LoopFuture may be used from any thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Awaitable
from typing import Any

from csploop.csp._run import current_run
from csploop.csp._shared_loop import runs_on_this_thread

__all__ = ["LoopFuture", "as_coroutine", "close", "submit"]


async def as_coroutine(awaitable: Awaitable[Any], timeout: float | None = None) -> Any:
    """Any awaitable as a coroutine, bounded by `timeout` seconds if that is given (asyncio.TimeoutError)."""
    if timeout is None:
        return await awaitable
    return await asyncio.wait_for(awaitable, timeout)


def close(awaitable: Any) -> None:
    """Gives up a coroutine that will not run, so that Python does not complain of it."""
    if asyncio.iscoroutine(awaitable):
        awaitable.close()


class LoopFuture(concurrent.futures.Future):  # type: ignore[type-arg]  # not generic at run time before 3.9
    """The outcome of a coroutine on a loop. `cancel()` cancels the coroutine.

    `result()` and `exception()` raise RuntimeError instead of waiting on the thread that would have to turn
    the loop meanwhile.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, source: Any = None) -> None:
        super().__init__()
        self._loop = loop
        self._source = source
        self._task: asyncio.Task[Any] | None = None

    def result(self, timeout: float | None = None) -> Any:
        self._check_thread()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._check_thread()
        return super().exception(timeout)

    def cancel(self) -> bool:
        if self.done() or not super().cancel():
            return False
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the task with it
            self._loop.call_soon_threadsafe(self._cancel_task)
        return True

    def _check_thread(self) -> None:
        if not self.done() and runs_on_this_thread(self._loop):
            raise RuntimeError(
                "this would wait for a coroutine whose loop runs on this thread: it cannot go on until the "
                "wait ends. Ask done(), use add_done_callback(), or await the coroutine"
            )

    def _begin(self, coro: Any) -> None:
        """On the loop's thread."""
        if self.cancelled():
            coro.close()
            close(self._source)
            return
        self._task = task = self._loop.create_task(coro)
        task.add_done_callback(self._ended)
        run = current_run()
        if run is not None and run.loop is self._loop:
            run.adopt_task(task)

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._task = None
        # Not begun if the task was cancelled before.
        close(self._source)
        if task.cancelled():
            super().cancel()
            return
        # Asked for in any case, or asyncio would report as lost what a cancelled future has no place for.
        exc = task.exception()
        if not self.set_running_or_notify_cancel():
            return
        if exc is not None:
            self.set_exception(exc)
        else:
            self.set_result(task.result())


def submit(
    loop: asyncio.AbstractEventLoop, awaitable: Awaitable[Any], timeout: float | None = None
) -> LoopFuture:
    """Starts it as a task of the loop, from any thread. RuntimeError if the loop is closed."""
    coro = as_coroutine(awaitable, timeout)
    future = LoopFuture(loop, awaitable)
    try:
        if runs_on_this_thread(loop):
            loop.call_soon(future._begin, coro)
        else:
            loop.call_soon_threadsafe(future._begin, coro)
    except BaseException:
        coro.close()
        close(awaitable)
        raise
    return future
