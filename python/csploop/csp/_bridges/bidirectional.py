"""BidirectionalBridge: an AsyncioBridge that also brings events from csp nodes back to asyncio."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from typing import Any, Callable

from csploop.csp._bridges.bridge import CAPACITY, AsyncioBridge
from csploop.csp._times import AT_ONCE

__all__ = ["BidirectionalBridge"]


class BidirectionalBridge(AsyncioBridge):
    """emit() in a node calls each on_event() callback on the loop, in the order of the emits.

    In simulation callbacks run on the engine's thread, in the following cycle, at the same engine time.
    """

    def __init__(
        self,
        adapter_type: Any = object,
        name: str = "bidi_bridge",
        *,
        capacity: int = CAPACITY,
        overflow: str = "block",
        keep: bool = False,
    ) -> None:
        super().__init__(adapter_type, name, capacity=capacity, overflow=overflow, keep=keep)
        self._callbacks: list[Callable[[Any], object]] = []
        self._events: deque[Any] = deque()
        self._announced = False
        self._event_tasks: set[asyncio.Task[Any]] = set()

    def on_event(self, callback: Callable[[Any], object]) -> None:
        """Calls it with each event from now on; a coroutine function becomes a task. Twice: called twice."""
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {type(callback).__name__}")
        with self._lock:
            self._callbacks = [*self._callbacks, callback]

    def off_event(self, callback: Callable[[Any], object]) -> bool:
        """Calls it no more, also with events that are on their way. Whether it was registered."""
        with self._lock:
            left = list(self._callbacks)
            try:
                left.remove(callback)
            except ValueError:
                return False
            self._callbacks = left
            return True

    def emit(self, value: Any) -> bool:
        """Sends an event to asyncio; for nodes, and for any thread. False: the bridge has been stopped.

        RuntimeError before the first `start`. It never waits; events on their way are not bounded.
        """
        if self._start_time is None:
            raise RuntimeError(f"emit() needs a bridge that is started: call start() of {self._name} first")
        with self._lock:
            if not self._started:
                return False
            self._events.append(value)
            if not self._announced:
                self._announced = True
                try:
                    self._announce()
                except BaseException:
                    self._announced = False
                    self._events.pop()
                    raise
        return True

    def _announce(self) -> None:
        thread = self._thread
        if thread is not None and not self._in_simulation():
            thread.call(self._deliver)
        else:
            # One cycle for all that is emitted until then.
            self._call(AT_ONCE, self._deliver, ())

    def _take_events(self) -> list[Any]:
        with self._lock:
            events = list(self._events)
            self._events.clear()
            self._announced = False
        return events

    def _deliver(self) -> None:
        for event in self._take_events():
            for callback in self._callbacks:
                if callback in self._callbacks:  # one before may have taken it off
                    self._deliver_one(callback, event)

    def _deliver_one(self, callback: Callable[[Any], object], event: Any) -> None:
        if self._in_simulation():
            result = callback(event)  # what it raises ends the run
            if inspect.iscoroutine(result):
                self._engine_run().in_loop(self._start_task, result)
            return
        loop = asyncio.get_running_loop()
        try:
            result = callback(event)
        except Exception as exc:
            loop.call_exception_handler(
                {"message": f"an event callback of {self._name} failed: {callback!r}", "exception": exc}
            )
            return
        if inspect.iscoroutine(result):
            self._start_task(result)

    def _start_task(self, coro: Any) -> None:
        """On the loop that runs it."""
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(coro)
        self._event_tasks.add(task)
        task.add_done_callback(self._event_tasks.discard)

    def _graph_stopped(self) -> None:
        """Events of a simulation's last cycle, for which there is no following one, are delivered now.

        Coroutines have no time left: they end unstarted, as those that are cancelled at the end of a run.
        """
        super()._graph_stopped()
        if not self._port.simulated:
            return
        for event in self._take_events():
            for callback in self._callbacks:
                result = callback(event)
                if inspect.iscoroutine(result):
                    result.close()

    def _close(self) -> None:
        super()._close()
        self._take_events()
