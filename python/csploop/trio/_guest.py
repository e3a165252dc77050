"""The reverse: a Trio run as the guest of a running csploop loop.

One Trio run serves all calls that overlap on a loop; it begins with the first and ends with the last. While
it is there, the border works as it does inside `open_loop`: aio_as_trio in its tasks, trio_as_aio in the
loop's. It waits in the loop's own sleep, without a thread.

Owner: the loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Callable, TypeVar

import outcome
import trio

from csploop._loop.base import Loop
from csploop.trio._calls import Border
from csploop.trio._current import guests
from csploop.trio._futures import TrioFuture
from csploop.trio._inside import Ticks

if TYPE_CHECKING:
    from csploop.trio._loop import BaseTrioEventLoop

__all__ = ["Guest", "run_guest", "start_guest"]

T = TypeVar("T")


class Guest(Border):
    """A Trio run on a loop. It ends when it has no jobs any more, or by finish() if it is a lasting one."""

    def __init__(self, loop: Loop, lasting: BaseTrioEventLoop | None = None) -> None:
        self._loop = loop
        self._lasting = lasting
        self._jobs = 0
        self._idle = trio.Event()
        # For the nursery, with the context of the caller, which is the Trio task's.
        self._waiting: list[tuple[Context, tuple[Any, ...]]] = []
        self._endings: list[tuple[TrioFuture, asyncio.Future[Any]]] = []
        # Came when the run was ending.
        self._after: list[tuple[Context, TrioFuture, Callable[..., Awaitable[Any]], Any, dict[str, Any]]] = []
        self._ending = False
        self.ended: asyncio.Future[None] = loop.create_future()

    def _side(self) -> Loop:
        return self._loop

    def _current(self) -> BaseTrioEventLoop | None:
        return self._lasting

    def start(self, options: dict[str, Any]) -> None:
        """Begins the Trio run. RuntimeError where this thread has another one."""
        ticks = Ticks(self._loop)
        instruments = [*options.pop("instruments", ()), ticks]
        trio.lowlevel.start_guest_run(
            self._main,
            run_sync_soon_threadsafe=self._loop.call_soon_threadsafe,
            run_sync_soon_not_threadsafe=ticks.later,
            done_callback=self._done,
            # In the main thread the loop has it, or is driven by somebody who has.
            host_uses_signal_set_wakeup_fd=True,
            instruments=instruments,
            **options,
        )
        ticks.take_over()
        guests[self._loop] = self

    def finish(self) -> None:
        """Ends a lasting run: what is left in it is cancelled."""
        self._lasting = None
        self._idle.set()

    def job(self, proc: Callable[..., Awaitable[Any]], args: Any, options: dict[str, Any]) -> TrioFuture:
        """Runs `proc(*args)` in Trio. The run's last job is done when the run has ended."""
        future = TrioFuture(loop=self._loop)
        if self._ending:
            future._scope = trio.CancelScope()
            self._after.append((copy_context(), future, proc, args, options))
        else:
            self._begin(future, proc, args)
        return future

    def _begin(self, future: TrioFuture, proc: Callable[..., Awaitable[Any]], args: Any) -> None:
        self._jobs += 1
        inner = self.trio_as_future(proc, *args)
        future._scope = inner  # type: ignore[assignment]  # what is cancelled is the inner future
        inner.add_done_callback(lambda inner: self._job_done(future, inner))

    def _job_done(self, future: TrioFuture, inner: asyncio.Future[Any]) -> None:
        self._jobs -= 1
        if self._jobs or self._lasting is not None or self.ended.done():
            _pass_on(inner, future)
        else:
            self._endings.append((future, inner))
            self._idle.set()

    def _start(
        self, runner: Callable[..., Awaitable[None]], owner: object, proc: Callable[..., Any], args: Any
    ) -> None:
        if self._nursery is None and not self._ending:
            self._waiting.append((copy_context(), (runner, owner, proc, args)))
        else:
            super()._start(runner, owner, proc, args)

    async def _main(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                for context, waiting in self._waiting:
                    context.run(super()._start, *waiting)
                self._waiting.clear()
                while True:
                    await self._idle.wait()
                    if not self._jobs and self._lasting is None:
                        break
                    # Another job came before the run could end.
                    self._idle = trio.Event()
                    self._pass_all_on()
                self._ending = True
                self._nursery = None
                nursery.cancel_scope.cancel()
        finally:
            self._ending = True
            self._nursery = None

    def _done(self, result: outcome.Outcome[None]) -> None:
        """Trio's run has ended."""
        guests.pop(self._loop, None)
        self.ended.set_result(None)
        self._pass_all_on()
        after = self._after
        if after:
            following = Guest(self._loop)
            following.start(after[0][-1])
            for context, future, proc, args, _ in after:
                if future._asked:
                    future._end_cancelled()
                else:
                    context.run(following._begin, future, proc, args)
        result.unwrap()  # KeyboardInterrupt leaves the loop, an internal error goes to its exception handler

    def _pass_all_on(self) -> None:
        endings, self._endings = self._endings, []
        for future, inner in endings:
            _pass_on(inner, future)

    def _failed(self, error: BaseException) -> None:
        """A background task raised KeyboardInterrupt or SystemExit: so does the loop."""

        def leave() -> None:
            raise error

        self._loop.call_soon(leave)


def _pass_on(inner: asyncio.Future[Any], future: TrioFuture) -> None:
    """Gives the outcome of one future to another."""
    if inner.cancelled():
        future._end_cancelled()
        return
    future._end()
    error = inner.exception()
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(inner.result())


def start_guest(async_fn: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> asyncio.Future[T]:
    """Runs `async_fn(*args)` in a Trio run on the running csploop loop; returns an asyncio future for its
    end.

    Cancelling the future cancels the Trio code. Calls that overlap share one Trio run; options (those of
    trio.run, such as clock and instruments) are for the call that begins it. RuntimeError: no csploop loop
    runs here, it is inside Trio itself, this thread has another Trio run, or options came too late.
    """
    loop: Any = asyncio._get_running_loop()
    if not isinstance(loop, Loop):
        raise RuntimeError(
            "start_guest and run_guest need a running csploop loop: start the program with csploop.run()"
            f" (running is {loop!r})"
        )
    if hasattr(loop, "trio_as_future"):
        raise RuntimeError("this loop has Trio beside it already: use trio_as_aio(function)(*args)")
    guest = guests.get(loop)
    if guest is None:
        guest = Guest(loop)
        guest.start(options)
    elif options and not guest._ending:  # type: ignore[attr-defined]
        raise RuntimeError("this loop has a Trio run already, so it is too late for options of it")
    assert isinstance(guest, Guest)
    return guest.job(async_fn, args, options)


async def run_guest(async_fn: Callable[..., Awaitable[T]], *args: Any, **options: Any) -> T:
    """`await start_guest(…)`: for asyncio code on a csploop loop that wants to call a Trio function."""
    return await start_guest(async_fn, *args, **options)
