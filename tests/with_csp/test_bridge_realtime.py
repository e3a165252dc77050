"""AsyncioBridge with a graph in realtime: values, calls, coroutines, time."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from datetime import datetime, timedelta, timezone

import csp
import csploop
import pytest
from csp.impl.genericpushadapter import GenericPushAdapter
from csploop.csp import AsyncioBridge
from support.bridge_graphs import Gate, Graph

RUNS = pytest.mark.parametrize("ours", [False, True], ids=["csp.run", "csploop.csp.run"])


@RUNS
def test_values_tick_in_order_and_each_in_its_own_cycle(ours: bool) -> None:
    with AsyncioBridge(int) as bridge, Graph(bridge, 5000, ours=ours) as graph:
        for value in range(4000):
            assert bridge.push(value)
        assert bridge.push_many(range(4000, 5000)) == 1000
    assert graph.values == list(range(5000))
    stats = bridge.stats()
    assert (stats.pushed, stats.drained, stats.dropped, stats.queued) == (5000, 5000, 0, 0)
    assert 1 <= stats.wakes <= 5000


@RUNS
def test_values_of_many_threads_all_tick_and_each_threads_in_order(ours: bool) -> None:
    with AsyncioBridge(object, capacity=64) as bridge, Graph(bridge, 4000, ours=ours) as graph:
        threads = [
            threading.Thread(target=lambda me=me: [bridge.push((me, i)) for i in range(1000)])
            for me in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for me in range(4):
        assert [i for who, i in graph.values if who == me] == list(range(1000))


@RUNS
def test_calls_and_coroutines_of_the_loop_push(ours: bool) -> None:
    with AsyncioBridge(str) as bridge, Graph(bridge, 5, ours=ours) as graph:

        async def produce() -> str:
            assert asyncio.get_running_loop() is bridge.loop
            assert isinstance(bridge.loop, csploop.Loop)
            await asyncio.sleep(0.001)
            bridge.push("coroutine")
            return "result"

        bridge.call_soon(bridge.push, "soon")
        assert bridge.run_coroutine(produce()).result(10) == "result"
        bridge.call_later(0.001, bridge.push, "later")
        bridge.call_at(datetime.now(timezone.utc) + timedelta(milliseconds=1), bridge.push, "at")
        bridge.call_at_offset(timedelta(milliseconds=1), bridge.push, "offset")
    assert sorted(graph.values) == ["at", "coroutine", "later", "offset", "soon"]


def test_call_soon_keeps_its_order_and_context() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable", default=0)
    got: list[tuple[int, int]] = []
    done = threading.Event()
    with AsyncioBridge() as bridge:
        for number in range(10):
            variable.set(number)
            bridge.call_soon(lambda number=number: got.append((number, variable.get())))
        bridge.call_soon(done.set)
        assert done.wait(10)
    assert got == [(number, number) for number in range(10)]


def test_a_wall_time_that_is_past_is_called_at_once() -> None:
    done = threading.Event()
    with AsyncioBridge() as bridge:
        bridge.call_at(datetime(1990, 1, 1), done.set)
        assert done.wait(10)


def test_cancelled_calls_do_not_run() -> None:
    ran: list[str] = []
    with AsyncioBridge() as bridge:
        gate = Gate()
        bridge.call_soon(gate)
        assert gate.reached.wait(10)
        now = datetime.now(timezone.utc)
        handles = [
            bridge.call_soon(ran.append, "soon"),
            bridge.call_later(0, ran.append, "now"),
            bridge.call_later(3600, ran.append, "later"),
            bridge.call_at(now, ran.append, "at"),
            bridge.call_at(now + timedelta(hours=1), ran.append, "at later"),
            bridge.call_at_engine(now + timedelta(hours=1), ran.append, "engine"),
        ]
        for handle in handles:
            assert not handle.cancelled()
            handle.cancel()
            handle.cancel()
            assert handle.cancelled() and handle.done()
        gate.open()

        async def armed_and_cancelled() -> None:
            bridge.call_later(0, ran.append, "own").cancel()
            bridge.call_at(now, ran.append, "own at").cancel()
            await asyncio.sleep(0.001)

        bridge.run_coroutine(armed_and_cancelled()).result(10)
        loop = bridge.loop
        assert isinstance(loop, csploop.Loop)
        bridge.run_coroutine(asyncio.sleep(0)).result(10)
        assert not loop._timers
    assert ran == []


def test_a_call_that_ran_is_done_and_not_cancelled() -> None:
    done = threading.Event()
    with AsyncioBridge() as bridge:
        handle = bridge.call_soon(done.set)
        assert done.wait(10)
        handle.cancel()
        assert handle.done() and not handle.cancelled()


@RUNS
def test_call_at_engine_runs_in_the_cycle_of_that_time(ours: bool) -> None:
    with AsyncioBridge(object) as bridge:
        got: list[object] = []
        target = bridge.now() + timedelta(milliseconds=200)

        def call(name: str) -> None:
            got.append((name, bridge.now(), threading.current_thread().name))
            bridge.push(name)

        bridge.call_at_engine(target, call, "before the run")
        with Graph(bridge, 3, ours=ours) as graph:
            bridge.call_at_engine(target, call, "during it")
            bridge.call_at_engine(datetime(1990, 1, 1), call, "past")
            engine = graph._runner._thread.name
    assert {name for name, _, _ in got} == {"before the run", "during it", "past"}
    assert {thread for _, _, thread in got} == {engine}
    # A graph that starts late finds the time past.
    times = {name: when for name, when, _ in got}
    assert times["before the run"] >= target and times["during it"] >= target


def test_values_wait_for_the_graph_only_when_asked_to() -> None:
    with AsyncioBridge(int) as bridge:
        assert bridge.push(1) is False
        assert bridge.push_many([1, 2]) == 0
        assert bridge.stats().refused == 3
    with AsyncioBridge(int, keep=True) as bridge:
        assert bridge.push(1)
        assert bridge.push_many([2, 3]) == 2
        with Graph(bridge, 3) as graph:
            pass
    assert graph.values == [1, 2, 3]


def test_a_bridge_serves_one_graph_after_the_other() -> None:
    bridge = AsyncioBridge(int)
    for value in (1, 2):
        with bridge, Graph(bridge, 1) as graph:
            assert bridge.push(value)
        assert graph.values == [value]
        assert bridge.push(9) is False
    assert bridge.adapter.stopped()


def test_the_adapter_is_wired_once_a_graph_and_looks_like_csps() -> None:
    with AsyncioBridge(int, "prices") as bridge:
        assert isinstance(bridge.adapter, GenericPushAdapter)
        assert not bridge.adapter.started()

        def also(out: object) -> None:
            assert bridge.adapter.out() is not None
            csp.add_graph_output("sum", csp.accum(bridge.adapter.out()))

        with Graph(bridge, 2, extra=also) as graph:
            assert bridge.adapter.wait_for_start(10) and bridge.adapter.started()
            assert bridge.adapter.push_tick(20) and bridge.adapter.push_tick(22)
        assert [value for _, value in graph._runner.join()["sum"]] == [20, 42]


def test_wait_for_adapter_says_whether_it_is_bound() -> None:
    with AsyncioBridge() as bridge:
        assert bridge.wait_for_adapter(0) is False
        waits: list[bool] = []
        waiter = threading.Thread(target=lambda: waits.append(bridge.wait_for_adapter()))
        waiter.start()
        with Graph(bridge):
            waiter.join(10)
            assert waits == [True]
        assert bridge.wait_for_adapter(0) is True


def test_time_is_the_wall_clocks() -> None:
    start = datetime(2001, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    bridge = AsyncioBridge()
    bridge.start(start)
    try:
        before = datetime.now(timezone.utc)
        now, seconds, elapsed = bridge.now(), bridge.time(), bridge.elapsed_since_start()
        after = datetime.now(timezone.utc)
        assert before <= now.replace(tzinfo=timezone.utc) <= after
        assert before.timestamp() <= seconds <= after.timestamp()
        assert before - start <= elapsed <= after - start
    finally:
        bridge.stop()


def test_a_push_from_a_node_ticks_in_a_later_cycle() -> None:
    with AsyncioBridge(int) as bridge:

        @csp.node
        def again(value: csp.ts[int], bridge: object):
            if csp.ticked(value) and value < 10:
                bridge.push(value + 1)

        with Graph(bridge, 11, extra=lambda out: again(out, bridge)) as graph:
            bridge.push(0)
    assert graph.values == list(range(11))
    times = [when for when, _ in graph.seen]
    assert times == sorted(times)
