"""async_for: what a generator yields ticks, in order, once each; generator and graph end together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

import csploop.csp
from csp import ts
from csploop.csp import AsyncContext, async_for, stop_engine
from support.csp_runs import MODES, ON_THREAD, SAME_THREAD, SIMULATION, START, run, times, values

every_mode = pytest.mark.parametrize("mode", MODES)
one_thread = pytest.mark.parametrize("mode", [SAME_THREAD, SIMULATION])


async def counting(count: int, pause: float = 0.001) -> AsyncIterator[int]:
    for number in range(count):
        await asyncio.sleep(pause)
        yield number
    stop_engine()


async def at_once(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number
    stop_engine()


@csp.node
def seen(x: ts[object], log: list) -> ts[object]:
    if csp.ticked(x):
        log.append(x)
        return x


def output(source: Any, **kwargs: Any) -> Any:
    """A graph with one output."""

    def graph() -> None:
        csp.add_graph_output("x", async_for(source, **kwargs))

    return graph


@every_mode
def test_values_tick_in_order(mode: str) -> None:
    assert values(run(mode, output(counting(5)))["x"]) == [0, 1, 2, 3, 4]


@every_mode
@pytest.mark.parametrize("count", [1, 1000])
def test_a_generator_that_never_waits_loses_nothing_when_it_stops_the_engine(mode: str, count: int) -> None:
    assert values(run(mode, output(at_once(count)))["x"]) == list(range(count))


def test_a_generator_that_ends_leaves_the_graph_running() -> None:
    async def short() -> AsyncIterator[int]:
        yield 1

    def graph() -> None:
        csp.add_graph_output("x", async_for(short()))
        csp.add_graph_output("y", async_for(counting(3)))

    result = run(SAME_THREAD, graph)
    assert values(result["x"]) == [1]
    assert values(result["y"]) == [0, 1, 2]


@one_thread
def test_a_value_has_ticked_before_its_generator_goes_on(mode: str) -> None:
    log: list[Any] = []
    known = []

    async def watching() -> AsyncIterator[int]:
        for number in range(5):
            yield number
            known.append(list(log))
        stop_engine()

    def graph() -> None:
        csp.add_graph_output("x", seen(async_for(watching()), log))

    run(mode, graph)
    assert known == [list(range(number + 1)) for number in range(5)]


@one_thread
def test_each_value_has_a_cycle_of_its_own_at_the_time_of_the_yield(mode: str) -> None:
    yielded_at = []

    async def watching() -> AsyncIterator[int]:
        for number in range(4):
            yielded_at.append(csploop.csp.now())
            yield number
        stop_engine()

    result = run(mode, output(watching()))
    assert times(result["x"]) == yielded_at
    if mode == SIMULATION:
        assert yielded_at == [START] * 4


def test_in_simulation_sleeps_are_exact() -> None:
    result = run(SIMULATION, output(counting(3, pause=3600)))
    assert times(result["x"]) == [START + timedelta(hours=hour) for hour in (1, 2, 3)]


def test_an_endless_generator_leaves_room_for_pushes_alarms_and_tasks() -> None:
    adapter = csp.GenericPushAdapter(int)
    pushed = threading.Event()

    async def endless() -> AsyncIterator[int]:
        while True:
            yield 1

    async def when_pushed() -> AsyncIterator[bool]:
        while not pushed.is_set():
            await asyncio.sleep(0)
        yield True

    @csp.node
    def on_push(x: ts[int]):
        if csp.ticked(x):
            pushed.set()

    def graph() -> None:
        async_out = async_for(endless())
        csp.add_graph_output("ticks", csp.count(async_out))
        on_push(adapter.out())
        csp.stop_engine(csp.filter(csp.const(True), csp.firstN(async_for(when_pushed()), 1)))

    def push() -> None:
        adapter.wait_for_start()
        adapter.push_tick(1)

    thread = threading.Thread(target=push)
    thread.start()
    run(SAME_THREAD, graph)
    thread.join()


@every_mode
def test_the_end_of_the_graph_awaits_the_generators_clean_up(mode: str) -> None:
    log = []

    async def feed() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(3600)
        finally:
            log.append("cancelled")
            await asyncio.sleep(0.001)
            log.append("closed")

    def graph() -> None:
        csp.stop_engine(async_for(feed()))

    run(mode, graph)
    assert log == ["cancelled", "closed"]


@every_mode
def test_a_generator_that_stands_at_its_yield_is_closed(mode: str) -> None:
    log = []

    async def feed() -> AsyncIterator[int]:
        try:
            stop_engine()
            while True:
                yield 1
        finally:
            log.append("closed")

    run(mode, output(feed()))
    assert log == ["closed"]


@every_mode
def test_a_generator_that_fails_ends_the_run_with_its_exception(mode: str) -> None:
    log: list[Any] = []

    async def failing() -> AsyncIterator[int]:
        yield 1
        raise LookupError("gone")

    def graph() -> None:
        csp.add_graph_output("x", seen(async_for(failing()), log))

    with pytest.raises(LookupError, match="gone"):
        run(mode, graph)
    assert log == [1]


@every_mode
def test_errors_tick_where_they_are_asked_for(mode: str) -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise LookupError("gone")

    def graph() -> None:
        x, errors = async_for(failing(), errors=True)
        csp.add_graph_output("x", x)
        csp.add_graph_output("errors", errors)
        csp.stop_engine(errors)

    result = run(mode, graph)
    assert values(result["x"]) == [1]
    (error,) = values(result["errors"])
    assert isinstance(error, LookupError)


def test_errors_that_nobody_looks_at_end_the_run() -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise LookupError("gone")

    def graph() -> None:
        csp.add_graph_output("x", async_for(failing(), errors=True).values)

    with pytest.raises(LookupError):
        run(SAME_THREAD, graph)


@every_mode
def test_a_value_of_the_wrong_type_is_an_error(mode: str) -> None:
    async def lying() -> AsyncIterator[int]:
        yield "one"  # type: ignore[misc]

    with pytest.raises(TypeError):
        run(mode, output(lying()))


def test_what_nobody_looks_at_does_not_run() -> None:
    log = []

    async def unused() -> AsyncIterator[int]:
        log.append("ran")
        yield 1

    def graph() -> None:
        async_for(unused())
        csp.add_graph_output("x", async_for(counting(2)))

    run(SAME_THREAD, graph)
    assert log == []


# Loops of other threads.


def test_a_loop_of_another_thread() -> None:
    threads = []

    async def elsewhere() -> AsyncIterator[int]:
        for number in range(1000):
            threads.append(threading.get_ident())
            yield number

    def graph(loop: asyncio.AbstractEventLoop) -> None:
        x = async_for(elsewhere(), loop=loop)
        csp.add_graph_output("x", x)
        csp.stop_engine(csp.filter(x == csp.const(999), x))

    with AsyncContext() as context:
        result = run(SAME_THREAD, graph, context.loop)
    assert values(result["x"]) == list(range(1000))
    assert threading.get_ident() not in threads


def test_a_loop_of_another_thread_holds_engine_time() -> None:
    async def elsewhere() -> AsyncIterator[int]:
        for number in range(20):
            await asyncio.sleep(0.001)
            yield number

    def graph(loop: asyncio.AbstractEventLoop) -> None:
        csp.add_graph_output("x", async_for(elsewhere(), loop=loop))
        csp.stop_engine(csp.timer(timedelta(seconds=1)))

    with AsyncContext() as context:
        result = run(SIMULATION, graph, context.loop)
    assert values(result["x"]) == list(range(20))
    assert times(result["x"]) == [START] * 20


@pytest.mark.parametrize("mode", [SAME_THREAD, SIMULATION])
def test_the_end_of_the_graph_awaits_clean_up_on_a_loop_of_another_thread(mode: str) -> None:
    log = []

    async def feed() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.001)
            log.append("closed")

    def graph(loop: asyncio.AbstractEventLoop) -> None:
        csp.stop_engine(async_for(feed(), loop=loop))

    with AsyncContext() as context:
        run(mode, graph, context.loop)
        assert log == ["closed"]


def test_failing_on_a_loop_of_another_thread() -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise LookupError("gone")

    def graph(loop: asyncio.AbstractEventLoop) -> None:
        csp.add_graph_output("x", async_for(failing(), loop=loop))

    with AsyncContext() as context, pytest.raises(LookupError):
        run(SAME_THREAD, graph, context.loop)


def test_a_loop_that_does_not_run_is_an_error() -> None:
    loop = asyncio.new_event_loop()
    try:
        with pytest.raises(RuntimeError, match="does not run"):
            run(SAME_THREAD, output(counting(1), loop=loop))
    finally:
        loop.close()


def test_the_loop_that_waits_for_the_graph_is_an_error() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="waits for the graph"):
            run(SAME_THREAD, output(counting(1), loop=asyncio.get_running_loop()))

    csploop.run(main())


# Misuse.


def test_a_function_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"async_for\(counting\(\.\.\.\)\)"):
        async_for(counting)  # type: ignore[arg-type]


def test_a_coroutine_is_an_error() -> None:
    async def coroutine() -> int:
        return 1

    with pytest.raises(TypeError, match="async_in"):
        async_for(coroutine())  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [1, None, [1, 2], iter([1])])
def test_what_cannot_be_iterated_is_an_error(source: Any) -> None:
    with pytest.raises(TypeError):
        async_for(source)


def test_a_generator_serves_one_run() -> None:
    source = counting(2)
    run(SAME_THREAD, output(source))
    with pytest.raises(RuntimeError, match="earlier run"):
        run(SAME_THREAD, output(source))


class Feed:
    def __aiter__(self) -> AsyncIterator[int]:
        return counting(3)


def test_an_iterable_serves_many_runs_of_a_built_graph() -> None:
    built = csp.build_graph(output(Feed()))
    for _ in range(2):
        assert values(run(SAME_THREAD, built)["x"]) == [0, 1, 2]


def test_a_run_without_csploop_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="csploop"):
        csp.run(output(counting(1)), realtime=True, endtime=timedelta(seconds=10))


def test_dynamic_graphs_cancel_and_await() -> None:
    log = []

    async def feed(key: str) -> AsyncIterator[str]:
        try:
            while True:
                yield key
                await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(1)
            log.append(key)

    @csp.graph
    def sub(key: str) -> ts[str]:
        return async_for(feed(key))

    @csp.node
    def keys(go: ts[int]) -> csp.DynamicBasket[str, int]:
        if csp.ticked(go):
            if go == 0:
                csp.output({"a": 1})
            elif go == 1:
                csp.remove_dynamic_key("a")

    def graph() -> None:
        basket = keys(async_for(counting(3, pause=10)))
        csp.add_graph_output("x", csp.dynamic_collect(csp.dynamic(basket, sub, csp.snapkey())))

    run(SIMULATION, graph)
    assert log == ["a"]


def test_on_thread_the_generator_waits_when_it_is_far_ahead() -> None:
    ahead = []
    log: list[Any] = []

    async def fast() -> AsyncIterator[int]:
        for number in range(5000):
            ahead.append(number - len(log))
            yield number
        stop_engine()

    def graph() -> None:
        csp.add_graph_output("x", seen(async_for(fast()), log))

    run(ON_THREAD, graph)
    assert log == list(range(5000))
    assert max(ahead) < 1000
