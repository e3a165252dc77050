"""call_later and call_at: order, never early, odd delays, cancelling."""

from __future__ import annotations

import asyncio
import math
import random

import pytest


def run_for(loop, seconds):
    loop.call_later(seconds, loop.stop)
    loop.run_forever()


def test_timers_fire_in_the_order_of_their_deadlines(loop):
    seen = []
    now = loop.time()
    delays = [0.005, 0.001, 0.003, 0.002, 0.004]
    for delay in delays:
        loop.call_at(now + delay, seen.append, delay)
    run_for(loop, 0.02)
    assert seen == sorted(delays)


@pytest.mark.ours("the heaps of asyncio and uvloop promise no order among equal deadlines")
@pytest.mark.parametrize("start", [0.0, 0.002])
def test_equal_deadlines_fire_in_the_order_of_the_calls(loop, start):
    seen = []
    when = loop.time() + start
    for number in range(500):
        loop.call_at(when, seen.append, number)
    loop.call_at(when, loop.stop)
    loop.run_forever()
    assert seen == list(range(500))


def test_no_timer_is_early(loop):
    late = []

    def due(when):
        late.append(loop.time() - when)

    now = loop.time()
    generator = random.Random(7)
    for _ in range(200):
        when = now + generator.random() * 0.05
        loop.call_at(when, due, when)
    run_for(loop, 0.06)
    assert len(late) == 200
    resolution = 0.0 if not isinstance(loop, asyncio.BaseEventLoop) else loop._clock_resolution
    assert min(late) >= -resolution


def test_time_is_monotonic_and_moves_while_the_loop_waits(loop):
    stamps = [loop.time()]
    for delay in (0.001, 0.002, 0.003):
        loop.call_later(delay, lambda: stamps.append(loop.time()))
    run_for(loop, 0.01)
    assert stamps == sorted(stamps)
    assert stamps[-1] - stamps[0] >= 0.0029
    assert isinstance(stamps[0], float)


def test_negative_and_zero_delays_are_due_at_once_but_not_in_this_turn(loop):
    seen = []

    def start():
        loop.call_later(0, seen.append, "zero")
        loop.call_later(-5, seen.append, "negative")
        loop.call_at(loop.time() - 100, seen.append, "past")
        loop.call_soon(seen.append, "soon")
        seen.append("start")

    loop.call_soon(start)
    run_for(loop, 0.01)
    assert sorted(seen[1:]) == ["negative", "past", "soon", "zero"]
    assert seen[0] == "start"


@pytest.mark.parametrize("delay", [1e6, 1e9, 1e12, 1e18, 1e300, math.inf], ids=str)
def test_a_huge_delay_never_comes_and_harms_nothing(loop, delay):
    seen = []
    handle = loop.call_later(delay, seen.append, "never")
    run_for(loop, 0.002)
    assert seen == []
    assert handle.when() >= delay
    handle.cancel()
    run_for(loop, 0.002)
    assert seen == []


@pytest.mark.parametrize("delay", [-1e18, -math.inf], ids=str)
def test_a_hugely_negative_delay_is_due_at_once(loop, delay):
    seen = []
    loop.call_later(delay, seen.append, "due")
    run_for(loop, 0.002)
    assert seen == ["due"]


def test_when_tells_the_deadline(loop):
    when = loop.time() + 12.5
    handle = loop.call_at(when, print)
    assert handle.when() == pytest.approx(when, abs=0.0011)
    handle.cancel()
    before = loop.time()
    handle = loop.call_later(3, print)
    assert before + 3 - 0.0011 <= handle.when() <= loop.time() + 3.0011
    handle.cancel()


def test_a_cancelled_timer_does_not_fire(loop):
    seen = []
    handle = loop.call_later(0.001, seen.append, 1)
    loop.call_later(0.001, seen.append, 2)
    handle.cancel()
    assert handle.cancelled()
    run_for(loop, 0.005)
    assert seen == [2]


def test_a_timer_cancelled_while_the_loop_runs_does_not_fire(loop):
    seen = []
    now = loop.time()
    handle = loop.call_at(now + 0.003, seen.append, 1)
    loop.call_at(now + 0.001, handle.cancel)
    run_for(loop, 0.006)
    assert seen == []
    handle.cancel()


def test_a_due_timer_can_cancel_another_one_that_is_due_in_the_same_turn(loop):
    seen = []
    when = loop.time() - 1
    loop.call_at(when, lambda: second.cancel())
    second = loop.call_at(when + 0.001, seen.append, "cancelled")
    run_for(loop, 0.002)
    assert seen == []


def test_cancelling_a_fired_timer_is_harmless(loop):
    seen = []
    handle = loop.call_later(0, seen.append, 1)
    run_for(loop, 0.002)
    handle.cancel()
    handle.cancel()
    run_for(loop, 0.002)
    assert seen == [1]


def test_a_timer_rearmed_by_its_callback_goes_on(loop):
    seen = []

    def again(rest):
        seen.append(rest)
        if rest:
            loop.call_later(0, again, rest - 1)
        else:
            loop.stop()

    loop.call_later(0, again, 50)
    loop.run_forever()
    assert seen == list(range(50, -1, -1))


def test_a_timer_armed_late_but_due_earlier_comes_first(loop):
    seen = []

    def early():
        seen.append("early")
        loop.stop()

    late = loop.call_later(3600, seen.append, "late")
    loop.call_later(0.001, lambda: loop.call_later(0.001, early))
    loop.run_forever()
    late.cancel()
    assert seen == ["early"]


def test_an_earlier_timer_shortens_a_wait_that_was_planned(loop):
    far = loop.call_later(3600, print)
    loop.run_until_complete(asyncio.sleep(0.001))
    far.cancel()


def test_many_timers_of_which_most_are_cancelled(loop):
    seen = []
    now = loop.time()
    handles = [
        loop.call_at(now + 0.001 + (number % 97) * 1e-5, seen.append, number) for number in range(20_000)
    ]
    for number, handle in enumerate(handles):
        if number % 10:
            handle.cancel()
    run_for(loop, 0.05)
    assert sorted(seen) == list(range(0, 20_000, 10))


@pytest.mark.heavy
@pytest.mark.ours("asyncio needs longer and promises no order")
def test_a_hundred_thousand_timers_fire_in_order(loop):
    generator = random.Random(11)
    now = loop.time()
    deadlines = [now + generator.randrange(1000) * 1e-4 for _ in range(100_000)]
    seen = []
    for number, when in enumerate(deadlines):
        loop.call_at(when, seen.append, number)
    loop.call_at(now + 0.1, loop.stop)
    loop.run_forever()
    expected = sorted(range(100_000), key=lambda number: (deadlines[number], number))
    assert seen == expected


def test_a_failing_timer_is_reported_and_the_others_fire(loop, reports):
    seen = []
    loop.call_later(0, lambda: 1 / 0)
    loop.call_later(0.001, seen.append, 1)
    run_for(loop, 0.004)
    assert seen == [1]
    assert isinstance(reports.take()["exception"], ZeroDivisionError)


async def test_sleeps_of_many_tasks_end_in_order(loop):
    seen = []

    async def sleeper(number):
        await asyncio.sleep(number * 0.0004)
        seen.append(number)

    await asyncio.gather(*(sleeper(number) for number in range(30)))
    assert seen == list(range(30))


def test_timer_handles_compare_by_deadline(loop):
    now = loop.time()
    first, second = loop.call_at(now + 1, print), loop.call_at(now + 2, print)
    assert first < second and second > first and first <= second and first != second
    first.cancel()
    second.cancel()
