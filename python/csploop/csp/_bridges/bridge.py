"""AsyncioBridge: a loop in a background thread whose callbacks and coroutines feed a csp graph.

    bridge = AsyncioBridge(float, "prices")
    bridge.start()
    runner = csp.run_on_thread(graph, realtime=True, ...)      # the graph uses bridge.adapter.out()
    bridge.wait_for_adapter()
    bridge.call_later(0.5, bridge.push, 101.25)
    ...
    bridge.stop()

In simulation (realtime=False) engine time takes the place of the clock: what was to be called is called on
the engine's thread, at its engine time, and `push` ticks at that time. An exception in such a call ends the
run, as one in a node does; in realtime it goes to the loop's exception handler.

Threads: all methods are for any thread, but for what they say. Owner of the loop: its thread, until `stop`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Coroutine, Iterable
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from csploop.csp._bridges.calls import BridgeHandle
from csploop.csp._bridges.channel import BridgeStats, Channel
from csploop.csp._bridges.checks import checker
from csploop.csp._bridges.moments import as_utc, span
from csploop.csp._bridges.port import BridgeAdapter
from csploop.csp._bridges.scheduling import Scheduling
from csploop.csp._loop_thread import LoopThread
from csploop.csp._times import AT_ONCE, to_microseconds, utc_now

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AsyncioBridge"]

T = TypeVar("T")

CAPACITY = 65536


class AsyncioBridge(Scheduling):
    """Values and calls from asyncio into a graph.

    adapter_type: what csp type the values have; `push` checks it.
    name: of the node and the thread, for people.
    capacity, overflow: how many values may wait for the engine, and what a push does when so many do: "block"
    waits for room, "fail" raises asyncio.QueueFull, "drop-oldest" makes room.
    keep: values pushed while no graph runs wait for one. Else `push` returns False for them.
    """

    def __init__(
        self,
        adapter_type: Any = object,
        name: str = "asyncio_bridge",
        *,
        capacity: int = CAPACITY,
        overflow: str = "block",
        keep: bool = False,
    ) -> None:
        self._check = checker(adapter_type, name)
        super().__init__(adapter_type, name, Channel(capacity, overflow, keep))
        self._adapter = BridgeAdapter(self._port, self.push)

    # Life.

    @property
    def adapter(self) -> BridgeAdapter:
        """What to wire: `bridge.adapter.out()`. It has the interface of csp's GenericPushAdapter."""
        return self._adapter

    @property
    def is_running(self) -> bool:
        """Whether the bridge is between `start` and `stop`, and its loop has not been stopped by others."""
        return self._started

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that runs callbacks now: the run's in simulation, else the one in the background.

        None before `start` and after `stop`.
        """
        if self._port.live and self._port.simulated:
            run = self._port.run
            return None if run is None else run.loop
        thread = self._thread
        return thread.loop if thread is not None and self._started else None

    def start(self, start_time: datetime | None = None, *, realtime: bool = True) -> None:
        """Starts the loop in its thread, and returns when it runs. RuntimeError when it is started already.

        start_time: what `call_at_offset` and `elapsed_since_start` count from (naive times are UTC). Default:
        now; in simulation, when the engine's time begins.
        realtime: False says beforehand that the graph will run in simulation. Then there is no thread, and
        all calls and coroutines wait for the engine, whose time may lie in the past. Without that word, those
        move to the engine that were not due before it started.
        """
        if start_time is not None:
            start_time = as_utc(start_time, "start_time")
        with self._lock:
            if self._started:
                raise RuntimeError(f"{self._name} is started already")
            if self._thread is not None and self._thread.is_alive:
                raise RuntimeError(f"{self._name} has not ended: call stop() again, to wait for its thread")
            self._given_start = start_time
            self._start_time = start_time if start_time is not None else utc_now()
            self._channel.reopen()
            self._port.begin_waits()
            self._thread = None
            if realtime:
                thread = LoopThread(self._name, self._loop_ends)
                thread.start()
                self._thread = thread
            self._started = True

    def stop(self, timeout: float | None = 5.0) -> None:
        """Ends the loop: cancels its coroutines and waits for them, drops calls that wait for their time.

        Not started, or stopped: nothing happens. From a callback of the loop it only asks; the loop ends when
        that callback returns. TimeoutError if the thread is still busy after timeout seconds, with a callback
        that does not return or a coroutine that resists; a later stop() waits again. Pushes are refused from
        here on, and what the engine has not taken is dropped and counted.
        """
        with self._lock:
            thread = self._thread
            self._started = False
        self._close()
        if thread is None:
            return
        thread.ask_to_stop()
        if not thread.join(timeout) and not thread.is_current:
            raise TimeoutError(f"{self._name} is still busy after {timeout} s")
        if not thread.is_alive:
            with self._lock:
                if self._thread is thread:
                    self._thread = None

    def __enter__(self) -> Self:
        if not self._started:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    # Values.

    def push(self, value: Any) -> bool:
        """Makes a value tick in the graph, in a cycle of its own. False, and not taken: no graph runs.

        From any thread; in simulation, from the engine's thread, or from others when csploop.csp.run() runs
        the graph. TypeError for a value of another type. A full bridge does what its policy says;
        RuntimeError instead of waiting for room on the engine's own thread.
        """
        if self._check is not None:
            self._check(value)
        return self._channel.push(value)

    def push_many(self, values: Iterable[Any]) -> int:
        """Pushes many values for little more than the price of one. How many were taken: the first ones.

        Nothing is taken if one of them has the wrong type. With "fail", what has no room is not taken.
        """
        many = values if isinstance(values, (list, tuple)) else list(values)
        if self._check is not None:
            for value in many:
                self._check(value)
        return self._channel.push_many(many)

    async def send(self, value: Any) -> bool:
        """As `push`, but a coroutine that waits for room without blocking its loop, whatever the policy."""
        if self._check is not None:
            self._check(value)
        while (taken := self._channel.offer(value)) is None:
            await self._channel.wait_for_room()
        return taken

    async def drain(self) -> None:
        """Back-pressure after pushes: waits, while the bridge is full, until half of it is free."""
        await self._channel.wait_for_room()

    def stats(self) -> BridgeStats:
        """What has become of all values since the bridge was made."""
        return self._channel.stats()

    def wait_for_adapter(self, timeout: float | None = None) -> bool:
        """Whether a graph has taken the adapter in since `start`; waits for it (seconds; None: for ever).

        Also True when that graph has ended since. `stop` ends the wait.
        """
        return self._port.wait(timeout)

    # Calls.

    def call_soon(self, callback: Callable[..., object], *args: Any) -> BridgeHandle:
        """Calls it soon, in the order of the calls."""
        return self._call(AT_ONCE, callback, args)

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> BridgeHandle:
        """Calls it after a delay (seconds). In realtime a length of time, which no change of the clock
        alters.

        ValueError for a negative delay or none that is a number; one beyond csp's times never comes.
        """
        return self._call(span(delay), callback, args)

    def call_at(self, when: datetime, callback: Callable[..., object], *args: Any) -> BridgeHandle:
        """Calls it at a time (naive: UTC), at once if that is past. In realtime it follows every change of
        the wall clock; in simulation it is engine time."""
        return self._call(as_utc(when, "when"), callback, args)

    def call_at_offset(self, offset: timedelta, callback: Callable[..., object], *args: Any) -> BridgeHandle:
        """As `call_at`, that long after the start time. ValueError for a negative offset."""
        if not isinstance(offset, timedelta):
            raise TypeError(f"an offset is a timedelta, not {type(offset).__name__}")
        if offset < AT_ONCE:
            raise ValueError(f"an offset cannot be negative: {offset}")
        self._require_started("call_at_offset()")
        return self._call(self._base() + offset, callback, args, offset=offset)

    def call_at_engine(self, when: datetime, callback: Callable[..., object], *args: Any) -> BridgeHandle:
        """Calls it on the engine's thread, in the cycle whose csp.now() is `when` (naive: UTC); in the next
        one if that is past. Before the graph runs, it waits for it. An exception in it ends the run."""
        handle = self._new_handle(as_utc(when, "when"), callback, args)
        self._to_engine(handle)
        return handle

    def run_coroutine(self, coro: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Runs a coroutine on the loop; its result is the future's, for any other thread to wait for.

        In simulation it lives in engine time, for which csploop.csp.run() must run the graph.
        """
        if not asyncio.iscoroutine(coro):
            raise TypeError(f"a coroutine is required, not {type(coro).__name__}")
        try:
            with self._lock:
                self._require_started("run_coroutine()")
                if self._thread is None or self._in_simulation():
                    return self._run_simulated(coro)
                return asyncio.run_coroutine_threadsafe(coro, self._thread.loop)
        except BaseException:
            coro.close()
            raise

    # Time.

    def now(self) -> datetime:
        """The engine's time, naive UTC as csp.now(). In realtime, off the engine's thread, that is the wall
        clock; after a simulation its last time."""
        port = self._port
        if port.in_engine or port.simulated:
            now = port.now()
            if now is not None:
                return now
        return utc_now()

    def time(self) -> float:
        """The same in seconds since the epoch."""
        if self._port.simulated:
            return to_microseconds(self.now()) / 1e6
        return time.time()

    def elapsed_since_start(self) -> timedelta:
        """From the start time to now; zero before the first `start`."""
        if self._start_time is None:
            return timedelta()
        return self.now() - self._base()
