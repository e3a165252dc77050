"""TrioExecutor: jobs of run_in_executor in Trio's worker threads."""

from __future__ import annotations

import concurrent.futures
from typing import Any, Callable, TypeVar

import trio

__all__ = ["TrioExecutor"]

T = TypeVar("T")


class TrioExecutor(concurrent.futures.ThreadPoolExecutor):
    """Runs jobs in Trio's worker threads. It is the only kind of executor for a loop inside Trio.

    limiter: bounds how many threads work at a time; None for Trio's default limit.
    thread_name_prefix: without meaning, Trio names its threads.
    max_workers: without a limiter, makes one of that size.
    """

    def __init__(
        self,
        limiter: trio.CapacityLimiter | None = None,
        thread_name_prefix: str | None = None,
        max_workers: int | None = None,
    ) -> None:
        # Not super().__init__(): this one has no threads of its own.
        if limiter is None and max_workers is not None:
            limiter = trio.CapacityLimiter(max_workers)
        self._limiter = limiter
        self._running = True

    async def submit(self, func: Callable[..., T], *args: Any) -> T:  # type: ignore[override]
        """Runs the job and waits for it, in Trio. RuntimeError after shutdown."""
        if not self._running:
            raise RuntimeError("cannot schedule new jobs after shutdown of the executor")
        return await trio.to_thread.run_sync(func, *args, limiter=self._limiter)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No job is taken from now on. Those that run are Trio tasks, and waited for where Trio tasks are."""
        self._running = False
