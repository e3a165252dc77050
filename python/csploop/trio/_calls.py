"""Cross-calls: what a loop with Trio beside it, and the guest of a loop, have in common.

Each Trio task that asyncio code starts is a child of one nursery, shielded from what happens around the loop:
it is cancelled by whoever started it, through its future, or at the loop's end.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable
from contextvars import copy_context
from threading import get_ident
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Callable, TypeVar

import trio
from sniffio import thread_local

from csploop._compat import BaseExceptionGroup
from csploop.trio._current import current_loop
from csploop.trio._futures import TrioFuture, give_up, run_aio_future
from csploop.trio._words import explained

if TYPE_CHECKING:
    from csploop._loop.base import Loop
    from csploop.trio._driving import Driving
    from csploop.trio._loop import BaseTrioEventLoop

__all__ = ["Border", "TrioHandle", "split_cancelled"]

T = TypeVar("T")

NOT_OPEN = (
    "Trio code cannot be started on this loop: it is not inside its `async with csploop.trio.open_loop()`"
    " block, or that has ended"
)

OTHER_THREAD = (
    "Trio code must be started in the loop's own thread: from another one, by"
    " loop.call_soon_threadsafe(loop.trio_as_future, function, *args)"
)


def split_cancelled(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """The part of an exception that is Trio's cancellation, and the rest."""
    if isinstance(error, trio.Cancelled):
        return error, None
    if isinstance(error, BaseExceptionGroup):
        cancelled, rest = error.split(trio.Cancelled)
        # Not a copy where all is of one kind.
        return (None, error) if cancelled is None else (error if rest is None else cancelled, rest)
    return None, error


def split_ordinary(error: BaseException | None) -> tuple[BaseException | None, BaseException | None]:
    """The part that exception handlers are told of, and the rest, such as SystemExit."""
    if isinstance(error, BaseExceptionGroup):
        ordinary, rest = error.split(Exception)
        return ordinary, error if ordinary is None else rest
    return (error, None) if isinstance(error, Exception) else (None, error)


class TrioHandle(asyncio.Handle):
    """The handle of a background Trio task: cancel() cancels the task."""

    __slots__ = ("_scope",)

    def __init__(self, callback: Callable[..., Any], args: Any, loop: Any) -> None:
        super().__init__(callback, args, loop)
        self._scope = trio.CancelScope()

    def cancel(self) -> None:
        super().cancel()
        self._scope.cancel()


