"""Port: the graph's end of a bridge, bound to one engine at a time.

The node (nodes.py) binds it when it starts and unbinds it when it stops. In between the four callables that
the node gave reach into the engine; afterwards they would crash the process, so they are dropped under the
lock. In realtime the engine is woken by a push, which csp takes from any thread. In simulation it is an
alarm, which only the engine's thread may set: others go through the run's loop (csploop.csp.run).
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any, Callable, Protocol

import csp
from csp.impl.genericpushadapter import GenericPushAdapter
from csp.impl.wiring.runtime import MAX_END_TIME, GraphRunInfo

from csploop.csp._bridges import nodes
from csploop.csp._bridges.calls import BridgeHandle
from csploop.csp._bridges.channel import Channel
from csploop.csp._run import Run, current_run
from csploop.csp._times import AT_ONCE

__all__ = ["BridgeAdapter", "Port", "is_realtime"]


class PortOwner(Protocol):
    """What the port tells its bridge, on the engine's thread."""

    def _graph_started(self) -> None: ...
    def _graph_stopped(self) -> None: ...
    def _run_call(self, handle: BridgeHandle) -> None: ...


def is_realtime(wired: bool | None) -> bool:
    """Whether the engine that starts on this thread is in realtime. wired: what the wiring was told."""
    run = current_run()
    if run is not None:
        return run.realtime
    info = GraphRunInfo.get_cur_run_times_info(raise_if_missing=False)
    if info is not None:
        realtime: bool = info.is_realtime
        return realtime
    if wired is None:
        raise RuntimeError(
            "this graph was built without its times, so a bridge cannot tell realtime from simulation: "
            "give build_graph the times, or run the graph with csploop.csp.run()"
        )
    return wired


def wired_realtime() -> bool | None:
    """What the graph that is being wired is built for; None where that is not known."""
    info = GraphRunInfo.get_cur_run_times_info(raise_if_missing=False)
    return info.is_realtime if info is not None and info.starttime is not None else None


