"""Scheduling: on which clock and thread a bridge's calls and coroutines run.

In realtime that is the bridge's own loop. In simulation it is the engine: what waits for its time moves there
when the graph starts, and the loop for coroutines is the run's.
"""

from __future__ import annotations

import concurrent.futures
import threading
from asyncio import futures
from collections.abc import Coroutine
from contextvars import copy_context
from datetime import datetime, timedelta
from typing import Any, Callable, TypeVar

from csploop.csp._bridges.calls import ENGINE, LOOP, BridgeHandle, Calls
from csploop.csp._bridges.channel import Channel
from csploop.csp._bridges.port import Port
from csploop.csp._loop_thread import LoopThread
from csploop.csp._run import Run
from csploop.csp._times import to_microseconds

__all__ = ["Scheduling"]

T = TypeVar("T")


class Scheduling:
    """The part of a bridge that its graph and its loop talk to. Its lock guards who runs what."""

    def __init__(self, adapter_type: Any, name: str, channel: Channel) -> None:
        self._name = name
        self._channel = channel
        self._port = Port(self, channel, adapter_type, name)
        self._calls = Calls(self._drop_call)
        self._lock = threading.RLock()
        self._thread: LoopThread | None = None
        self._started = False
        self._start_time: datetime | None = None
        self._given_start: datetime | None = None
        # In simulation, coroutines that were given before the graph ran.
        self._early: list[tuple[Coroutine[Any, Any, Any], concurrent.futures.Future[Any]]] = []

    def _require_started(self, what: str) -> None:
        if not self._started:
            raise RuntimeError(f"{what} needs a bridge that is started: call start() of {self._name} first")

    def _in_simulation(self) -> bool:
        return self._port.live and self._port.simulated is True

    def _base(self) -> datetime:
        assert self._start_time is not None
        return self._start_time

    def _new_handle(
        self, when: datetime | timedelta, callback: Callable[..., object], args: tuple[Any, ...]
    ) -> BridgeHandle:
        if not callable(callback):
            raise TypeError(f"a callback must be callable, not {type(callback).__name__}")
        self._require_started("a call")
        return BridgeHandle(self._calls, when, callback, args, copy_context())

    def _call(
        self,
        when: datetime | timedelta,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        offset: timedelta | None = None,
    ) -> BridgeHandle:
        handle = self._new_handle(when, callback, args)
        handle._offset = offset
        with self._lock:
            self._require_started("a call")
            thread = self._thread
            if thread is None or self._in_simulation():
                self._to_engine(handle)
                return handle
            self._calls.add(handle, LOOP)
            if isinstance(when, timedelta) and not when:
                handle._inner = thread.call(self._run_in_loop, handle)
                return handle
            deadline = thread.loop.time() + when.total_seconds() if isinstance(when, timedelta) else when
            if thread.is_current:
                self._arm(thread, handle, deadline)
            else:
                thread.call(self._arm, thread, handle, deadline)
        return handle

    def _to_engine(self, handle: BridgeHandle) -> None:
        self._calls.add(handle, ENGINE)
        try:
            self._port.at(handle._when, handle)
        except BaseException:
            self._calls.cancel(handle)
            raise

    def _arm(self, thread: LoopThread, handle: BridgeHandle, deadline: float | datetime) -> None:
        """On the loop's thread."""
        if handle.done() or handle._home != LOOP:
            return
        if isinstance(deadline, datetime):
            wall_ns = to_microseconds(deadline) * 1000
            handle._inner = thread.loop._call_at_wall(wall_ns, self._run_in_loop, handle)
        else:
            handle._inner = thread.loop.call_at(deadline, self._run_in_loop, handle)

    def _run_in_loop(self, handle: BridgeHandle) -> None:
        self._calls.run(handle, LOOP)

    def _run_call(self, handle: BridgeHandle) -> None:
        self._calls.run(handle, ENGINE)

    def _drop_call(self, handle: BridgeHandle) -> None:
        if handle._home == ENGINE:
            self._port.drop(handle)
            return
        thread = self._thread
        if thread is None:
            return
        try:
            thread.call(self._disarm, handle)
        except RuntimeError:
            if not thread.loop.is_closed():
                raise

    @staticmethod
    def _disarm(handle: BridgeHandle) -> None:
        inner, handle._inner = handle._inner, None
        if inner is not None:
            inner.cancel()

    def _run_simulated(self, coro: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        if self._port.live:
            self._spawn(coro, future)
        else:
            self._early.append((coro, future))
        return future

    def _engine_run(self) -> Run:
        run = self._port.run
        if run is None:
            raise RuntimeError(
                "in simulation coroutines live in engine time, for which csploop.csp.run() must run the graph"
            )
        return run

    def _spawn(self, coro: Coroutine[Any, Any, T], future: concurrent.futures.Future[T]) -> None:
        """Runs it on the run's loop; from any thread. From the engine's, it starts in a following cycle."""
        run = self._engine_run()

        def start() -> None:
            try:
                # As asyncio.run_coroutine_threadsafe, which takes the way of other threads.
                futures._chain_future(run.loop.create_task(coro), future)  # type: ignore[attr-defined]
            except BaseException as exc:
                coro.close()
                future.set_exception(exc)
                raise

        run.in_loop(start)

    def _start_early(self) -> None:
        """The coroutines that waited for the engine."""
        if self._early:
            self._engine_run()
        early, self._early = self._early, []
        for coro, future in early:
            if future.cancelled():
                coro.close()
            else:
                self._spawn(coro, future)

    # What the graph tells.

    def _graph_started(self) -> None:
        """On the engine's thread. In simulation all that waits for its time moves to the engine's clock."""
        port = self._port
        with self._lock:
            if not port.simulated:
                if self._started and self._thread is None:
                    raise RuntimeError(
                        f"{self._name} was started for simulation, and its graph runs in realtime"
                    )
                for handle in self._calls.pending():
                    if handle._home == ENGINE:
                        port.at(handle._when, handle)
                return
            if self._started and self._given_start is None:
                self._start_time = port.now()
            self._start_early()
            for handle in self._calls.move(ENGINE):
                inner = handle._inner
                if inner is not None and self._thread is not None:
                    self._thread.call(inner.cancel)
                handle._inner = None
                if handle._offset is not None:
                    handle._when = self._base() + handle._offset
                port.at(handle._when, handle)

    def _graph_stopped(self) -> None:
        """What the engine was to call and has not reached is dropped."""
        for handle in self._calls.pending():
            if handle._home == ENGINE:
                self._calls.cancel(handle)

    def _close(self) -> None:
        self._port.end_waits()
        self._channel.close()
        self._calls.cancel_all()
        early, self._early = self._early, []
        for coro, future in early:
            coro.close()
            future.cancel()

    def _loop_ends(self) -> None:
        """On the loop's thread, whoever stopped the loop."""
        with self._lock:
            self._started = False
        self._close()
