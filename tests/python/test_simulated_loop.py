"""The loop whose time is simulated: what is due when, in which order, and what cancelled timers leave.

With csp's engine as the one who moves time: tests/with_csp/test_csp_simulation.py.
"""

from __future__ import annotations

import asyncio

import pytest
from csploop._loop.serial import SerialFuture
from csploop._loop.simulated import SimulatedLoop


@pytest.fixture
def simulated():
    loop = SimulatedLoop()
    yield loop
    loop.close()


def run_until(loop, seconds):
    """Runs all that is due until then."""
    loop.call_at(seconds, loop.stop)
    loop.run_forever()


def test_timers_of_one_time_run_in_the_order_of_their_making(simulated):
    seen = []
    for number in range(100):
        simulated.call_later(2, seen.append, number)
        simulated.call_at(1.0, seen.append, number + 1000)
    run_until(simulated, 3)
    assert seen == [*range(1000, 1100), *range(100)]


def test_a_timer_can_cancel_another_of_its_time(simulated):
    seen = []
    handles = []
    simulated.call_later(1, lambda: [handle.cancel() for handle in handles[::2]])
    handles += [simulated.call_later(1, seen.append, number) for number in range(10)]
    run_until(simulated, 2)
    assert seen == [1, 3, 5, 7, 9]
    assert [handle.cancelled() for handle in handles] == [True, False] * 5


@pytest.mark.parametrize("together", [1, 3])
def test_time_does_not_stop_where_all_timers_are_cancelled(simulated, together):
    for _ in range(together):
        simulated.call_later(1, print).cancel()
        simulated.call_later(3, print)
    assert simulated.next_deadline_us() == 3_000_000
    assert simulated.settle(1_500_000) == 3_000_000


def test_the_first_of_several_is_cancelled_and_the_others_run(simulated):
    seen = []
    first, *_ = [simulated.call_later(1, seen.append, number) for number in range(3)]
    first.cancel()
    assert simulated.next_deadline_us() == 1_000_000
    run_until(simulated, 2)
    assert seen == [1, 2]


@pytest.mark.parametrize("apart", [0, 1e-3])
def test_cancelled_timers_do_not_pile_up(simulated, apart):
    kept = [simulated.call_later(2e3 + number * apart, print) for number in range(100)]
    for number in range(10_000):
        simulated.call_later(1e3 + number * apart, print).cancel()
    waiting = sum(len(each) if isinstance(each, list) else 1 for each in simulated._timers_at.values())
    assert len(kept) <= waiting < 400
    assert len(simulated._deadlines) < 400
    assert simulated.next_deadline_us() == 2_000_000_000


def test_what_is_overdue_when_it_is_set_belongs_to_the_next_turn(simulated):
    seen = []

    def first():
        simulated.call_at(0.5, seen.append, "of the past")
        simulated.call_later(0, seen.append, "at once")
        simulated.call_later(-1, seen.append, "negative")
        simulated.call_soon(seen.append, "soon")

    simulated.call_at(1, first)
    simulated.call_at(1, seen.append, "due")
    run_until(simulated, 2)
    assert seen == ["due", "soon", "of the past", "at once", "negative"]


def test_a_delay_ends_at_the_next_whole_microsecond_and_time_plus_delay_exactly(simulated):
    simulated.move_to(1_704_067_200_000_001)
    now = simulated.time()
    days = (86_400.000_001, 86_400_000_001)
    for delay, us in ((0.1, 100_000), (1 / 3, 333_334), (0.1 + 0.2, 300_000), (1e-9, 1), days):
        handle = simulated.call_later(delay, print)
        assert simulated.next_deadline_us() == 1_704_067_200_000_001 + us
        assert handle.when() == (1_704_067_200_000_001 + us) / 1e6
        handle.cancel()
    handle = simulated.call_at(now + 0.1, print)
    assert simulated.next_deadline_us() == 1_704_067_200_100_001
    assert handle.when() == now + 0.1


def test_what_an_interrupt_leaves_is_run_next(simulated):
    seen = []

    def interrupt():
        raise KeyboardInterrupt

    for callback in (interrupt, lambda: seen.append("timer")):
        simulated.call_later(1, callback)
    with pytest.raises(KeyboardInterrupt):
        run_until(simulated, 2)
    for callback in (interrupt, lambda: seen.append("ready")):
        simulated.call_soon(callback)
    with pytest.raises(KeyboardInterrupt):
        simulated.run_forever()
    simulated.run_forever()  # to the stop at 2 s
    assert sorted(seen) == ["ready", "timer"]
    assert simulated.time() == 2


def test_a_sleep_that_somebody_else_ended_is_reported(simulated):
    """What asyncio's own timer of a sleep does is done without it here, errors included."""
    reports = []
    simulated.set_exception_handler(lambda loop, context: reports.append(context))
    future = simulated.create_future()
    asyncio_timer = asyncio.futures._set_result_unless_cancelled
    simulated.call_later(1, asyncio_timer, future, "first")
    simulated.call_later(2, asyncio_timer, future, "second")
    cancelled = simulated.create_future()
    simulated.call_later(2, asyncio_timer, cancelled, None)
    cancelled.cancel()
    run_until(simulated, 3)
    assert future.result() == "first"
    assert [type(context["exception"]) for context in reports] == [asyncio.InvalidStateError]


def test_tasks_and_futures_hash_by_number(simulated):
    async def main():
        futures = [simulated.create_future() for _ in range(50)]
        tasks = [simulated.create_task(asyncio.sleep(1)) for _ in range(50)]
        await asyncio.wait(tasks)
        assert [type(future) for future in futures] == [SerialFuture] * 50
        for each in (futures, tasks):
            numbers = [hash(one) for one in each]
            assert numbers == list(range(numbers[0], numbers[0] + 50))

    simulated.run_until_complete(main())


def test_callbacks_that_are_always_ready_are_an_error_without_time_moving(simulated):
    turns = [0]

    def again():
        turns[0] += 1
        simulated.call_soon(again)

    again()
    with pytest.raises(RuntimeError, match="turns of the loop without simulated time moving"):
        simulated.run_forever()
    assert turns[0] == 100_000
