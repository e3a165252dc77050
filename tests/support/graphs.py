"""Small graphs around coroutines, for tests/with_csp."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Callable

import csp
from csploop.csp import _running
from csploop.csp._emitter import Emitter, emitted
from csploop.csp._run import Run

START = datetime(2024, 1, 1)
REALTIME = {"realtime": True, "endtime": timedelta(seconds=60)}
SIMULATED = {"starttime": START, "endtime": timedelta(days=400)}


def fed_by(feed: Callable[[Run, Emitter], Any], typ: Any = object) -> Callable[[], Any]:
    """A graph with one output: what the coroutine function `feed(run, emitter)` emits."""

    def graph() -> Any:
        emitter = Emitter("fed", on_start=lambda run: run.create_task(feed(run, emitter)))
        return emitted(emitter, typ)

    return graph


def run_feed(feed: Callable[[Run, Emitter], Any], typ: Any = object, **settings: Any) -> list[Any]:
    """Runs such a graph and returns its ticks, (time, value)."""
    ticks: list[Any] = _running.run(fed_by(feed, typ), **settings)[0]
    return ticks


def values(ticks: list[Any]) -> list[Any]:
    return [value for _, value in ticks]


def offsets(ticks: list[Any], start: datetime = START) -> list[Any]:
    """Seconds since the start, and values."""
    return [((when - start).total_seconds(), value) for when, value in ticks]


def delayed(value: Any, seconds: float) -> Any:
    return csp.const(value, delay=timedelta(seconds=seconds))
