"""Runs of csp graphs for tests: the three ways in which a loop and an engine go together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import csploop.csp

START = datetime(2020, 1, 1)
# As far as any test may go; each ends its run by itself.
LONG = timedelta(days=30)

SAME_THREAD = "same-thread"
ON_THREAD = "on-thread"
SIMULATION = "simulation"
MODES = [SAME_THREAD, ON_THREAD, SIMULATION]


def run(mode: str, graph: Any, *args: Any, **kwargs: Any) -> Any:
    """csploop.csp.run in that mode, until the graph ends it."""
    if mode == SIMULATION:
        kwargs.setdefault("starttime", START)
        return csploop.csp.run(graph, *args, endtime=LONG, **kwargs)
    on_thread = mode == ON_THREAD
    return csploop.csp.run(graph, *args, realtime=True, endtime=LONG, asyncio_on_thread=on_thread, **kwargs)


def values(series: Any) -> list[Any]:
    return [value for _, value in series or ()]


def times(series: Any) -> list[datetime]:
    return [time for time, _ in series or ()]
