"""Work and Outlet: the two ends of an async adapter. Work holds its coroutines, an Outlet makes values tick.

Coroutines run on the run's loop, or on a loop of another thread that the user named. Where the loop shares
the engine's thread nothing is in between: a value is an alarm at once. From another thread values collect in
the outlet until the engine comes for them, and whoever can wait does so when there are many.

Owner of both: the engine's thread, but for what says that it belongs to the loop's.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections import deque
from collections.abc import Coroutine
from typing import Any, Callable

from csploop._loop.holds import Hold
from csploop.csp._emitter import Emitter, emitted
from csploop.csp._futures import LoopFuture, close, submit
from csploop.csp._run import Run
from csploop.csp._shared_loop import runs_on_this_thread

__all__ = ["Outlet", "Work"]

# Values of one outlet on their way between two threads, above which its coroutine waits.
WINDOW = 256
# How often a wait for a loop of others looks whether that loop still turns, in seconds.
PATIENCE = 0.5


class Work:
    """The coroutines of one adapter in one run. They may begin between `start()` and `stop()`."""

    def __init__(self, what: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.what = what
        self.run: Run | None = None
        self.loop: Any = None
        self.same_thread = False
        self._named_loop = loop
        self._foreign = False
        self._stopped = True
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ending: LoopFuture | None = None
        self._holds: set[Hold] = set()

    def start(self, run: Run) -> None:
        """RuntimeError when the loop that was named cannot run the coroutines."""
        self.run = run
        loop = self._named_loop
        self._foreign = loop is not None and loop is not run.loop
        self.loop = loop if self._foreign else run.loop
        if self._foreign:
            assert loop is not None
            self._check(loop)
            run.on_stop(self._join)
        self.same_thread = not self._foreign and not run.on_thread
        self._stopped = False
        self._tasks = set()
        self._ending = None
        self._holds = set()

    def hold(self, *, later: bool = False) -> Hold | None:
        """In simulation with a loop of another thread: engine time stands still until release().

        later: the caller is to enter() it.
        """
        assert self.run is not None
        if not self._foreign or self.run.realtime:
            return None
        loop: Any = self.run.loop
        hold: Hold = loop.hold(f"a coroutine of {self.what} on a loop of another thread")
        self._holds.add(hold)
        if not later:
            self.enter(hold)
        return hold

    def enter(self, hold: Hold) -> None:
        """On the engine's thread."""
        assert self.run is not None
        hold.enter()
        # Only a tick of the pump at this time waits for it.
        self.run._wake_engine()

    def release(self, hold: Hold | None) -> None:
        """Any thread."""
        if hold is not None:
            self._holds.discard(hold)
            hold.release()

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        if runs_on_this_thread(loop):
            raise RuntimeError(
                f"{self.what}: the loop it was given runs on this thread and waits for the graph to end. "
                "Leave out loop=: the graph has a loop on this thread"
            )
        if not loop.is_running():
            raise RuntimeError(f"{self.what}: the loop it was given does not run")

    def begin(self, coro: Coroutine[Any, Any, Any], source: Any = None) -> None:
        """Starts it. If it fails, so does the run; when the node stops, it is cancelled.

        source: the user's coroutine that it awaits, closed if that does not come to begin.
        """
        if self.same_thread:
            self.begin_here(coro, source)
        else:
            try:
                self.post(self.begin_here, coro, source)
            except RuntimeError:
                coro.close()
                close(source)
                raise

    def post(self, callback: Callable[..., object], *args: Any) -> None:
        """Calls it on the loop's thread. RuntimeError if that loop is closed."""
        assert self.run is not None
        if self._foreign:
            self.loop.call_soon_threadsafe(callback, *args)
        else:
            self.run.in_loop(callback, *args)

    def stop(self) -> None:
        """Cancels all; the run awaits their end before it returns."""
        if self._stopped:
            return
        self._stopped = True
        if self.same_thread:
            self._cancel()
        elif self._foreign:
            with contextlib.suppress(RuntimeError):  # closed meanwhile, and what ran on it with it
                self._ending = submit(self.loop, self._end_all())
        else:
            with contextlib.suppress(RuntimeError):  # as above
                self.post(self._cancel)

    # On the loop's thread.

    def begin_here(self, coro: Coroutine[Any, Any, Any], source: Any = None) -> None:
        """begin(), for those who are on the loop's thread already."""
        assert self.run is not None
        if self._stopped:
            coro.close()
            close(source)
            return
        run, loop = self.run, self.loop
        task = loop.create_task(self._reported(coro)) if self._foreign else run.create_task(coro)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Cancelled before its first step, it has not come to what it awaits.
        task.add_done_callback(lambda _: close(coro))
        task.add_done_callback(lambda _: close(source))

    async def _reported(self, coro: Coroutine[Any, Any, Any]) -> None:
        assert self.run is not None
        try:
            await coro
        except Exception as exc:
            self.run.fail(exc)

    def _cancel(self) -> None:
        assert self.run is not None
        for task in list(self._tasks):
            if self._foreign:
                task.cancel()
            else:
                self.run.cancel_task(task)

    async def _end_all(self) -> None:
        self._cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _join(self) -> None:
        """When the graph has stopped: waits for a loop of others to end what was cancelled."""
        while self._ending is not None and self.loop.is_running():
            try:
                self._ending.result(PATIENCE)
                break
            except (concurrent.futures.TimeoutError, TimeoutError):
                continue
        # Of coroutines that were cancelled before they began.
        for hold in list(self._holds):
            self.release(hold)


