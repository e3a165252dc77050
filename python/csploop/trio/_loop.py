"""The loops that have Trio beside them: the common base, and the one that lives inside a Trio run.

Owner: the Trio run's thread. `open_loop` makes a TrioEventLoop, drives it and closes it.
"""

from __future__ import annotations

import asyncio
import os
import warnings
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, TypeVar

import trio

from csploop._loop.base import Loop
from csploop.trio._calls import Border
from csploop.trio._driving import Driving
from csploop.trio._executor import TrioExecutor
from csploop.trio._futures import Wait, run_aio_future
from csploop.trio._generators import close_generators

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["BaseTrioEventLoop", "TrioEventLoop"]

T = TypeVar("T")

# Tasks that tasks start while they are cancelled are cancelled, too, but not without end.
PASSES = 100


class BoundedQueue(deque):  # type: ignore[type-arg]  # not generic at run time on 3.9
    """The ready queue of a loop with a queue_len."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def append(self, handle: Any) -> None:
        if len(self) >= self._limit:
            raise trio.WouldBlock(f"more than {self._limit} callbacks wait in this loop (its queue_len)")
        super().append(handle)


def _set_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class BaseTrioEventLoop(Border, Loop):
    """A csploop loop whose asyncio code can call Trio code, and the other way round.

    queue_len: how many callbacks may be ready at a time; one more raises trio.WouldBlock. None for no limit.
    poller, write: as for `csploop.Loop`.
    """

    def __init__(
        self, queue_len: int | None = None, *, poller: str | None = None, write: str = "gather"
    ) -> None:
        # What Trio tasks wait for, to be told when the loop stops.
        self._waits: set[Wait] = set()
        self._autoclosed: set[int] = set()
        self._stopped = trio.Event()
        self._stopped.set()
        super().__init__(poller=poller, write=write)
        if queue_len is not None:
            self._ready = BoundedQueue(queue_len)

    def _side(self) -> Loop:
        return self

    def _current(self) -> BaseTrioEventLoop | None:
        return self

    async def synchronize(self) -> None:
        """Waits in Trio until the callbacks that are scheduled now have run. From asyncio's code:
        `await trio_as_aio(loop.synchronize)()`."""
        if not self.is_running():
            raise RuntimeError("this loop does not run")
        future = self.create_future()
        self.call_soon(_set_done, future)
        await run_aio_future(future)

    async def wait_stopped(self) -> None:
        """Waits in Trio until the loop has stopped. Inside its own `open_loop` block that is for ever, unless
        somebody calls stop()."""
        await self._stopped.wait()

    def autoclose(self, fd: Any) -> None:
        """Has the loop close this descriptor, a number or an object with fileno(), when it closes itself and
        add_reader or add_writer still watch the descriptor for it."""
        self._autoclosed.add(fd if isinstance(fd, int) else fd.fileno())

    def no_autoclose(self, fd: Any) -> None:
        """Takes autoclose() back. KeyError if the descriptor was not marked."""
        self._autoclosed.remove(fd if isinstance(fd, int) else fd.fileno())

    def close(self) -> None:
        if self._closed or self.is_running():
            super().close()  # which does nothing, or says that it cannot
            return
        ours = [fd for fd in self._watchers if fd in self._autoclosed]
        super().close()
        for fd in ours:
            if trio.lowlevel.in_trio_run():
                trio.lowlevel.notify_closing(fd)
            os.close(fd)

    def _stopping_for_good(self, reason: str) -> None:
        """Nothing would end these waits any more."""
        for wait in list(self._waits):
            wait.fail(RuntimeError(reason))


class TrioEventLoop(BaseTrioEventLoop):
    """The loop of an `open_loop` block. It runs as long as the block, turned by Trio, and only once."""

    def __init__(
        self, queue_len: int | None = None, *, poller: str | None = None, write: str = "gather"
    ) -> None:
        super().__init__(queue_len, poller=poller, write=write)
        self._outer: trio.Nursery | None = None
        self._left = trio.Event()
        self._stop_events: list[trio.Event] = []
        # What ends the block: errors that nobody else handles.
        self._errors: list[BaseException] = []
        self._trio_executor = TrioExecutor()

    # The life of the block, called by open_loop.

    async def _start_in(self, outer: trio.Nursery) -> None:
        self._outer = outer
        self._drive_in(outer)
        # Shielded, because a task that starts in a cancelled scope would never count as started.
        with trio.CancelScope(shield=True):
            await outer.start(self._hold_tasks)

    def _drive_in(self, outer: trio.Nursery) -> None:
        driving = Driving(self, self._failed, self._clock_follower())
        driving.open()
        self._driving = driving
        self._stopped = trio.Event()
        outer.start_soon(self._drive, driving, name="csploop.trio loop")

    def _clock_follower(self) -> Callable[[], object] | None:
        """What to call before each turn, where time does not pass by itself."""
        return None

    async def _drive(self, driving: Driving) -> None:
        try:
            await driving.run()
        finally:
            self._stopped.set()
            for event in self._stop_events:
                event.set()
            self._stop_events.clear()
            self._stopping_for_good("Event loop stopped before Future completed.")

    async def _hold_tasks(self, task_status: trio.TaskStatus[None]) -> None:
        """Holds the nursery of the Trio tasks until the block is left, and winds up."""
        try:
            with trio.CancelScope(shield=True) as shield:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    task_status.started()
                    await self._left.wait()
                    if not self._closed:  # by the block itself, after stop()
                        await self._resume()
                        await self.synchronize()
                        # Both kinds of tasks at once: either may need the other to end.
                        for task in asyncio.all_tasks(self):
                            nursery.start_soon(self._see_off, task)
                    nursery.cancel_scope.cancel()
                self._nursery = None
                if not self._closed:
                    await self._finish(shield)
                self._trio_executor.shutdown()
        finally:
            self._nursery = None
            if self._driving is not None:
                self._driving.stop()

    async def _finish(self, shield: trio.CancelScope) -> None:
        """What is left when the tasks have ended: their orphans, async generators, the last callbacks."""
        for _ in range(PASSES):
            orphans = asyncio.all_tasks(self)
            if not orphans:
                break
            for task in orphans:
                task.cancel()
            for task in orphans:
                await self._see_off(task)
        try:
            if len(getattr(self, "_asyncgens")):  # noqa: B009  # not in the type stubs
                await close_generators(self, shield)
        finally:
            await self.synchronize()

    async def _resume(self) -> None:
        """If the loop was stopped before the end of its block: what it still has to cancel needs it."""
        assert self._outer is not None and self._driving is not None
        if self._driving.stopping:
            await self._stopped.wait()
            self._drive_in(self._outer)

    async def _see_off(self, task: asyncio.Task[Any]) -> None:
        try:
            await run_aio_future(task)
        except asyncio.CancelledError:
            pass  # as it should
        except trio.Cancelled:
            raise
        except BaseException as exc:
            self._errors.append(exc)

    def _failed(self, error: BaseException) -> None:
        """Ends the block with this error."""
        self._errors.append(error)
        if self._outer is not None:
            self._outer.cancel_scope.cancel()

    # asyncio's interface, where it is another inside Trio.

    def run_forever(self) -> None:
        raise RuntimeError(
            "this loop runs as long as its `async with open_loop()` block and cannot be run or restarted:"
            " await in Trio what shall be waited for, with aio_as_trio, or use SyncTrioEventLoop"
        )

    def run_until_complete(self, future: Any) -> Any:
        self.run_forever()

    def stop(self, waiter: trio.Event | None = None) -> trio.Event:  # type: ignore[override]
        """Stops the loop after the callbacks that are ready; returns an event that is set then, `waiter` if
        given.

        Trio tasks that wait for one of its futures get a RuntimeError. At the end of the block its tasks are
        cancelled all the same.
        """
        event = trio.Event() if waiter is None else waiter
        if self._driving is None or self._stopped.is_set():
            event.set()
        else:
            self._stop_events.append(event)
            if not self._left.is_set():  # else it stops by itself, when its tasks have ended
                super().stop()
        return event

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Logs, as asyncio's does, and ends the block with the error."""
        super().default_exception_handler(context)
        if self._outer is None or self._closed:
            return  # nobody left to tell
        error = context.get("exception")
        if error is None:
            error = RuntimeError(context.get("message") or "Unhandled error in event loop")
        self._failed(error)

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> Any:  # type: ignore[override]
        """Runs the job in a Trio worker thread. TypeError for an executor that is no TrioExecutor."""
        self._check_closed()
        if self._debug:
            self._check_callback(func, "run_in_executor")
        if executor is None:
            executor = self._trio_executor
        elif not isinstance(executor, TrioExecutor):
            raise TypeError(f"inside Trio an executor must be None or a TrioExecutor, not {executor!r}")
        return self.trio_as_future(executor.submit, func, *args)

    def set_default_executor(self, executor: Any) -> None:
        """Takes a TrioExecutor. For another one there is a RuntimeWarning, and it is not used."""
        if not isinstance(executor, TrioExecutor):
            warnings.warn(
                f"{executor!r} is not used: inside Trio an executor must be a TrioExecutor",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        self._trio_executor = executor

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Its jobs are Trio tasks, and waited for with those."""
        self._trio_executor.shutdown()
