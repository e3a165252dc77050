"""Graphs for the tests of bridges: what ticks is kept with its time, and ends the run when it is enough."""

from __future__ import annotations

import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import csp
import csploop.csp
from csp import ts

BENCH = Path(__file__).resolve().parents[2] / "bench"
if str(BENCH / "csp") not in sys.path:
    sys.path.append(str(BENCH / "csp"))

LONG = timedelta(seconds=60)
START = datetime(2020, 1, 1)

# csp's libraries open files and start threads of their own at the first use.
csp.run(csp.const(1), starttime=START, endtime=timedelta(1))


@csp.node
def collect(value: ts["T"], seen: object, until: int):  # noqa: F821, UP037
    if csp.ticked(value):
        seen.append((csp.now(), value))
        if len(seen) == until:
            csp.stop_engine()


@csp.node
def once(begin: ts[bool], action: object):
    if csp.ticked(begin):
        action()


@csp.node
def echo(value: ts["T"], bridge: object):  # noqa: F821, UP037
    if csp.ticked(value):
        bridge.emit((csp.now(), value))


class Graph:
    """A graph in realtime that collects a bridge's values, on a thread of its own; joined at the end.

    until: it ends when so many have ticked; 0: when `stop` is called.
    """

    def __init__(self, bridge: Any, until: int = 0, *, ours: bool = False, extra: Any = None) -> None:
        self.seen: list[tuple[datetime, Any]] = []
        self._bridge = bridge
        self._until = until
        self._extra = extra
        self._run_on_thread = csploop.csp.run_on_thread if ours else csp.run_on_thread

    @property
    def values(self) -> list[Any]:
        return [value for _, value in self.seen]

    def __enter__(self) -> Graph:
        def graph() -> None:
            out = self._bridge.adapter.out()
            collect(out, self.seen, self._until)
            if self._extra is not None:
                self._extra(out)

        self._runner = self._run_on_thread(graph, realtime=True, endtime=LONG)
        assert self._bridge.wait_for_adapter(10)
        return self

    def stop(self) -> None:
        self._runner.stop_engine()

    def __exit__(self, kind: Any, *exc_info: object) -> None:
        if kind is not None or not self._until:
            self.stop()
        self._runner.join(suppress=kind is not None)


def simulate(
    bridge: Any, run: Any = csploop.csp.run, *, extra: Any = None, hours: int = 24
) -> list[tuple[timedelta, Any]]:
    """Runs the bridge's values in simulation; what ticked, with its time since START."""
    seen: list[tuple[datetime, Any]] = []

    def graph() -> None:
        out = bridge.adapter.out()
        collect(out, seen, 0)
        if extra is not None:
            extra(out)

    run(graph, starttime=START, endtime=timedelta(hours=hours), realtime=False)
    return [(when - START, value) for when, value in seen]


class Gate:
    """A callback that holds up its thread, the engine's or the loop's, until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, *_: Any) -> None:
        self.reached.set()
        assert self._open.wait(20)

    def open(self) -> None:
        self._open.set()