class Port:
    def __init__(self, owner: PortOwner, channel: Channel, typ: Any, name: str) -> None:
        self._owner = owner
        self._channel = channel
        self._type = typ
        self._name = name
        self._lock = threading.RLock()
        self._bound = threading.Condition(self._lock)
        self._wired: bool | None = None
        self._input: Callable[[bool], None] | None = None
        self._live = False
        self._now: Callable[[], datetime] | None = None
        self._again: Callable[[], object] | None = None
        self._schedule: Callable[[Any, BridgeHandle], Any] | None = None
        self._cancel: Callable[[Any], object] | None = None
        self._thread = 0
        self._run: Run | None = None
        self._errands: list[BridgeHandle] = []
        self._last_now: datetime | None = None
        self._waiting = True
        # None until a graph has run.
        self.simulated: bool | None = None
        self.ever_bound = False
        self.stopped = False

    # Wiring.

    def out(self) -> Any:
        """The edge: one a graph, however often it is asked for."""
        self._wired = wired_realtime()
        wake = nodes.bridge_wake(self, push_mode=csp.PushMode.LAST_VALUE)
        return csp.unroll(nodes.bridge_values.using(name=self._name)(self, wake, self._type))

    # Any thread.

    @property
    def live(self) -> bool:
        return self._live

    @property
    def in_engine(self) -> bool:
        """Whether this is the thread of the engine that the port is bound to."""
        return self._live and threading.get_ident() == self._thread

    @property
    def run(self) -> Run | None:
        return self._run

    def now(self) -> datetime | None:
        """The engine's time (naive UTC), exact on its thread, else as of its last cycle here."""
        if self._now is not None and threading.get_ident() == self._thread:
            return self._now()
        return self._last_now

    def wait(self, timeout: float | None) -> bool:
        with self._lock:
            self._waiting = True
            self._bound.wait_for(lambda: self.ever_bound or not self._waiting, timeout)
            return self.ever_bound

    def begin_waits(self) -> None:
        """A new start: only a graph that runs now, or later, counts as bound."""
        with self._lock:
            self.ever_bound = self._live

    def end_waits(self) -> None:
        with self._lock:
            self._waiting = False
            self._bound.notify_all()

    def at(self, when: datetime | timedelta, handle: BridgeHandle) -> None:
        """Runs a call on the engine's thread, in the cycle of that time; at once where it is past."""
        with self._lock:
            if self.in_engine:
                self._schedule_call(handle)
            elif self._live:
                self._signal()
                self._errands.append(handle)

    def drop(self, handle: BridgeHandle) -> None:
        """A cancelled call: where it can be, its alarm is prevented; where it cannot, it does nothing."""
        with self._lock:
            inner, handle._inner = handle._inner, None
            if inner is not None and self.in_engine and self._cancel is not None:
                self._cancel(inner)

    # What the nodes call, on the engine's thread.

    def _input_started(self, push_tick: Callable[[bool], None]) -> None:
        with self._lock:
            if self._live or self._input is not None:
                raise RuntimeError(f"{self._name} is already part of a graph that runs")
            self._input = push_tick

    def _input_stopped(self) -> None:
        self._unbind()
        with self._lock:
            self._input = None

    def _engine_started(
        self,
        now: Callable[[], datetime],
        again: Callable[[], object],
        schedule: Callable[[Any, BridgeHandle], Any],
        cancel: Callable[[Any], object],
    ) -> None:
        simulated = not is_realtime(self._wired)
        with self._lock:
            if self._live:
                raise RuntimeError(f"{self._name} is already part of a graph that runs")
            self.simulated = simulated
            self._now, self._again, self._schedule, self._cancel = now, again, schedule, cancel
            self._thread = threading.get_ident()
            self._run = current_run()
            self._last_now = now()
            self._live = True
            self.stopped = False
        self._owner._graph_started()
        self._channel.bind(self._signal)
        with self._lock:
            self.ever_bound = True
            self._bound.notify_all()

    def _engine_stopped(self) -> None:
        self._unbind()

    def _call_due(self, handle: BridgeHandle) -> None:
        self._note_time()
        handle._inner = None
        self._owner._run_call(handle)

    def _take(self) -> list[Any]:
        self._note_time()
        with self._lock:
            errands, self._errands = self._errands, []
        for handle in errands:
            self._schedule_call(handle)
        return self._channel.take()

    # Inside.

    def _unbind(self) -> None:
        if not self._live:
            return
        self._channel.unbind()
        with self._lock:
            if self._now is not None:
                self._last_now = self._now()
            self._live = False
            self._now = self._again = self._schedule = self._cancel = None
            self._errands = []
            self._run = None
            self.stopped = True
        self._owner._graph_stopped()

    def _note_time(self) -> None:
        if self._now is not None:
            self._last_now = self._now()

    def _schedule_call(self, handle: BridgeHandle) -> None:
        if self._schedule is None or self._now is None or handle.done():
            return
        now = self._now()
        when = handle._when
        delay = when - now if isinstance(when, datetime) else when
        if delay <= MAX_END_TIME - now:  # what is later never comes, and csp has no time for it
            handle._inner = self._schedule(max(delay, AT_ONCE), handle)

    def _signal(self) -> None:
        """Makes the node tick."""
        with self._lock:
            if self._input is None or not self._live or self._again is None:
                return
            if not self.simulated:
                self._input(True)
            elif threading.get_ident() == self._thread:
                self._again()
            elif self._run is not None:
                self._run.in_engine(self._again_in_engine)
            else:
                raise RuntimeError(
                    "in simulation csp takes nothing from other threads: use csploop.csp.run(), "
                    "or push from callbacks of the bridge, which run on the engine's thread"
                )

    def _again_in_engine(self) -> None:
        if self._again is not None:
            self._again()


class BridgeAdapter(GenericPushAdapter):  # type: ignore[misc]  # csp is untyped
    """What a bridge puts into a graph, with the interface of csp's GenericPushAdapter."""

    def __init__(self, port: Port, push: Callable[[Any], bool]) -> None:
        self._port = port
        self._push = push

    def out(self) -> Any:
        """The time series of the bridge's values. In the wiring of a graph."""
        return self._port.out()

    def push_tick(self, value: Any) -> bool:
        return self._push(value)

    def wait_for_start(self, timeout: float | None = None) -> bool:
        return self._port.wait(timeout)

    def started(self) -> bool:
        return self._port.ever_bound

    def stopped(self) -> bool:
        return self._port.stopped
