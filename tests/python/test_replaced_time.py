"""Tests of others replace `loop.time` to let hours pass at once: the timers follow it, as on asyncio."""

from __future__ import annotations

import asyncio
import time
from unittest import mock

import csploop
import pytest
from csploop.lowlevel import counting

HOUR = 3600.0


class Clock:
    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


async def rounds(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def clock(loop, loop_kind):
    if loop_kind.name == "uvloop":
        pytest.skip("uvloop's time cannot be replaced")
    return Clock(loop.time())


async def test_timers_fire_when_the_replaced_time_has_come(loop, clock):
    seen = []
    with mock.patch.object(loop, "time", clock):
        assert loop.time() == clock.now
        handle = loop.call_later(2 * HOUR, seen.append, "two")
        loop.call_at(clock.now + HOUR, seen.append, "one")
        loop.call_later(HOUR, seen.append, "one, too")
        assert handle.when() == clock.now + 2 * HOUR
        await rounds()
        assert seen == []
        clock.now += HOUR
        await rounds()
        assert seen == ["one", "one, too"]
        clock.now += HOUR
        await rounds()
        assert seen == ["one", "one, too", "two"]
    assert loop.time() < clock.now


async def test_sleepers_and_timeouts_follow_it(loop, clock):
    with mock.patch.object(loop, "time", clock):
        sleeper = loop.create_task(asyncio.sleep(HOUR, "slept"))
        waiter = loop.create_task(asyncio.wait_for(loop.create_future(), HOUR / 2))
        await rounds()
        assert not sleeper.done()
        assert not waiter.done()
        clock.now += HOUR
        assert await sleeper == "slept"
        with pytest.raises(asyncio.TimeoutError):
            await waiter


async def test_timers_from_before_follow_it_too(loop, clock):
    seen = []
    loop.call_later(HOUR, seen.append, "known to the loop")
    await asyncio.sleep(0.001)
    loop.call_later(HOUR, seen.append, "new")
    with mock.patch.object(loop, "time", clock):
        clock.now += 2 * HOUR
        await rounds()
        assert seen == ["known to the loop", "new"]


async def test_a_cancelled_timer_stays_away(loop, clock):
    seen = []
    before = loop.call_later(HOUR, seen.append, "before")
    await asyncio.sleep(0.001)
    with mock.patch.object(loop, "time", clock):
        inside = loop.call_later(HOUR, seen.append, "inside")
        other = loop.call_later(HOUR, seen.append, "other")
        await rounds()
        before.cancel()
        inside.cancel()
        clock.now += 2 * HOUR
        await rounds()
    assert seen == ["other"]
    assert other.when() <= clock.now


async def test_afterwards_timers_are_the_clocks_again(loop, clock):
    seen = []
    with mock.patch.object(loop, "time", clock):
        short = loop.create_task(asyncio.sleep(0.01, "short"))
        loop.call_later(HOUR, seen.append, "never").cancel()
        await rounds(2)
        assert not short.done()
    assert await short == "short"
    assert await asyncio.sleep(0.001, "usual") == "usual"
    assert seen == []


async def test_a_time_that_goes_on_lets_the_loop_sleep(loop, loop_kind, clock):
    offset = 5 * HOUR
    with mock.patch.object(loop, "time", lambda: time.monotonic() + offset):
        before = time.monotonic()
        await asyncio.sleep(0.05)
        assert time.monotonic() - before >= 0.049


async def test_monkeypatch_replaces_it_as_well(loop, clock, monkeypatch):
    monkeypatch.setattr(loop, "time", clock)
    sleeper = loop.create_task(asyncio.sleep(HOUR))
    await rounds()
    clock.now += HOUR
    await sleeper
    monkeypatch.undo()
    assert loop.time() != clock.now


def test_a_subclass_may_have_a_time_of_its_own(loop_kind):
    if loop_kind.name == "uvloop":
        pytest.skip("uvloop's time cannot be replaced")
    base = csploop.Loop if loop_kind.ours else asyncio.SelectorEventLoop

    class Hurried(base):
        def time(self):
            return clock()

    clock = Clock()
    loop = Hurried()
    try:

        async def main():
            sleeper = loop.create_task(asyncio.sleep(HOUR, "slept"))
            await rounds()
            clock.now += HOUR
            return await sleeper

        assert loop.run_until_complete(main()) == "slept"
    finally:
        loop.close()


@pytest.mark.ours("counts crossings")
def test_a_loop_that_sleeps_under_a_replaced_time_does_not_spin(loop_kind):
    with counting() as crossings:
        loop = loop_kind.new()
    try:
        loop.time = lambda: time.monotonic() + HOUR
        loop.run_until_complete(asyncio.sleep(0.1))
        assert crossings.calls["csploop_turn"] < 50
    finally:
        loop.close()
