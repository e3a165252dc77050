"""AsyncioBridge with a graph in simulation: calls and coroutines live in engine time."""

from __future__ import annotations

import asyncio
import threading
from datetime import datetime, timedelta
from typing import Any

import csp
import csploop.csp
import pytest
from csploop.csp import AsyncioBridge, BidirectionalBridge
from support.bridge_graphs import START, echo, once, simulate

RUNS = pytest.mark.parametrize("run", [csp.run, csploop.csp.run], ids=["csp.run", "csploop.csp.run"])
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def simulated(typ: Any = object, **options: Any) -> AsyncioBridge:
    bridge = AsyncioBridge(typ, **options)
    bridge.start(realtime=False)
    return bridge


@RUNS
def test_calls_follow_the_engines_clock_exactly(run: Any) -> None:
    with simulated(str) as bridge:
        bridge.call_later(1.5, bridge.push, "later")
        bridge.call_at(START + 2 * HOUR, bridge.push, "at")
        bridge.call_at_offset(3 * HOUR, bridge.push, "offset")
        bridge.call_at_engine(START + 4 * HOUR, bridge.push, "engine")
        bridge.call_soon(bridge.push, "soon")
        seen = simulate(bridge, run)
        assert bridge.now() == START + 4 * HOUR
        assert bridge.elapsed_since_start() == 4 * HOUR
        assert bridge.time() == (bridge.now() - datetime(1970, 1, 1)).total_seconds()
    assert seen == [
        (0 * HOUR, "soon"),
        (timedelta(seconds=1.5), "later"),
        (2 * HOUR, "at"),
        (3 * HOUR, "offset"),
        (4 * HOUR, "engine"),
    ]


@RUNS
def test_calls_run_on_the_engines_thread_and_may_call_again(run: Any) -> None:
    with simulated(int) as bridge:
        threads = set()

        def call(count: int) -> None:
            threads.add(threading.current_thread())
            assert bridge.push_many([count, count]) == 2
            if count < 3:
                bridge.call_later(1, call, count + 1)

        bridge.call_later(1, call, 1)
        seen = simulate(bridge, run)
    assert threads == {threading.current_thread()}
    assert seen == [(n * SECOND, n) for n in (1, 2, 3) for _ in range(2)]


def test_what_was_asked_for_before_a_simulation_moves_to_its_clock() -> None:
    """The bridge was started as for realtime, and only the graph says that this is a simulation."""
    start = datetime(2200, 1, 1)
    seen: list[Any] = []
    bridge = AsyncioBridge(int)
    bridge.start(start)
    with bridge:
        bridge.call_later(3600, bridge.push, 1)
        bridge.call_at(start + 2 * HOUR, bridge.push, 2)
        bridge.call_at_offset(3 * HOUR, bridge.push, 3)
        bridge.call_later(4 * 3600, bridge.push, 4).cancel()

        def graph() -> None:
            csp.add_graph_output("out", bridge.adapter.out())

        seen = csp.run(graph, starttime=start, endtime=5 * HOUR, realtime=False)["out"]
    assert seen == [(start + n * HOUR, n) for n in (1, 2, 3)]


def test_coroutines_live_in_engine_time() -> None:
    with simulated(int) as bridge:

        async def produce(step: float) -> float:
            for n in range(3):
                await asyncio.sleep(step)
                bridge.push(n)
            return step

        early = bridge.run_coroutine(produce(3600))
        inside: list[Any] = []
        bridge.call_later(60, lambda: inside.append(bridge.run_coroutine(produce(1))))
        seen = simulate(bridge)
        assert early.result(0) == 3600
        assert inside[0].result(0) == 1
    short = [(timedelta(seconds=60 + n), n - 1) for n in (1, 2, 3)]
    assert seen == short + [(n * HOUR, n - 1) for n in (1, 2, 3)]


def test_coroutines_need_a_run_with_a_loop() -> None:
    with simulated() as bridge:
        future = bridge.run_coroutine(asyncio.sleep(1))
        with pytest.raises(RuntimeError, match=r"csploop\.csp\.run"):
            simulate(bridge, csp.run)
        bridge.stop()
        assert future.done()


def test_runs_are_equal() -> None:
    def one() -> list[Any]:
        with simulated() as bridge:

            async def produce(me: int) -> None:
                for n in range(20):
                    await asyncio.sleep(1 + me % 3)
                    bridge.push((me, n))

            for me in range(10):
                bridge.run_coroutine(produce(me))
                bridge.call_later(me, bridge.push, me)
            return simulate(bridge)

    first = one()
    assert len(first) == 210
    assert one() == first


