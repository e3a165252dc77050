"""LoopThread: a csploop loop that runs in a thread of its own, from `start()` to `ask_to_stop()`.

The thread owns the loop and closes it at its end, whoever asked for that: the methods here, or the loop's own
stop(). It is a daemon, so that a callback which never returns does not keep the process alive.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import Future
from typing import Any, Callable

from csploop._loop.base import Loop
from csploop._loop.ending import await_ends

__all__ = ["LoopEnded", "LoopThread", "is_loop_thread"]

_here = threading.local()


def is_loop_thread() -> bool:
    """Whether the calling thread is some LoopThread's, whose loop stands still until the caller returns."""
    return getattr(_here, "runs_a_loop", False)


def _nothing() -> None:
    pass


class LoopEnded(RuntimeError):
    """The loop has ended, or somebody has cancelled all of its tasks, and so what somebody waits for."""


class LoopThread:
    """on_end: called on the thread when the loop has stopped, before its tasks are cancelled."""

    def __init__(self, name: str, on_end: Callable[[], object] = _nothing) -> None:
        self.loop = Loop()
        self._on_end = on_end
        self._running = threading.Event()
        self._lock = threading.Lock()
        # Who waits in ask(). When the loop begins to end, nobody may ask any more.
        self._asking: set[Future[Any]] = set()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Returns when the loop runs."""
        self.loop.call_soon(self._running.set)
        self._thread.start()
        self._running.wait()

    @property
    def is_current(self) -> bool:
        return threading.current_thread() is self._thread

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def call(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        """From any thread. RuntimeError when the loop is closed."""
        return self.loop.call_soon_threadsafe(callback, *args, context=context)

    def ask(self, function: Callable[[], Any]) -> Any:
        """Calls it on the loop's thread, from another one, and waits for what it returns or, where that is a
        coroutine, for its result. LoopEnded when the loop ends before."""
        answer: Future[Any] = Future()
        with self._lock:
            if self._ending:
                raise self._ended()
            self.call(self._answer, function, answer)
            self._asking.add(answer)
        try:
            return answer.result()
        finally:
            with self._lock:
                self._asking.discard(answer)

    def ask_to_stop(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self.loop.stop)
        except RuntimeError:
            if not self.loop.is_closed():
                raise

    def join(self, timeout: float | None) -> bool:
        """Whether the thread has ended. At once when this is the thread."""
        if not self.is_current:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _answer(self, function: Callable[[], Any], answer: Future[Any]) -> None:
        try:
            result = function()
        except Exception as exc:
            answer.set_exception(exc)
            return
        if not inspect.iscoroutine(result):
            answer.set_result(result)
            return

        def done(task: asyncio.Task[Any]) -> None:
            exc = self._ended() if task.cancelled() else task.exception()
            if exc is None:
                answer.set_result(task.result())
            else:
                answer.set_exception(exc)

        self.loop.create_task(result).add_done_callback(done)

    def _ended(self) -> LoopEnded:
        return LoopEnded(f"the loop of {self._thread.name} has ended")

    def _run(self) -> None:
        loop = self.loop
        _here.runs_a_loop = True
        try:
            loop.run_forever()
        finally:
            with self._lock:
                self._ending = True
            try:
                self._on_end()
                loop.run_until_complete(self._wind_up())
                loop.run_until_complete(loop.shutdown_asyncgens())
                loop.run_until_complete(loop.shutdown_default_executor())
            finally:
                loop.close()
                with self._lock:
                    asking = list(self._asking)
                for answer in asking:
                    if not answer.done():
                        answer.set_exception(self._ended())

    async def _wind_up(self) -> None:
        """Cancels what is left and waits for its end."""
        me = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not me]
        for task in tasks:
            task.cancel()
        await await_ends(tasks, f"unhandled exception at the end of the loop of {self._thread.name}")
