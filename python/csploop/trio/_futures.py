"""Waiting for an asyncio future in Trio, and the future that stands for a Trio task in asyncio."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, NoReturn, TypeVar

import outcome
import trio
from trio.lowlevel import Abort, current_task, reschedule, wait_task_rescheduled

from csploop.trio._words import explained

__all__ = ["TrioFuture", "Wait", "give_up", "run_aio_future"]

T = TypeVar("T")


class Wait:
    """One Trio task that waits for one asyncio future."""

    __slots__ = ("future", "raise_cancel", "task")

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.future = future
        self.task: trio.lowlevel.Task | None = current_task()
        self.raise_cancel: Callable[[], NoReturn] | None = None

    def done(self, future: object) -> None:
        """The future's callback."""
        task, self.task = self.task, None
        if task is not None:
            reschedule(task)

    def abort(self, raise_cancel: Callable[[], NoReturn]) -> Abort:
        """Trio wants to cancel: so does the future, and the wait goes on until it has ended."""
        self.raise_cancel = raise_cancel
        self.future.cancel()
        return Abort.FAILED

    def fail(self, error: BaseException) -> None:
        """Ends the wait though the future is pending."""
        task, self.task = self.task, None
        if task is not None:
            self.future.remove_done_callback(self.done)
            reschedule(task, outcome.Error(error))


async def run_aio_future(future: asyncio.Future[T]) -> T:
    """Waits in Trio for an asyncio future: returns its result or raises its exception.

    Cancelling the Trio scope cancels the future, and then trio.Cancelled is raised, if the future ends as
    cancelled. A future that was cancelled by somebody else raises asyncio.CancelledError unchanged.
    RuntimeError: the future's loop is closed, runs in another thread, or stopped meanwhile.
    """
    loop: Any = future.get_loop()
    if loop.is_closed():
        raise RuntimeError("the loop of this future is closed, so nothing can complete it")
    owner = getattr(loop, "_thread_id", None)
    if owner is not None and owner != threading.get_ident():
        raise RuntimeError(
            "this future belongs to a loop of another thread: wait for it there, and tell Trio by"
            " trio.from_thread or a trio.lowlevel.TrioToken"
        )
    wait = Wait(future)
    waits: set[Wait] | None = getattr(loop, "_waits", None)
    if waits is not None:
        waits.add(wait)
    future.add_done_callback(wait.done)
    try:
        await wait_task_rescheduled(wait.abort)
    finally:
        if waits is not None:
            waits.discard(wait)
    try:
        return future.result()
    except asyncio.CancelledError as exc:
        if wait.raise_cancel is None:
            raise
        cause = exc
    except (RuntimeError, TypeError) as exc:
        explained(exc)
        raise
    try:
        wait.raise_cancel()
    except BaseException as exc:
        raise exc from cause


def give_up(awaitable: Any) -> None:
    """Closes a coroutine that will not be awaited after all; else Python would report it as never awaited."""
    close = getattr(awaitable, "close", None)
    if close is not None:
        close()


class TrioFuture(asyncio.Future):  # type: ignore[type-arg]  # 3.9
    """The future of a Trio task. cancel() cancels the task; the future is done when that has ended."""

    _scope: trio.CancelScope | None = None
    _asked = False
    _message: Any = None

    def cancel(self, msg: Any = None) -> bool:
        scope = self._scope
        if scope is None:
            return super().cancel(msg)
        if self.done():
            return False
        self._asked = True
        self._message = msg
        scope.cancel()
        return True

    def _end(self) -> None:
        """The task has ended: from here on it is a future as any other."""
        self._scope = None

    def _end_cancelled(self) -> None:
        self._scope = None
        super().cancel(self._message)