class Outlet:
    """An edge, and the way to it for one adapter's coroutines. Made in the wiring."""

    def __init__(
        self,
        work: Work,
        name: str,
        typ: Any,
        *,
        on_start: Callable[[Run], object] | None = None,
        on_stop: Callable[[], object] | None = None,
    ) -> None:
        self._work = work
        self._start_adapter = on_start
        self._stop_adapter = on_stop
        self._emitter = Emitter(name, on_start=self._started, on_stop=self._stopped)
        # Used by other threads only.
        self._values: deque[Any] = deque()
        self._called = False
        self._room: asyncio.Event | None = None
        self._next_hold: Hold | None = None
        self.edge = emitted(self._emitter, typ)

    def _started(self, run: Run) -> None:
        self._values.clear()
        self._called = False
        self._room = self._next_hold = None
        if self._start_adapter is not None:
            self._start_adapter(run)

    def _stopped(self) -> None:
        if self._stop_adapter is not None:
            self._stop_adapter()

    # On the loop's thread.

    def send(self, value: Any) -> None:
        """Makes the value tick, in a cycle of its own; values after the node's stop are dropped."""
        if not self._emitter.live:
            return
        if self._work.same_thread:
            self._emitter.emit(value)
            return
        self._values.append(value)
        if not self._called:
            self._called = True
            assert self._work.run is not None
            self._work.run.in_engine(self._collect)

    def report(self, exc: BaseException) -> None:
        """Makes an exception tick. It fails the run if it cannot: the graph has no use for this edge, and csp
        has left it out, or the graph has stopped."""
        run = self._work.run
        assert run is not None
        if self._work.same_thread:
            self._report(exc)
        else:
            # Where it is known which nodes have started.
            run.in_engine(lambda: self._report(exc))

    async def put(self, value: Any, hold: Hold | None = None) -> Hold | None:
        """send(), and a wait: until it has ticked, or from another thread while many are on the way.

        hold: the caller's, let go meanwhile. Returns the one that it has afterwards.
        """
        if self._work.same_thread:
            if self._emitter.live:
                await self._emitter.tick(value)
            return None
        if hold is not None:
            # Engine time may move only when the engine has come; it holds it again before it lets us go on.
            self._room = room = asyncio.Event()
            self._next_hold = following = self._work.hold(later=True)
            self.send(value)
            self._work.release(hold)
            await room.wait()
            return following
        self.send(value)
        if len(self._values) + self._emitter.flying >= WINDOW and self._work.run is not None:
            self._room = room = asyncio.Event()
            self._work.run.in_engine(self._collect)
            await room.wait()
        return None

    # On the engine's thread.

    def _collect(self) -> None:
        self._called = False
        values = self._values
        while values and self._emitter.live:
            self._emitter.emit(values.popleft())
        if self._room is None:
            return
        if self._emitter.flying and self._emitter.live:
            self._emitter.when_ticked(self._go_on)
        else:
            self._go_on()

    def _report(self, exc: BaseException) -> None:
        if self._emitter.live:
            self._emitter.emit(exc)
        else:
            assert self._work.run is not None
            self._work.run.fail(exc)

    def _go_on(self) -> None:
        room, self._room = self._room, None
        if self._next_hold is not None:
            self._work.enter(self._next_hold)
        if room is not None:
            self._work.post(room.set)
