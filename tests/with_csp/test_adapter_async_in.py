"""async_in: a coroutine's result ticks once."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from datetime import timedelta
from typing import Any

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

from csploop.csp import AsyncContext, async_in
from support.csp_runs import MODES, SAME_THREAD, SIMULATION, START, run, times, values

every_mode = pytest.mark.parametrize("mode", MODES)


async def answer(delay: float = 0.001) -> int:
    await asyncio.sleep(delay)
    return 42


async def failing() -> int:
    await asyncio.sleep(0)
    raise LookupError("gone")


def until_tick(coro: Any, **kwargs: Any) -> Any:
    def graph() -> None:
        x = async_in(coro, **kwargs)
        csp.add_graph_output("x", x)
        csp.stop_engine(x)

    return graph


@every_mode
def test_the_result_ticks(mode: str) -> None:
    assert values(run(mode, until_tick(answer()))["x"]) == [42]


def test_in_simulation_it_ticks_at_the_exact_time() -> None:
    result = run(SIMULATION, until_tick(answer(7.5)))
    assert times(result["x"]) == [START + timedelta(seconds=7.5)]


@every_mode
def test_a_failure_ends_the_run(mode: str) -> None:
    with pytest.raises(LookupError, match="gone"):
        run(mode, until_tick(failing()))


@every_mode
def test_a_failure_ticks_where_it_is_asked_for(mode: str) -> None:
    def graph() -> None:
        x, errors = async_in(failing(), errors=True)
        csp.add_graph_output("x", x)
        csp.add_graph_output("errors", errors)
        csp.stop_engine(errors)

    result = run(mode, graph)
    assert values(result["x"]) == []
    assert [str(error) for error in values(result["errors"])] == ["gone"]


@every_mode
def test_one_that_never_ends_is_cancelled_and_awaited(mode: str) -> None:
    log = []

    async def endless() -> int:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await asyncio.sleep(0.001)
            log.append("ended")

    def graph() -> None:
        csp.add_graph_output("x", async_in(endless()))
        csp.stop_engine(async_in(answer()))

    run(mode, graph)
    assert log == ["ended"]


def test_a_future_can_be_awaited_too() -> None:
    class Later:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return 5

    assert values(run(SAME_THREAD, until_tick(Later()))["x"]) == [5]


@pytest.mark.parametrize("mode", [SAME_THREAD, SIMULATION])
def test_a_loop_of_another_thread(mode: str) -> None:
    threads = []

    async def elsewhere() -> int:
        await asyncio.sleep(0.001)
        threads.append(threading.get_ident())
        return 1

    with AsyncContext() as context:
        result = run(mode, until_tick(elsewhere(), loop=context.loop))
    assert values(result["x"]) == [1]
    assert threads != [threading.get_ident()]
    if mode == SIMULATION:
        assert times(result["x"]) == [START]


def test_a_loop_that_does_not_run_is_an_error_and_the_coroutine_is_closed() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="does not run"):
            run(SAME_THREAD, until_tick(answer(), loop=loop))
        gc.collect()


def test_a_function_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"async_in\(answer\(\.\.\.\)\)"):
        async_in(answer)  # type: ignore[arg-type]


def test_what_cannot_be_awaited_is_an_error() -> None:
    with pytest.raises(TypeError):
        async_in(1)  # type: ignore[arg-type]


def test_a_coroutine_serves_one_run() -> None:
    built = csp.build_graph(until_tick(answer()))
    run(SAME_THREAD, built)
    with pytest.raises(RuntimeError, match="cannot reuse"):
        run(SAME_THREAD, built)
