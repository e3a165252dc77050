"""AsyncContext: a loop with a thread for one node, or for as long as a `with` block lasts."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from csploop.csp._futures import LoopFuture, as_coroutine, close, submit
from csploop.csp._shared_loop import BackgroundLoop

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["AsyncContext"]


class AsyncContext:
    """Runs coroutines on a background loop of its own, from start() to stop(); it can be started again.

    start() and stop() belong to one thread at a time, say to a node's start and stop blocks; run() and
    run_nowait() may be called from any thread in between.
    """

    def __init__(self) -> None:
        self._background: BackgroundLoop | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop, None before start() and after stop()."""
        return None if self._background is None else self._background.loop

    def start(self) -> None:
        """Starts loop and thread. Does nothing when they run."""
        if self._background is None or not self._background.usable:
            self._background = BackgroundLoop("csploop-async-context")

    def stop(self) -> None:
        """Cancels what still runs, waits for it to end, and ends the thread. Does nothing when stopped."""
        background, self._background = self._background, None
        if background is not None:
            background.stop()

    def run(self, coro: Awaitable[Any], timeout: float | None = None) -> Any:
        """The result of the coroutine; waits for it, at most `timeout` seconds (asyncio.TimeoutError)."""
        future = self._submit(coro, timeout)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def run_nowait(self, coro: Awaitable[Any]) -> LoopFuture:
        """Starts the coroutine; a concurrent.futures.Future of its outcome."""
        return self._submit(coro, None)

    def _submit(self, coro: Awaitable[Any], timeout: float | None) -> LoopFuture:
        if not inspect.isawaitable(coro):
            raise TypeError(f"AsyncContext runs coroutines and other awaitables, not {coro!r}")
        loop = self.loop
        if loop is None:
            close(coro)
            raise RuntimeError("this AsyncContext is not started: start() it, or use it in a with statement")
        return submit(loop, as_coroutine(coro, timeout))

    def __enter__(self) -> AsyncContext:
        self.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()
