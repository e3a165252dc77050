"""Several loops that run at the same time, each on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Callable

from support.kinds import Kind

SECONDS = 50  # that anything here may take


class LoopThreads:
    """In the `with` block the loops run. What a loop reports to its exception handler fails it."""

    def __init__(self, kind: Kind, count: int) -> None:
        self._kind = kind
        self.loops: list[asyncio.AbstractEventLoop] = []
        self._failures: list[BaseException | str] = []
        self._started = threading.Barrier(count + 1)
        self._ending = threading.Barrier(count)
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]

    def __enter__(self) -> LoopThreads:
        for thread in self._threads:
            thread.start()
        self._started.wait(SECONDS)
        return self

    def __exit__(self, *exception: object) -> None:
        for loop in self.loops:
            loop.call_soon_threadsafe(loop.stop)
        for thread in self._threads:
            thread.join(SECONDS)
        assert not any(thread.is_alive() for thread in self._threads)
        assert not self._failures, self._failures

    def on_each(self, make: Callable[[int], Coroutine[Any, Any, Any]]) -> list[Any]:
        """Runs make(index) on each loop, all at the same time, and gives their results."""
        asked = [asyncio.run_coroutine_threadsafe(make(index), loop) for index, loop in enumerate(self.loops)]
        return [future.result(SECONDS) for future in asked]

    def _work(self) -> None:
        try:
            loop = self._kind.new()
            loop.set_exception_handler(lambda _, context: self._failures.append(str(context)))
            with self._lock:
                self.loops.append(loop)
            loop.call_soon(self._started.wait, SECONDS)
            loop.run_forever()
            self._ending.wait(SECONDS)  # nobody closes while another may still call it
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
        except BaseException as error:
            self._failures.append(error)
            raise
