"""Run: one run of a csp graph with an asyncio loop, as nodes, adapters and coroutines see it.

`current_run()` is the present thread's run: while its graph is built, in every node, and in every callback
and coroutine of its loop, until all its tasks have ended. What adapters build on:

    run = current_run()           Run, or None outside of one; ask in a node's start block, not in the wiring,
                                  because a graph that was built before runs later
    run.loop                      the asyncio loop. Between a node's start and stop it runs
    run.on_thread                 False: the loop shares the engine's thread. True: it has its own
    run.realtime                  False in simulation, where loop.time() is engine time
    run.now()                     the engine's time, as csp.now(), where csp's own is not to be had
    run.create_task(coro)         a task of the run, from the engine's thread or the loop's: its exception
                                  fails the run; it is cancelled and awaited when the graph has stopped
    run.cancel_task(task)         cancels one of them early, once: its clean-up is not interrupted at the end
    run.in_loop(callback, *args)  calls it on the loop's thread; at once in the order of the loop's callbacks
    run.in_engine(callback)       calls it on the engine's thread, in a cycle; from the loop's thread or any
    run.fail(exc)                 ends the run with that exception, as if a node had raised it
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
from asyncio.log import logger
from collections import deque
from collections.abc import Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable

from csploop._loop.simulated import SimulatedLoop

if TYPE_CHECKING:
    from csploop._loop.base import Loop

__all__ = ["Run", "current_run", "get_csp_asyncio_loop", "hold", "is_csp_asyncio_mode", "now", "stop_engine"]


class _Present(threading.local):
    run: Run | None = None


_present = _Present()


def current_run() -> Run | None:
    """The run that this thread is in, the innermost one where runs are nested."""
    return _present.run


def set_current_run(run: Run | None) -> Run | None:
    """Makes it this thread's run; returns the one before."""
    previous = _present.run
    _present.run = run
    return previous


def is_csp_asyncio_mode() -> bool:
    """Whether this thread is in a run of csploop.csp whose loop shares the engine's thread."""
    run = _present.run
    return run is not None and not run.on_thread


def get_csp_asyncio_loop() -> Loop | None:
    """The loop of the run that this thread is in, None outside of one."""
    run = _present.run
    return None if run is None else run.loop


def _required(what: str) -> Run:
    run = _present.run
    if run is None:
        raise RuntimeError(f"csploop.csp.{what}() is for nodes and coroutines of a run of csploop.csp.run()")
    return run


def now() -> datetime:
    """Engine time (naive UTC, as csp.now()), for coroutines and callbacks. RuntimeError outside of a run."""
    return _required("now").now()


def stop_engine() -> None:
    """Ends the run, from coroutines; values emitted before tick first. RuntimeError outside of a run."""
    _required("stop_engine").stop_engine()


class hold:  # used as a function, in `with` and `async with`
    """Engine time stands still in this block of a coroutine or callback, in simulation. In realtime: nothing.

    For real work that a loop cannot see, such as an answer that is awaited on a connection. `what` names it in
    the TimeoutError that comes when it takes longer than the run's io_timeout.
    """

    def __init__(self, what: str = "csploop.csp.hold()") -> None:
        self._what = what
        self._hold: Any = None

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, SimulatedLoop):
            self._hold = loop.hold(self._what).enter()

    def __exit__(self, *exc_info: object) -> None:
        held, self._hold = self._hold, None
        if held is not None:
            held.release()

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__(*exc_info)


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
        # Values that emitters have sent off and that have not ticked yet.
        self._flying = 0
        self._ended = False
        self._errands: deque[Callable[[], object]] = deque()
        self._stop_callbacks: list[Callable[[], Any]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
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
        self._wake_engine()

    def stop_engine(self) -> None:
        self._stop_wanted = True
        self._wake_engine()

    def on_stop(self, callback: Callable[[], Any]) -> None:
        self._stop_callbacks.append(callback)

    # For drivers.

    def _wake_engine(self) -> None:
        """Makes the pump tick. Any thread."""
        raise NotImplementedError

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
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if self._stop_wanted and self._engine_stop is not None:
            if self._flying > 0:
                self._wake_engine()
            else:
                self._engine_stop()

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._cancelled.discard(task)
        if not task.cancelled():
            exc = task.exception()
            if exc is not None:
                self.fail(exc)

    def _raise_failure(self, other: BaseException | None) -> None:
        """At the very end: what failed and has not been raised yet. One exception can leave the run."""
        failure, self._failure = self._failure, None
        if failure is None:
            return
        if other is None:
            raise failure
        logger.error("csploop.csp.run() ended with %r, and there was one more", other, exc_info=failure)

    def _loop_stopped(self) -> None:
        """What the loop's stop() means."""
        raise RuntimeError("the loop of a csp run ends with the graph: csploop.csp.stop_engine() ends both")

    def _on_engine_thread(self) -> bool:
        return threading.get_ident() == self._thread

    def _raise_interrupt(self, ended_by: BaseException | None) -> None:
        """Raises KeyboardInterrupt where Ctrl-C ended the engine and csp does not say so.

        It then returns None and drops the exception; or it goes on with the exception set but not raised, of
        which the next call into C complains.
        """
        gate = self.loop._signal_gate
        if isinstance(ended_by, SystemError) and isinstance(ended_by.__cause__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        if (
            ended_by is None
            and gate is not None
            and signal.SIGINT in gate.seen
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            raise KeyboardInterrupt

    def _finish(self) -> None:
        """When the graph has stopped, with the loop free to run by itself: ends all that is in the loop."""
        loop = self.loop
        try:
            loop.run_until_complete(self._wind_up())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            self._ended = True
            self._errands.clear()

    async def _wind_up(self) -> None:
        await self._call_stop_callbacks()
        me = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not me]
        mine = set(self._tasks)
        for task in tasks:
            if task not in self._cancelled:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and task.exception() is not None and task not in mine:
                self.loop.call_exception_handler(
                    {
                        "message": "unhandled exception at the end of csploop.csp.run()",
                        "exception": task.exception(),
                        "task": task,
                    }
                )

    async def _call_stop_callbacks(self) -> None:
        while self._stop_callbacks:
            callback = self._stop_callbacks.pop()
            try:
                result = callback()
                if inspect.isawaitable(result):
                    await result
            except Exception as exc:
                self.fail(exc)
