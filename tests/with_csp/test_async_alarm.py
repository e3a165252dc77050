"""csp.async_alarm: an alarm that ticks by itself when a coroutine completes."""

import asyncio
import queue
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

import csploop
import csploop.csp
from csp import ts
from csploop.csp import AsyncAlarm, AsyncContext, async_alarm, schedule_async_alarm, shutdown_shared_loop
from support.csp_runs import MODES, SAME_THREAD, SIMULATION, START, run, times, values

every_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    csploop.csp.install()
    try:
        yield
    finally:
        csploop.csp.uninstall()
        shutdown_shared_loop()


async def double(x: int, delay: float = 0.001) -> int:
    await asyncio.sleep(delay)
    return 2 * x


async def failing() -> int:
    await asyncio.sleep(0)
    raise LookupError("gone")


def stop_after(edge: Any, count: int) -> None:
    csp.add_graph_output("y", edge)
    csp.stop_engine(csp.filter(csp.count(edge) == csp.const(count), edge))


@every_mode
def test_it_ticks_by_itself_with_the_result(mode: str) -> None:
    @csp.node
    def doubling(x: ts[int]) -> ts[int]:
        with csp.alarms():
            done: ts[int] = csp.async_alarm(int)
        if csp.ticked(x):
            csp.schedule_async_alarm(done, double(x))
        if csp.ticked(done):
            return done

    result = run(mode, lambda: stop_after(doubling(csp.const(21)), 1))
    assert values(result["y"]) == [42]


@every_mode
def test_from_one_completion_to_the_next(mode: str) -> None:
    @csp.node
    def powers() -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            csp.schedule_async_alarm(done, double(1))
        if csp.ticked(done):
            csp.schedule_async_alarm(done, double(done))
            return done

    result = run(mode, lambda: stop_after(powers(), 5))
    assert values(result["y"]) == [2, 4, 8, 16, 32]


def test_in_simulation_it_ticks_at_the_exact_time() -> None:
    @csp.node
    def slow() -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            for hours in (3, 1, 2):
                csp.schedule_async_alarm(done, double(hours, 3600 * hours))
        if csp.ticked(done):
            return done

    result = run(SIMULATION, lambda: stop_after(slow(), 3))
    assert values(result["y"]) == [2, 4, 6]
    assert times(result["y"]) == [START + timedelta(hours=hours) for hours in (1, 2, 3)]


def test_nothing_polls() -> None:
    executed = []

    @csp.node
    def counted() -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            csp.schedule_async_alarm(done, double(1, 0.05))
        executed.append(1)
        if csp.ticked(done):
            return done

    run(SAME_THREAD, lambda: stop_after(counted(), 1))
    assert executed == [1]


@every_mode
def test_beside_plain_alarms_state_start_and_stop(mode: str) -> None:
    log = []

    @csp.node
    def both(x: ts[int]) -> csp.Outputs(plain=ts[str], later=ts[int]):
        with csp.alarms():
            plain: ts[str] = csp.alarm(str)
            later: ts[int] = csp.async_alarm(int)
            other: ts[int] = csp.async_alarm(int)
        with csp.state():
            s_count = 0
        with csp.start():
            csp.schedule_alarm(plain, timedelta(), "plain")
        with csp.stop():
            log.append(s_count)
        if csp.ticked(x):
            csp.schedule_async_alarm(later, double(x))
        if csp.ticked(plain):
            csp.output(plain=plain)
        if csp.ticked(later):
            s_count += 1
            csp.schedule_async_alarm(other, double(later))
        if csp.ticked(other):
            s_count += 1
            csp.output(later=other)

    def graph() -> None:
        out = both(csp.const(10))
        csp.add_graph_output("plain", out.plain)
        csp.add_graph_output("later", out.later)
        csp.stop_engine(
            csp.filter(
                csp.count(csp.merge(csp.count(out.plain), csp.count(out.later))) == csp.const(2), csp.const(1)
            )
        )
        csp.stop_engine(out.later)

    result = run(mode, graph)
    assert values(result["plain"]) == ["plain"]
    assert values(result["later"]) == [40]
    assert log == [2]


@every_mode
def test_a_failure_ends_the_run(mode: str) -> None:
    @csp.node
    def node() -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            csp.schedule_async_alarm(done, failing())
        if csp.ticked(done):
            return done

    with pytest.raises(LookupError, match="gone"):
        run(mode, lambda: stop_after(node(), 1))