@RUNS
def test_cancelled_calls_do_not_run(run: Any) -> None:
    with simulated(int) as bridge:
        first = bridge.call_later(1, bridge.push, 1)
        second = bridge.call_later(2, bridge.push, 2)
        bridge.call_later(1, second.cancel)
        first.cancel()
        never = bridge.call_later(1e300, bridge.push, 3)
        assert simulate(bridge, run) == []
        assert second.cancelled()
        assert never.cancelled(), "the graph ended before its time"


def test_other_threads_push_through_the_runs_loop() -> None:
    with simulated(int) as bridge:

        async def produce() -> None:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(60)
            assert await loop.run_in_executor(None, bridge.push, 7)
            await asyncio.sleep(1)

        bridge.run_coroutine(produce())
        assert simulate(bridge) == [(60 * SECOND, 7)]


def test_without_a_loop_other_threads_are_told() -> None:
    with simulated(int) as bridge:
        errors: list[BaseException] = []

        def push() -> None:
            try:
                bridge.push(1)
            except RuntimeError as exc:
                errors.append(exc)

        def from_a_thread() -> None:
            thread = threading.Thread(target=push)
            thread.start()
            thread.join()

        bridge.call_later(1, from_a_thread)
        assert simulate(bridge, csp.run) == []
        assert len(errors) == 1 and "other threads" in str(errors[0])
        stats = bridge.stats()
        assert (stats.pushed, stats.queued) == (0, 0)


@RUNS
def test_events_come_back_in_engine_time(run: Any) -> None:
    bridge = BidirectionalBridge(int)
    bridge.start(realtime=False)
    got: list[Any] = []
    with bridge:
        bridge.on_event(lambda event: got.append((bridge.now(), event)))
        for n in (1, 2):
            bridge.call_at_offset(n * HOUR, bridge.push, n)
        simulate(bridge, run, extra=lambda out: echo(out, bridge))
    assert got == [(START + n * HOUR, (START + n * HOUR, n)) for n in (1, 2)]


def test_an_event_coroutine_lives_in_engine_time() -> None:
    bridge = BidirectionalBridge(int)
    bridge.start(realtime=False)
    got: list[Any] = []

    async def slow(event: Any) -> None:
        await asyncio.sleep(60)
        got.append(bridge.now())

    with bridge:
        bridge.on_event(slow)
        bridge.call_later(1, bridge.push, 1)
        simulate(bridge, extra=lambda out: echo(out, bridge))
    assert got == [START + 61 * SECOND]


@RUNS
def test_a_call_that_fails_ends_the_run(run: Any) -> None:
    with simulated() as bridge:
        bridge.call_later(1, lambda: 1 / 0)
        left = bridge.call_later(2, bridge.push, 2)
        with pytest.raises(ZeroDivisionError):
            simulate(bridge, run)
        assert left.cancelled()


def test_a_graph_in_realtime_contradicts_a_start_for_simulation() -> None:
    with simulated() as bridge, pytest.raises(RuntimeError, match="started for simulation"):
        csp.run(bridge.adapter.out, realtime=True, endtime=timedelta(seconds=60))


def test_a_graph_built_before_is_told_by_the_run() -> None:
    with simulated(int) as bridge:
        bridge.call_later(1, bridge.push, 1)
        graph = csp.build_graph(lambda: csp.add_graph_output("out", bridge.adapter.out()))
        end = START + HOUR
        assert csploop.csp.run(graph, starttime=START, endtime=end)["out"] == [(START + SECOND, 1)]


def test_a_push_in_the_first_cycle_ticks_at_the_start() -> None:
    with simulated(int) as bridge:
        seen = simulate(bridge, csp.run, extra=lambda out: once(csp.const(True), lambda: bridge.push(5)))
    assert seen == [(timedelta(), 5)]


def test_send_waits_for_room_within_one_engine_time() -> None:
    with simulated(int, capacity=2) as bridge:

        async def produce() -> None:
            await asyncio.sleep(60)
            for n in range(10):
                assert await bridge.send(n)
                await bridge.drain()

        future = bridge.run_coroutine(produce())
        seen = simulate(bridge)
        assert future.result(0) is None
    assert seen == [(60 * SECOND, n) for n in range(10)]


@RUNS
def test_events_of_the_last_cycle_are_delivered_and_the_next_run_has_its_own(run: Any) -> None:
    bridge = BidirectionalBridge(int)
    got: list[Any] = []
    bridge.on_event(lambda event: got.append(event[1]))

    @csp.node
    def last(value: csp.ts[int], bridge: object):
        if csp.ticked(value):
            bridge.emit((csp.now(), value))
            csp.stop_engine()

    for n in (1, 2):
        bridge.start(realtime=False)
        with bridge:
            bridge.call_later(1, bridge.push, n)
            simulate(bridge, run, extra=lambda out: last(out, bridge))
    assert got == [1, 2]
