"""AsyncAlarm: an alarm that ticks when a coroutine completes.

In a node it is a plain alarm underneath, which the end of the coroutine schedules: `_alarm_parser.py` says
how csp learns of `csp.async_alarm`. Outside of nodes' alarms blocks an AsyncAlarm keeps results until they
are asked for. Owner: the thread that starts it; coroutines run on their loop's.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
from collections.abc import Awaitable
from typing import Any

from csploop._loop.holds import Hold
from csploop.csp._emitter import Emitter
from csploop.csp._futures import LoopFuture, close, submit
from csploop.csp._run import current_run
from csploop.csp._shared_loop import get_async_loop
from csploop.csp._times import AT_ONCE
from csploop.csp._work import Work

__all__ = ["AsyncAlarm", "NodeAlarm", "async_alarm", "schedule_async_alarm"]


class AsyncAlarm:
    """Runs coroutines and keeps their results, in order of completion, until get_result() takes them.

    For code that is not a node, and for nodes that look by themselves. Coroutines run on the loop that
    `get_async_loop()` chooses at the start, or on `loop`.
    """

    def __init__(self, output_type: Any = object, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.output_type = output_type
        self._loop = loop
        self._running: asyncio.AbstractEventLoop | None = None
        self._pending: set[LoopFuture] = set()
        self._results: queue.SimpleQueue[LoopFuture] = queue.SimpleQueue()
        self._value: Any = None
        self._has_value = False

    def start(self) -> None:
        """Chooses the loop. Does nothing when started."""
        if self._running is None:
            self._running = self._loop or get_async_loop()

    def stop(self) -> None:
        """Cancels what is under way and forgets results that nobody took."""
        self._running = None
        for future in list(self._pending):
            future.cancel()
        self._results = queue.SimpleQueue()

    def schedule(self, coro: Awaitable[Any]) -> LoopFuture:
        """Starts the coroutine; the future can cancel it. RuntimeError before start() and after stop()."""
        _check_awaitable(coro)
        if self._running is None:
            close(coro)
            raise RuntimeError("this AsyncAlarm is not started")
        future = submit(self._running, coro)
        self._pending.add(future)
        future.add_done_callback(self._ended)
        return future

    def has_result(self) -> bool:
        """Whether get_result() has something to return or to raise."""
        return not self._results.empty()

    def get_result(self) -> Any:
        """Takes the next result. Raises what the coroutine raised; queue.Empty if there is none."""
        value = self._results.get_nowait().result()
        self._value = value
        self._has_value = True
        return value

    @property
    def value(self) -> Any:
        """The result that get_result() returned last. RuntimeError before the first."""
        if not self._has_value:
            raise RuntimeError("this AsyncAlarm has no value yet")
        return self._value

    def pending_count(self) -> int:
        """How many coroutines are under way."""
        return len(self._pending)

    def _ended(self, future: Any) -> None:
        """On the loop's thread, or on the one that cancels."""
        self._pending.discard(future)
        if not future.cancelled() and self._running is not None:
            self._results.put(future)


def async_alarm(output_type: Any = object, *, loop: asyncio.AbstractEventLoop | None = None) -> AsyncAlarm:
    """In a node's `with csp.alarms():`, after install(), as csp.async_alarm(T): an alarm for coroutines.

    Anywhere else: an AsyncAlarm, started.
    """
    alarm = AsyncAlarm(output_type, loop=loop)
    alarm.start()
    return alarm


def schedule_async_alarm(alarm: Any, coro: Awaitable[Any]) -> LoopFuture:
    """In a node, after install(), as csp.schedule_async_alarm(alarm, coro, on_error=None, loop=None): the
    alarm ticks with the result when the coroutine completes. If it fails, so does the run, or the alarm
    `on_error` ticks with the exception. Returns what can cancel() the coroutine.

    Anywhere else: alarm.schedule(coro).
    """
    if not isinstance(alarm, AsyncAlarm):
        close(coro)
        raise TypeError(f"schedule_async_alarm needs an AsyncAlarm, not {alarm!r}")
    return alarm.schedule(coro)


def _check_awaitable(coro: Any) -> None:
    if not inspect.isawaitable(coro):
        raise TypeError(f"schedule_async_alarm needs a coroutine or another awaitable, not {coro!r}")


class Scheduled:
    """A coroutine that an alarm waits for."""

    def __init__(self, alarm: NodeAlarm) -> None:
        self._alarm = alarm
        self._wanted = True
        self._task: asyncio.Task[Any] | None = None

    def cancel(self) -> None:
        """Cancels the coroutine, and the tick with it, unless that is under way already."""
        self._wanted = False
        self._alarm._cancel(self)

    def done(self) -> bool:
        """Whether the alarm waits for it no more."""
        return self not in self._alarm._scheduled


class NodeAlarm:
    """The async alarm of one node in one run: made when the node starts, by code put into its state block."""

    def __init__(self, name: str, proxy: Any) -> None:
        run = current_run()
        if run is None:
            raise RuntimeError(f"the async alarm {name!r} needs the asyncio loop of csploop.csp.run()")
        self._name = name
        self._run = run
        self._emitter = Emitter(name)
        self._emitter._bind(proxy.schedule_alarm)
        self._works: dict[Any, Work] = {}
        self._scheduled: set[Scheduled] = set()

    def schedule(
        self, coro: Awaitable[Any], on_error: Any = None, loop: asyncio.AbstractEventLoop | None = None
    ) -> Scheduled:
        _check_awaitable(coro)
        scheduled = Scheduled(self)
        try:
            work = self._work(loop)
        except BaseException:
            close(coro)
            raise
        self._scheduled.add(scheduled)
        work.begin(self._wait(scheduled, coro, on_error, work, work.hold()), coro)
        return scheduled

    def pending_count(self) -> int:
        return len(self._scheduled)

    def landed(self) -> None:
        """The node's first act when the alarm has ticked."""
        self._emitter._landed()

    def stop(self) -> None:
        """The node's last act. What it scheduled is cancelled, and nothing can tick any more."""
        self._emitter._unbind()
        for work in self._works.values():
            work.stop()

    def _work(self, loop: asyncio.AbstractEventLoop | None) -> Work:
        work = self._works.get(loop)
        if work is None:
            work = Work("schedule_async_alarm", loop)
            work.start(self._run)
            self._works[loop] = work
        return work

    async def _wait(
        self, scheduled: Scheduled, coro: Awaitable[Any], on_error: Any, work: Work, hold: Hold | None
    ) -> None:
        """On the loop's thread."""
        scheduled._task = asyncio.current_task()
        try:
            if not scheduled._wanted:
                close(coro)
                return
            result = await coro
        except Exception as exc:
            if on_error is None:
                raise
            failure = exc
            self._in_engine(lambda: on_error.schedule_alarm(AT_ONCE, failure))
        else:
            # A node whose start block fails is not stopped: then the engine's end alone tells.
            if scheduled._wanted and self._emitter.live and self._run._live:
                self._emitter.emit(result)
        finally:
            scheduled._task = None
            self._scheduled.discard(scheduled)
            work.release(hold)

    def _in_engine(self, schedule: Any) -> None:
        """An alarm of the node's own has no emitter, but it is good for as long as the node is."""

        def if_live() -> None:
            if self._emitter.live:
                schedule()

        if self._emitter.live:
            self._run.in_engine(if_live)

    def _cancel(self, scheduled: Scheduled) -> None:
        task = scheduled._task
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)
