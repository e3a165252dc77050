"""Run: one run of a csp graph with an asyncio loop, as nodes, adapters and coroutines see it.

`current_run()` is the present thread's run: while its graph is built, in every node, and in every callback
and coroutine of its loop, until all its tasks have ended. Where several share a loop it is the run that the
coroutine or callback comes from. What adapters build on:

    run = current_run()           Run, or None outside of one; ask in a node's start block, not in the wiring,
                                  because a graph that was built before runs later
    run.loop                      the asyncio loop. Between a node's start and stop it runs
    run.on_thread                 False: the loop shares the engine's thread. True: it has its own, and others
                                  may use it, too
    run.realtime                  False in simulation, where loop.time() is engine time
    run.now()                     the engine's time, as csp.now(), where csp's own is not to be had
    run.create_task(coro)         a task of the run, from the engine's thread or the loop's: its exception
                                  fails the run; it is cancelled and awaited when the graph has stopped
    run.adopt_task(task)          another task of its loop to cancel and to await when the graph has stopped
    run.cancel_task(task)         cancels one of them early, once: its clean-up is not interrupted at the end
    run.in_loop(callback, *args)  calls it on the loop's thread; at once in the order of the loop's callbacks
    run.in_engine(callback)       calls it on the engine's thread, in a cycle; from the loop's thread or any
    run.fail(exc)                 ends the run with that exception, as if a node had raised it; what was
                                  emitted before ticks first
    run.stop_engine()             ends the run as csp.stop_engine() does; what was emitted before ticks first
    run.on_stop(callback)         called when the graph has stopped, last first, before tasks are cancelled;
                                  an awaitable that it returns is awaited
    Emitter, emitted              (_emitter.py) an edge and what makes values tick on it

A driver (_realtime.py, _simulation.py, _background.py) completes a Run: it says how the loop turns. Owner:
the engine's thread. From other threads only `fail`, `stop_engine`, `in_loop`, `in_engine` may be called.
"""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from asyncio import events
from asyncio.log import logger
from collections import deque
from collections.abc import Coroutine
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable

from csploop._loop.ending import await_ends
from csploop.csp._interrupt import Interrupts

if TYPE_CHECKING:
    from csploop._loop.base import Loop

__all__ = ["Run", "current_run", "run_of_context", "set_current_run"]


class _Present(threading.local):
    run: Run | None = None


_present = _Present()

# The run that a coroutine or callback belongs to, on a loop that is not its run's alone.
run_of_context: ContextVar[Run | None] = ContextVar("csploop_run", default=None)


def current_run() -> Run | None:
    """The run that this thread or coroutine is in, the innermost one where runs are nested."""
    run = _present.run
    if run is not None:
        return run
    run = run_of_context.get()
    # A context goes further than its run: into threads of an executor, and on when the run has ended.
    if run is not None and not run._ended and run.loop is events._get_running_loop():
        return run
    return None


def set_current_run(run: Run | None) -> Run | None:
    """Makes it this thread's run; returns the one before."""
    previous = _present.run
    _present.run = run
    return previous


