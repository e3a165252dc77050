"""async_node: each tick mapped through a coroutine function."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

from csp import ts
from csploop.csp import AsyncContext, async_for, async_node
from support.csp_runs import MODES, SIMULATION, START, run, times, values

every_mode = pytest.mark.parametrize("mode", MODES)
COUNT = 6


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


class Backwards:
    """Completes calls in the order opposite to their beginning."""

    def __init__(self, count: int = COUNT) -> None:
        self.waiting: list[asyncio.Event] = []
        self.count = count

    async def __call__(self, x: int) -> int:
        event = asyncio.Event()
        self.waiting.append(event)
        if len(self.waiting) == self.count:
            self.waiting.pop()
        else:
            await event.wait()
        if self.waiting:
            self.waiting.pop().set()
        return x * 10


def mapped(function: Any, count: int = COUNT, **kwargs: Any) -> Any:
    def graph() -> None:
        y = async_node(async_for(numbers(count)), function, **kwargs)
        csp.add_graph_output("y", y)
        csp.stop_engine(csp.filter(csp.count(y) == csp.const(count), y))

    return graph


@every_mode
def test_results_tick_as_calls_complete(mode: str) -> None:
    result = run(mode, mapped(Backwards()))
    assert values(result["y"]) == [50, 40, 30, 20, 10, 0]


@every_mode
def test_ordered_results_tick_in_the_order_of_the_ticks(mode: str) -> None:
    result = run(mode, mapped(Backwards(), ordered=True))
    assert values(result["y"]) == [0, 10, 20, 30, 40, 50]


@every_mode
@pytest.mark.parametrize("most", [1, 2, 5])
def test_no_more_calls_than_allowed_at_a_time(mode: str, most: int) -> None:
    under_way = 0
    highest = 0

    async def counted(x: int) -> int:
        nonlocal under_way, highest
        under_way += 1
        highest = max(highest, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return x

    result = run(mode, mapped(counted, 20, max_concurrency=most))
    assert sorted(values(result["y"])) == list(range(20))
    assert highest == most


@every_mode
def test_a_call_that_fails_ends_the_run(mode: str) -> None:
    async def failing(x: int) -> int:
        raise LookupError(x)

    with pytest.raises(LookupError):
        run(mode, mapped(failing))


@every_mode
@pytest.mark.parametrize("most", [None, 1])
def test_failures_keep_their_place_on_their_own_series(mode: str, most: int | None) -> None:
    async def half(x: int) -> int:
        if x % 2:
            raise LookupError(x)
        return x

    def graph() -> None:
        y, errors = async_node(
            async_for(numbers(COUNT)), half, ordered=True, max_concurrency=most, errors=True
        )
        csp.add_graph_output("y", y)
        csp.add_graph_output("errors", errors)
        csp.stop_engine(csp.filter(csp.count(errors) == csp.const(3), errors))

    result = run(mode, graph)
    assert values(result["y"]) == [0, 2, 4]
    assert [error.args for error in values(result["errors"])] == [(1,), (3,), (5,)]


@every_mode
def test_a_call_that_is_cancelled_by_others_stops_no_order(mode: str) -> None:
    async def cancels_itself(x: int) -> int:
        if x == 1:
            raise asyncio.CancelledError
        await asyncio.sleep(0)
        return x

    def graph() -> None:
        y = async_node(async_for(numbers(4)), cancels_itself, ordered=True, max_concurrency=1)
        csp.add_graph_output("y", y)
        csp.stop_engine(csp.filter(y == csp.const(3), y))

    assert values(run(mode, graph)["y"]) == [0, 2, 3]


@every_mode
def test_what_has_not_ended_is_cancelled_and_awaited(mode: str) -> None:
    log = []

    async def endless(x: int) -> int:
        try:
            await asyncio.get_running_loop().create_future()
            return x
        finally:
            await asyncio.sleep(0.001)
            log.append(x)

    async def instant(x: int) -> int:
        return x

    def graph() -> None:
        x = async_for(numbers(3))
        csp.add_graph_output("y", async_node(x, endless))
        y = async_node(x, instant)
        csp.stop_engine(csp.filter(y == csp.const(2), y))

    run(mode, graph)
    assert sorted(log) == [0, 1, 2]


def test_in_simulation_results_tick_at_exact_times_one_a_cycle() -> None:
    async def slow(x: int) -> int:
        await asyncio.sleep(60 - 10 * x)
        return x

    def graph() -> None:
        y = async_node(csp.count(csp.timer(timedelta(seconds=10))), slow)
        csp.add_graph_output("y", y)
        csp.stop_engine(csp.timer(timedelta(seconds=61)))

    result = run(SIMULATION, graph)
    # Each is due at the same time, 60 s; one a cycle, in the order of their beginning.
    assert values(result["y"]) == [1, 2, 3, 4, 5, 6]
    assert set(times(result["y"])) == {START + timedelta(seconds=60)}


def test_results_that_nobody_looks_at_are_dropped() -> None:
    called = []

    async def take(x: int) -> int:
        called.append(x)
        return x

    def graph() -> None:
        x = async_for(numbers(3))
        async_node(x, take)
        csp.stop_engine(csp.timer(timedelta(seconds=1)))

    run(SIMULATION, graph)
    assert called == [0, 1, 2]


@pytest.mark.parametrize("mode", ["same-thread", SIMULATION])
@pytest.mark.parametrize("options", [{}, {"ordered": True}, {"max_concurrency": 2}])
def test_a_loop_of_another_thread(mode: str, options: Any) -> None:
    async def ten(x: int) -> int:
        await asyncio.sleep(0.001)
        return 10 * x

    with AsyncContext() as context:
        result = run(mode, mapped(ten, 20, loop=context.loop, **options))
    got = values(result["y"])
    assert sorted(got) == [10 * x for x in range(20)]
    if "ordered" in options:
        assert got == sorted(got)


def test_a_loop_that_is_closed_meanwhile_fails_the_run() -> None:
    context = AsyncContext()
    context.start()

    async def ten(x: int) -> int:
        return 10 * x

    @csp.node
    def closing(y: ts[int]) -> ts[int]:
        if csp.ticked(y):
            context.stop()
            return y

    def graph() -> None:
        x = csp.count(csp.timer(timedelta(milliseconds=1)))
        csp.add_graph_output("y", closing(async_node(x, ten, loop=context.loop)))

    with pytest.raises(RuntimeError, match="closed"):
        run("same-thread", graph)


def test_bad_functions_are_errors() -> None:
    async def take(x: int) -> int:
        return x

    for bad in (None, numbers, take(1)):
        with pytest.raises(TypeError, match="coroutine function"):
            async_node(csp.const(1), bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_concurrency"):
        async_node(csp.const(1), take, max_concurrency=0)
