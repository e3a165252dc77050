"""Calls at a time of the wall clock, which bridges build on."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

pytestmark = pytest.mark.ours("asyncio has no such timers")

HOUR = 3600 * 10**9


@pytest.mark.io
async def test_wall_timers_fire_in_their_order_and_not_early(loop: Any) -> None:
    done = loop.create_future()
    fired: list[tuple[int, bool]] = []
    now = time.time_ns()

    def call(number: int, wall_ns: int) -> None:
        fired.append((number, time.time_ns() >= wall_ns))
        if number == 3:
            done.set_result(None)

    for number, wall_ns in ((3, now + 3_000_000), (1, now - HOUR), (2, now + 1_000_000)):
        loop._call_at_wall(wall_ns, call, number, wall_ns)
    await done
    assert fired == [(1, True), (2, True), (3, True)]


@pytest.mark.io
async def test_a_cancelled_wall_timer_does_not_fire(loop: Any) -> None:
    fired: list[str] = []
    now = time.time_ns()
    far = loop._call_at_wall(now + HOUR, fired.append, "far")
    past = loop._call_at_wall(now - HOUR, fired.append, "past")
    far.cancel()
    past.cancel()
    await asyncio.sleep(0.001)
    assert far.cancelled() and past.cancelled()
    assert fired == []
    assert not loop._timers


async def test_times_beyond_all_clocks_never_come(loop: Any) -> None:
    handle = loop._call_at_wall(2**80, print)
    await asyncio.sleep(0)
    assert handle in loop._timers.values()
    handle.cancel()
    await asyncio.sleep(0)


async def test_a_failing_call_is_reported(loop: Any, reports: Any) -> None:
    loop._call_at_wall(0, lambda: 1 / 0)
    while not reports.waiting:
        await asyncio.sleep(0)
    assert isinstance(reports.take()["exception"], ZeroDivisionError)


def test_a_closed_loop_refuses(loop: Any) -> None:
    loop.close()
    with pytest.raises(RuntimeError):
        loop._call_at_wall(0, print)