class Border:
    """The calls across. Who inherits it says where Trio tasks live and which loop runs asyncio's."""

    # While Trio tasks can be started.
    _nursery: trio.Nursery | None = None
    # Where it is Trio that turns the loop.
    _driving: Driving | None = None

    def _side(self) -> Loop:
        """The loop that asyncio's tasks run on."""
        raise NotImplementedError

    def _current(self) -> BaseTrioEventLoop | None:
        """What current_loop is in the Trio tasks started here."""
        raise NotImplementedError

    def _failed(self, error: BaseException) -> None:
        """A background task ended with what no exception handler is asked about."""
        raise NotImplementedError

    @staticmethod
    async def run_aio_future(future: asyncio.Future[T]) -> T:
        """`csploop.trio.run_aio_future`."""
        return await run_aio_future(future)

    async def run_aio_coroutine(self, coro: Awaitable[T]) -> T:
        """Runs an asyncio coroutine as a task of this loop; waits in Trio, as `run_aio_future` does."""
        loop = self._side()
        try:
            loop._check_closed()
            if not loop.is_running():
                raise RuntimeError("this loop does not run, so the coroutine would never end")
            future: asyncio.Future[T]
            if loop.get_task_factory() is not None:
                future = _create_task(loop, coro)
            elif isinstance(coro, CoroutineType):
                future = loop.create_task(coro)
            else:
                future = asyncio.ensure_future(coro, loop=loop)
        except BaseException:
            give_up(coro)
            raise
        return await run_aio_future(future)

    def trio_as_future(self, proc: Callable[..., Awaitable[T]], *args: Any) -> asyncio.Future[T]:
        """Starts `await proc(*args)` as a Trio task and returns an asyncio future for its end.

        To be called in the loop's thread, in asyncio's or Trio's code. Cancelling the future cancels the
        task; the future is done when the task has ended. The task's exception goes to the future and nowhere
        else.
        """
        future = TrioFuture(loop=self._side())
        future._scope = trio.CancelScope()
        self._start(self._serve, future, proc, args)
        return future

    def run_trio_task(self, proc: Callable[..., Awaitable[object]], *args: Any) -> asyncio.Handle:
        """Starts `await proc(*args)` as a Trio task in the background; the handle cancels it.

        An exception goes to the loop's exception handler; the default one of a loop inside Trio ends the loop
        with it.
        """
        handle = TrioHandle(proc, args, self._side())
        self._start(self._attend, handle, proc, args)
        return handle

    def _start(
        self, runner: Callable[..., Awaitable[None]], owner: object, proc: Callable[..., Any], args: Any
    ) -> None:
        nursery = self._nursery
        if nursery is None:
            raise RuntimeError(NOT_OPEN)
        thread = self._side()._thread_id
        if thread is not None and thread != get_ident():
            raise RuntimeError(OTHER_THREAD)
        current = self._current()
        if current_loop.get() is current:
            nursery.start_soon(runner, owner, proc, args, name=proc)
        else:
            # A callback from another thread or another loop, or one from before this loop was opened.
            context = copy_context()
            context.run(current_loop.set, current)
            context.run(functools.partial(nursery.start_soon, runner, owner, proc, args, name=proc))

    async def _serve(self, future: TrioFuture, proc: Callable[..., Awaitable[Any]], args: Any) -> None:
        """A Trio task whose end is the future's."""
        scope = future._scope
        assert scope is not None
        if future._asked:
            future._end_cancelled()
            return
        failed = False
        try:
            with scope:
                outcome: Any = await proc(*args)
        except BaseException as exc:
            cancelled, outcome = split_cancelled(exc)
            if cancelled is not None:
                if future.get_loop().is_closed():
                    _forsake(future, outcome)
                elif outcome is None:
                    future._end_cancelled()
                else:
                    complete([future, True, outcome])
                raise cancelled from None
            failed = True
        # Not in the handler: the exception is no context of what happens from here on.
        if future.get_loop().is_closed():
            _forsake(future, outcome if failed else None)
        elif not failed and scope.cancelled_caught:
            future._end_cancelled()
        else:
            driving = self._driving
            # If somebody else has completed the future, that is the task's error and not the loop's.
            turns = driving is not None and not future.done() and driving.ends_alone()
            # Who waits for the future goes on before this frame ends, which shall not hold on to it.
            ended = [future, failed, outcome]
            del future, outcome, proc, args
            if turns:
                assert driving is not None
                driving.turn_after(functools.partial(complete, ended))
            else:
                complete(ended)

    async def _attend(self, handle: TrioHandle, proc: Callable[..., Awaitable[object]], args: Any) -> None:
        """A background Trio task."""
        if handle._scope.cancel_called:
            return
        try:
            with handle._scope:
                await proc(*args)
        except BaseException as exc:
            cancelled, rest = split_cancelled(exc)
            error, rest = split_ordinary(rest)
            if error is not None:
                explained(error)
                self._side().call_exception_handler(
                    {"message": f"Exception in Trio task {proc!r}", "exception": error, "handle": handle}
                )
            if rest is not None:
                self._failed(rest)
            if cancelled is not None:
                raise cancelled from None


def _create_task(loop: Loop, coro: Awaitable[T]) -> asyncio.Future[T]:
    """As a task factory does it, which may run the task's first step at once: that is asyncio code, too."""
    library = thread_local.name
    thread_local.name = "asyncio"
    try:
        return asyncio.ensure_future(coro, loop=loop)
    finally:
        thread_local.name = library


def complete(ended: list[Any]) -> None:
    """Takes out of the list what a Trio task ended with, and gives it to the future, which it holds, too."""
    outcome, failed, future = ended.pop(), ended.pop(), ended.pop()
    future._scope = None
    if failed:
        future.set_exception(_presentable(outcome))
    else:
        future.set_result(outcome)


def _forsake(future: TrioFuture, error: BaseException | None) -> None:
    """The block has closed its loop: those who wait for the future cannot be called any more."""
    future._end()
    if error is not None:
        future.get_loop().call_exception_handler(
            {"message": "Exception in a Trio task whose loop is closed", "exception": error, "future": future}
        )


def _presentable(error: BaseException) -> BaseException:
    """What a future can hold: everything but StopIteration."""
    if isinstance(error, StopIteration):
        replacement = RuntimeError("a Trio function raised StopIteration")
        replacement.__cause__ = error
        return replacement
    explained(error)
    return error