@every_mode
def test_a_failure_ticks_on_the_alarm_for_errors(mode: str) -> None:
    @csp.node
    def node() -> ts[str]:
        with csp.alarms():
            done = csp.async_alarm(int)
            error = csp.alarm(Exception)
        with csp.start():
            csp.schedule_async_alarm(done, failing(), on_error=error)
        if csp.ticked(done):
            return "done"
        if csp.ticked(error):
            return str(error)

    assert values(run(mode, lambda: stop_after(node(), 1))["y"]) == ["gone"]


@every_mode
def test_what_has_not_ended_is_cancelled_and_awaited(mode: str) -> None:
    log = []

    async def endless() -> int:
        try:
            await asyncio.get_running_loop().create_future()
            return 1
        finally:
            await asyncio.sleep(0.001)
            log.append("ended")

    @csp.node
    def node(x: ts[int]) -> ts[int]:
        with csp.alarms():
            never = csp.async_alarm(int)
            soon = csp.async_alarm(int)
        with csp.start():
            csp.schedule_async_alarm(never, endless())
        if csp.ticked(x):
            csp.schedule_async_alarm(soon, double(x))
        if csp.ticked(never):
            return never
        if csp.ticked(soon):
            return soon

    run(mode, lambda: stop_after(node(csp.const(1)), 1))
    assert log == ["ended"]


@every_mode
def test_one_that_is_cancelled_does_not_tick(mode: str) -> None:
    @csp.node
    def node() -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            first = csp.schedule_async_alarm(done, double(1, 0.02))
            csp.schedule_async_alarm(done, double(2, 0.03))
            first.cancel()
        if csp.ticked(done):
            return done

    assert values(run(mode, lambda: stop_after(node(), 1))["y"]) == [4]


@pytest.mark.parametrize("mode", [SAME_THREAD, SIMULATION])
def test_a_loop_of_another_thread(mode: str) -> None:
    threads = []

    async def elsewhere() -> int:
        await asyncio.sleep(0.001)
        threads.append(threading.get_ident())
        return 1

    @csp.node
    def node(loop: object) -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            csp.schedule_async_alarm(done, elsewhere(), loop=loop)
        if csp.ticked(done):
            return done

    with AsyncContext() as context:
        result = run(mode, lambda: stop_after(node(context.loop), 1))
    assert values(result["y"]) == [1]
    assert threads != [threading.get_ident()]


def test_without_a_type_it_is_an_alarm_of_objects() -> None:
    @csp.node
    def node() -> ts[object]:
        with csp.alarms():
            done = csp.async_alarm()
        with csp.start():
            csp.schedule_async_alarm(done, double(1))
        if csp.ticked(done):
            return done

    assert values(run(SAME_THREAD, lambda: stop_after(node(), 1))["y"]) == [2]


def test_nodes_outlive_uninstall() -> None:
    @csp.node
    def node() -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            csp.schedule_async_alarm(done, double(1))
        if csp.ticked(done):
            return done

    csploop.csp.uninstall()
    assert values(run(SAME_THREAD, lambda: stop_after(node(), 1))["y"]) == [2]
    with pytest.raises(RuntimeError, match="csploop"):
        csp.run(lambda: stop_after(node(), 1), realtime=True, endtime=timedelta(seconds=1))


@every_mode
def test_a_start_block_that_fails_after_scheduling(mode: str) -> None:
    async def at_once() -> int:
        return 1

    async def clean_up() -> int:
        try:
            await asyncio.get_running_loop().create_future()
            return 1
        finally:
            await asyncio.sleep(0.001)

    @csp.node
    def node() -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            csp.schedule_async_alarm(done, clean_up())
            csp.schedule_async_alarm(done, at_once())
            raise LookupError("start")
        if csp.ticked(done):
            return done

    with pytest.raises(LookupError, match="start"):
        run(mode, lambda: stop_after(node(), 1))


def test_in_a_dynamic_graph_that_goes() -> None:
    log = []

    async def endless(key: str) -> int:
        try:
            await asyncio.sleep(5)
            return 1
        finally:
            await asyncio.sleep(100)
            log.append(key)

    @csp.node
    def node(key: str) -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            csp.schedule_async_alarm(done, endless(key))
        if csp.ticked(done):
            csp.schedule_async_alarm(done, endless(key))
            return done

    @csp.graph
    def sub(key: str) -> ts[int]:
        return node(key)

    @csp.node
    def keys(go: ts[int]) -> csp.DynamicBasket[str, int]:
        if csp.ticked(go):
            if go == 1:
                csp.output({"a": 1})
            elif go == 2:
                csp.remove_dynamic_key("a")

    def graph() -> None:
        go = csp.count(csp.timer(timedelta(seconds=3)))
        basket = csp.dynamic(keys(go), sub, csp.snapkey())
        csp.add_graph_output("x", csp.dynamic_collect(basket))
        csp.stop_engine(csp.filter(go == csp.const(3), go))

    run(SIMULATION, graph)
    assert log == ["a"]


