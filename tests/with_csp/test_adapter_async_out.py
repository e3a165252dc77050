"""async_out: a coroutine function is called for each tick."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

import csploop.csp
from csploop.csp import AsyncContext, async_for, async_out, stop_engine
from support.csp_runs import MODES, SAME_THREAD, SIMULATION, START, run, values

every_mode = pytest.mark.parametrize("mode", MODES)


async def numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


@every_mode
def test_each_tick_is_a_call(mode: str) -> None:
    got = []

    async def take(x: int) -> None:
        await asyncio.sleep(0.001)
        got.append(x)
        if len(got) == 5:
            stop_engine()

    run(mode, lambda: async_out(async_for(numbers(5)), take))
    assert sorted(got) == [0, 1, 2, 3, 4]


@every_mode
def test_calls_overlap(mode: str) -> None:
    under_way: dict[int, asyncio.Event] = {}

    async def take(x: int) -> None:
        under_way[x] = asyncio.Event()
        if len(under_way) < 3:
            await under_way[x].wait()
        for event in under_way.values():
            event.set()
        stop_engine()

    run(mode, lambda: async_out(async_for(numbers(3)), take))
    assert list(under_way) == [0, 1, 2]


@every_mode
def test_one_at_a_time_keeps_the_order(mode: str) -> None:
    log = []

    async def take(x: int) -> None:
        log.append(("begins", x))
        await asyncio.sleep(0.01 / (x + 1))
        log.append(("ends", x))
        if x == 3:
            stop_engine()

    run(mode, lambda: async_out(async_for(numbers(4)), take, max_concurrency=1))
    assert log == [(what, x) for x in range(4) for what in ("begins", "ends")]


def test_in_simulation_calls_live_in_engine_time() -> None:
    log = []

    async def take(x: int) -> None:
        await asyncio.sleep(60)
        log.append(csploop.csp.now())

    def graph() -> None:
        async_out(csp.count(csp.timer(timedelta(seconds=10))), take)
        csp.stop_engine(csp.timer(timedelta(seconds=85)))

    run(SIMULATION, graph)
    assert log == [START + timedelta(seconds=70), START + timedelta(seconds=80)]


@every_mode
def test_a_call_that_fails_ends_the_run(mode: str) -> None:
    async def take(x: int) -> None:
        raise LookupError(x)

    with pytest.raises(LookupError):
        run(mode, lambda: async_out(async_for(numbers(1)), take))


@every_mode
def test_failures_tick_where_they_are_asked_for(mode: str) -> None:
    async def take(x: int) -> None:
        raise LookupError(x)

    def graph() -> None:
        errors = async_out(async_for(numbers(3)), take, errors=True)
        csp.add_graph_output("errors", errors)
        csp.stop_engine(csp.filter(csp.count(errors) == csp.const(3), errors))

    result = run(mode, graph)
    assert [error.args for error in values(result["errors"])] == [(0,), (1,), (2,)]


@every_mode
def test_calls_that_never_end_are_cancelled_and_awaited(mode: str) -> None:
    log = []

    async def take(x: int) -> None:
        try:
            if x == 2:
                stop_engine()
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0.001)
            log.append(x)

    run(mode, lambda: async_out(async_for(numbers(3)), take))
    assert sorted(log) == [0, 1, 2]


def test_a_loop_of_another_thread_and_one_call_at_a_time() -> None:
    log: list[Any] = []

    async def take(x: int) -> None:
        log.append((x, threading.get_ident()))
        await asyncio.sleep(0.001)

    def graph(loop: asyncio.AbstractEventLoop) -> None:
        async_out(csp.count(csp.timer(timedelta(seconds=1))), take, loop, max_concurrency=1)
        csp.stop_engine(csp.timer(timedelta(seconds=20, milliseconds=500)))

    with AsyncContext() as context:
        run(SIMULATION, graph, context.loop)
    # Calls on other loops hold engine time: all have ended before the graph has.
    assert [x for x, _ in log] == list(range(1, 21))
    assert threading.get_ident() not in {thread for _, thread in log}


@pytest.mark.parametrize("bad", [None, 1, "f"])
def test_what_cannot_be_called_is_an_error(bad: Any) -> None:
    with pytest.raises(TypeError, match="coroutine function"):
        async_out(csp.const(1), bad)


def test_a_coroutine_is_an_error() -> None:
    async def take(x: int) -> None: ...

    with pytest.raises(TypeError, match="coroutine function"):
        async_out(csp.const(1), take(1))  # type: ignore[arg-type]


def test_a_generator_function_is_an_error() -> None:
    with pytest.raises(TypeError, match="async generators"):
        async_out(csp.const(1), numbers)  # type: ignore[arg-type]


def test_a_function_that_returns_nothing_to_await_fails_the_run() -> None:
    with pytest.raises(TypeError):
        run(SAME_THREAD, lambda: async_out(async_for(numbers(1)), lambda x: None))  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("bad", [0, -1])
def test_concurrency_below_one_is_an_error(bad: int) -> None:
    async def take(x: int) -> None: ...

    with pytest.raises(ValueError, match="max_concurrency"):
        async_out(csp.const(1), take, max_concurrency=bad)
