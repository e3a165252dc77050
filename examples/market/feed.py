"""Replays a recording in real time or faster: one day after the other, or a given number of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Callable

from .recording import Tick

OVERNIGHT_MS = 1000  # the pause between the last tick and the first of the next round


class Feed:
    """Calls publish(tick, due) for every tick; due is when the recording wanted it, in monotonic ns.

    Latencies count from `due`: a loop that wakes late, or is still busy with the ticks before, does not
    get to start the stopwatch later.
    """

    def __init__(
        self,
        ticks: Sequence[Tick],
        speed: float,
        publish: Callable[[Tick, int], None],
        days: int | None = None,
    ) -> None:
        self._ticks = ticks
        self._ns_per_ms = 1e6 / speed
        self._publish = publish
        self._days = days  # None: for ever
        self.published = 0
        self.rounds = 0

    async def run(self) -> None:
        start = time.monotonic_ns()
        first = self._ticks[0].ms
        length_ms = self._ticks[-1].ms - first + OVERNIGHT_MS
        while self.rounds != self._days:
            base = start + int(self.rounds * length_ms * self._ns_per_ms)
            for tick in self._ticks:
                due = base + int((tick.ms - first) * self._ns_per_ms)
                wait = due - time.monotonic_ns()
                if wait > 0:
                    await asyncio.sleep(wait / 1e9)
                elif self.published % 256 == 0:
                    await asyncio.sleep(0)  # a backlog of ticks must not keep everybody else waiting
                self._publish(tick, due)
                self.published += 1
            self.rounds += 1