# What the parser refuses.


def test_scheduling_on_a_plain_alarm() -> None:
    with pytest.raises(csp.CspParseError, match="csp.async_alarm"):

        @csp.node
        def node() -> ts[int]:
            with csp.alarms():
                plain = csp.alarm(int)
            with csp.start():
                csp.schedule_async_alarm(plain, double(1))
            if csp.ticked(plain):
                return plain


def test_an_async_alarm_outside_of_the_alarms_block() -> None:
    with pytest.raises(csp.CspParseError, match="alarms"):

        @csp.node
        def node(x: ts[int]) -> ts[int]:
            if csp.ticked(x):
                return csp.async_alarm(int)


def test_an_error_alarm_that_is_none() -> None:
    with pytest.raises(csp.CspParseError, match="on_error"):

        @csp.node
        def node(x: ts[int]) -> ts[int]:
            with csp.alarms():
                done = csp.async_alarm(int)
            if csp.ticked(x):
                csp.schedule_async_alarm(done, double(1), on_error=x)
            if csp.ticked(done):
                return done


def test_too_many_arguments() -> None:
    with pytest.raises(csp.CspParseError, match="one argument"):

        @csp.node
        def node() -> ts[int]:
            with csp.alarms():
                done = csp.async_alarm(int, str)
            if csp.ticked(done):
                return done


def test_what_cannot_be_awaited_fails_the_run() -> None:
    @csp.node
    def node() -> ts[int]:
        with csp.alarms():
            done = csp.async_alarm(int)
        with csp.start():
            csp.schedule_async_alarm(done, 5)
        if csp.ticked(done):
            return done

    with pytest.raises(TypeError, match="coroutine"):
        run(SAME_THREAD, lambda: stop_after(node(), 1))


@every_mode
def test_a_result_of_the_wrong_type_fails_the_run(mode: str) -> None:
    @csp.node
    def node() -> ts[str]:
        with csp.alarms():
            done = csp.async_alarm(str)
        with csp.start():
            csp.schedule_async_alarm(done, double(1))
        if csp.ticked(done):
            return done

    with pytest.raises(TypeError):
        run(mode, lambda: stop_after(node(), 1))


# The object outside of alarms blocks.


def take(alarm: AsyncAlarm) -> Any:
    """The next result; waits for it on this thread."""
    while not alarm.has_result():
        pass
    return alarm.get_result()


def test_an_alarm_outside_of_nodes_keeps_results() -> None:
    alarm = async_alarm(int)
    schedule_async_alarm(alarm, double(4))
    assert take(alarm) == 8
    assert alarm.value == 8
    assert alarm.pending_count() == 0
    assert not alarm.has_result()
    with pytest.raises(queue.Empty):
        alarm.get_result()
    alarm.stop()


def test_a_failure_comes_out_where_the_result_would() -> None:
    alarm = async_alarm()
    alarm.schedule(failing())
    with pytest.raises(LookupError, match="gone"):
        take(alarm)
    alarm.stop()


def test_stop_cancels_and_start_begins_anew() -> None:
    cancelled = threading.Event()

    async def endless() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()

    with AsyncContext() as context:
        alarm = AsyncAlarm(object, loop=context.loop)
        alarm.start()
        alarm.schedule(endless())
        context.run(asyncio.sleep(0))
        assert alarm.pending_count() == 1
        alarm.stop()
        assert cancelled.wait(10)
        assert not alarm.has_result()
        alarm.start()
        alarm.schedule(double(1))
        assert take(alarm) == 2
        alarm.stop()


def test_an_alarm_that_is_not_started_is_an_error() -> None:
    alarm = AsyncAlarm(int)
    with pytest.raises(RuntimeError, match="not started"):
        alarm.schedule(double(1))
    with pytest.raises(RuntimeError, match="no value"):
        _ = alarm.value
    with pytest.raises(TypeError, match="AsyncAlarm"):
        schedule_async_alarm("alarm", double(1))
    with pytest.raises(TypeError, match="coroutine"):
        async_alarm().schedule(5)  # type: ignore[arg-type]


def test_in_a_running_loop_results_come_there() -> None:
    async def main() -> int:
        alarm = async_alarm(int)
        alarm.schedule(double(3))
        while not alarm.has_result():
            await asyncio.sleep(0)
        return int(alarm.get_result())

    assert csploop.run(main()) == 6