class Run:
    """What the kinds of runs have in common."""

    realtime = True
    on_thread = False

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._thread = threading.get_ident()
        # From the start of the pump's node to its stop. The four callables below reach into the engine and
        # must not be called outside of that time: the node is gone then, and so may the process be.
        self._live = False
        self._engine_now: Callable[[], datetime] | None = None
        self._engine_stop: Callable[[], None] | None = None
        self._last_now: datetime | None = None
        self._failure: BaseException | None = None
        self._stop_wanted = False
        # Values that emitters have sent off, before stop_engine(), and that have not ticked yet.
        self._flying = 0
        self._ended = False
        self._interrupts = Interrupts()
        # Whether the run is in a task of an outer loop.
        self._nested = False
        self._errands: deque[Callable[[], object]] = deque()
        self._stop_callbacks: list[Callable[[], Any]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._adopted: set[asyncio.Task[Any]] = set()
        self._cancelled: set[asyncio.Task[Any]] = set()

    # For adapters, bridges and coroutines.

    def now(self) -> datetime:
        if self._live and self._engine_now is not None and self._on_engine_thread():
            return self._engine_now()
        if self._last_now is None:
            raise RuntimeError("the engine has not started: it has no time yet")
        return self._last_now

    def create_task(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None) -> asyncio.Task[Any]:
        task = self.loop.create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def adopt_task(self, task: asyncio.Task[Any]) -> None:
        self._adopted.add(task)
        task.add_done_callback(self._adopted.discard)

    def cancel_task(self, task: asyncio.Task[Any]) -> None:
        """On the loop's thread."""
        if task in self._tasks:
            self._cancelled.add(task)
            task.cancel()

    def in_loop(self, callback: Callable[..., object], *args: Any) -> None:
        if self._on_engine_thread() and not self.on_thread:
            self.loop.call_soon(callback, *args)
        else:
            self.loop.call_soon_threadsafe(callback, *args)

    def in_engine(self, callback: Callable[[], object]) -> None:
        if self._ended:
            raise RuntimeError("this run of csp has ended")
        self._errands.append(callback)
        self._wake_engine()

    def fail(self, exc: BaseException) -> None:
        if self._failure is None:
            self._failure = exc
        self.stop_engine()

    def stop_engine(self) -> None:
        if self._on_engine_thread():
            self._want_stop()
        else:
            # Behind the values that this thread has sent before.
            self._errands.append(self._want_stop)
        self._wake_engine()

    def _want_stop(self) -> None:
        self._stop_wanted = True

    def on_stop(self, callback: Callable[[], Any]) -> None:
        self._stop_callbacks.append(callback)

    # For drivers.

    def _wake_engine(self) -> None:
        """Makes the pump tick. Any thread."""
        raise NotImplementedError

    def _kick(self) -> None:
        """The graph, or a dynamic sub-graph, has started. Engine's thread."""

    def _engine_started(self, now: Callable[[], datetime], stop: Callable[[], None]) -> None:
        self._engine_now = now
        self._engine_stop = stop
        self._last_now = now()
        self._live = True

    def _engine_stopped(self) -> None:
        if self._engine_now is not None:
            self._last_now = self._engine_now()
        self._live = False
        self._engine_now = self._engine_stop = None

    def _do_errands(self) -> None:
        """Inside the pump's node: what coroutines and other threads want of the engine."""
        errands = self._errands
        while errands:
            errands.popleft()()
        if self._stop_wanted and self._engine_stop is not None:
            if self._flying > 0:
                self._wake_engine()
            elif self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            else:
                self._engine_stop()

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._cancelled.discard(task)
        if not task.cancelled():
            exc = task.exception()
            # Others, such as KeyboardInterrupt, leave the loop by themselves.
            if isinstance(exc, Exception):
                self.fail(exc)

    def _raise_failure(self, other: BaseException | None) -> None:
        """At the very end: what failed and has not been raised yet. One exception can leave the run."""
        failure, self._failure = self._failure, None
        if failure is None:
            return
        if other is None:
            raise failure
        logger.error("csploop.csp.run() ended with %r, and there was one more", other, exc_info=failure)

    def _on_engine_thread(self) -> bool:
        return threading.get_ident() == self._thread

    def _note_signals(self, seen: set[int]) -> None:
        """In the pump, after Python's handlers have run."""
        if self._interrupts.interrupted:
            raise KeyboardInterrupt
        if seen:
            # An outer Runner has only cancelled its main task, which waits for this run to end.
            if signal.SIGINT in seen and self._nested and self._engine_stop is not None:
                self._engine_stop()
            seen.clear()

    def _raise_interrupt(self, ended_by: BaseException | None) -> None:
        """Where Ctrl-C ended the engine csp itself only returns None."""
        if ended_by is None and self._interrupts.interrupted:
            raise KeyboardInterrupt

    async def _wind_up(self, everything: bool) -> None:
        """When the graph has stopped: ends the run's tasks, or all tasks of the loop, and awaits them."""
        await self._call_stop_callbacks()
        mine = set(self._tasks)
        me = asyncio.current_task()
        ending = asyncio.all_tasks() if everything else mine | self._adopted
        tasks = [task for task in ending if task is not me]
        for task in tasks:
            if task not in self._cancelled:
                task.cancel()
        await await_ends(tasks, "unhandled exception at the end of csploop.csp.run()", known=mine)
        if everything:
            await self.loop.shutdown_asyncgens()
            await self.loop.shutdown_default_executor()

    async def _call_stop_callbacks(self) -> None:
        while self._stop_callbacks:
            callback = self._stop_callbacks.pop()
            try:
                result = callback()
                if inspect.isawaitable(result):
                    await result
            except Exception as exc:
                self.fail(exc)
