"""await_: results in the midst of nodes, and never a deadlock."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

csp = pytest.importorskip("csp", reason="csp has no wheel for this Python")

import csploop
from csp import ts
from csploop.csp import (
    AsyncContext,
    async_for,
    await_,
    get_csp_asyncio_loop,
    get_shared_loop,
    shutdown_shared_loop,
)
from support.csp_runs import MODES, ON_THREAD, SAME_THREAD, run, values

every_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(autouse=True)
def no_shared_loop() -> Iterator[None]:
    yield
    shutdown_shared_loop()


async def double(x: int) -> int:
    await asyncio.sleep(0.001)
    return 2 * x


async def failing() -> int:
    raise LookupError("gone")


async def one() -> AsyncIterator[int]:
    yield 1


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


@csp.node
def calling(x: ts[int], function: object) -> ts[object]:
    if csp.ticked(x):
        return function(x)


def in_node(mode: str, function: Any) -> Any:
    """What the function returns in a node."""

    def graph() -> None:
        y = calling(async_for(one()), function)
        csp.add_graph_output("y", y)
        csp.stop_engine(y)

    (value,) = values(run(mode, graph)["y"])
    return value


@every_mode
def test_it_blocks_until_the_result_is_there(mode: str) -> None:
    assert in_node(mode, lambda x: await_(double(x))) == 2


def test_outside_of_runs_too() -> None:
    assert await_(double(4)) == 8


def test_it_runs_on_the_shared_loop() -> None:
    async def where() -> Any:
        return asyncio.get_running_loop()

    assert in_node(SAME_THREAD, lambda x: await_(where())) is get_shared_loop()


@every_mode
def test_exceptions_come_out(mode: str) -> None:
    with pytest.raises(LookupError, match="gone"):
        in_node(mode, lambda x: await_(failing()))


@every_mode
def test_a_timeout_cancels(mode: str) -> None:
    log = []

    async def slow() -> None:
        try:
            await forever()
        finally:
            log.append("cancelled")

    def node(x: int) -> str:
        with pytest.raises(asyncio.TimeoutError):
            await_(slow(), timeout=0.001)
        return "timed out"

    assert in_node(mode, node) == "timed out"
    assert log == ["cancelled"]


@every_mode
def test_not_blocking_gives_a_future_that_a_later_tick_can_ask(mode: str) -> None:
    futures = []
    loops = []

    async def counting() -> AsyncIterator[int]:
        yield 1
        while not futures or not futures[0].done():
            await asyncio.sleep(0.001)
        yield 2

    async def where() -> int:
        loops.append(asyncio.get_running_loop())
        return await double(5)

    @csp.node
    def asking(x: ts[int]) -> ts[int]:
        if csp.ticked(x):
            if x == 1:
                loops.append(get_csp_asyncio_loop())
                futures.append(await_(where(), block=False))
            else:
                return futures[0].result()

    def graph() -> None:
        y = asking(async_for(counting()))
        csp.add_graph_output("y", y)
        csp.stop_engine(y)

    assert values(run(mode, graph)["y"]) == [10]
    if mode != ON_THREAD:
        assert loops[0] is loops[1]


def test_a_future_of_this_threads_loop_does_not_deadlock() -> None:
    def node(x: int) -> str:
        future = await_(double(1), block=False)
        with pytest.raises(RuntimeError, match="this thread"):
            future.result()
        with pytest.raises(RuntimeError, match="this thread"):
            future.exception(timeout=100)
        return "refused"

    assert in_node(SAME_THREAD, node) == "refused"


def test_the_loop_of_this_thread_is_an_error() -> None:
    def node(x: int) -> str:
        with pytest.raises(RuntimeError, match="deadlock"):
            await_(double(1), loop=get_csp_asyncio_loop())
        return "refused"

    assert in_node(SAME_THREAD, node) == "refused"


def test_the_outer_loop_of_this_thread_is_an_error() -> None:
    def node(outer: Any) -> str:
        with pytest.raises(RuntimeError, match="deadlock"):
            await_(double(1), loop=outer)
        return "refused"

    async def main() -> str:
        outer = asyncio.get_running_loop()
        return str(in_node(SAME_THREAD, lambda x: node(outer)))

    assert csploop.run(main()) == "refused"


def test_in_a_coroutine_of_the_shared_loop_it_is_an_error() -> None:
    async def nested() -> str:
        with pytest.raises(RuntimeError, match="deadlock"):
            await_(double(1))
        return "refused"

    assert await_(nested()) == "refused"


def test_a_loop_that_does_not_run_is_an_error() -> None:
    loop = asyncio.new_event_loop()
    for block in (True, False):
        with pytest.raises(RuntimeError, match="does not run"):
            await_(double(1), block, loop=loop)
    loop.close()


def test_a_loop_of_another_thread() -> None:
    async def thread() -> int:
        return threading.get_ident()

    with AsyncContext() as context:
        here = threading.get_ident()
        assert await_(thread(), loop=context.loop) != here
        assert await_(thread(), False, loop=context.loop).result() != here


def test_cancelling_the_future_cancels_the_coroutine() -> None:
    begun = threading.Event()
    ended = threading.Event()

    async def slow() -> None:
        begun.set()
        try:
            await forever()
        finally:
            ended.set()

    future = await_(slow(), block=False)
    assert begun.wait(10)
    assert future.cancel()
    assert ended.wait(10)
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()


@every_mode
def test_the_end_of_the_run_ends_what_is_left(mode: str) -> None:
    log = []
    futures = []

    async def slow() -> None:
        try:
            await forever()
        finally:
            log.append("cancelled")

    async def two() -> AsyncIterator[int]:
        yield 1
        yield 2

    def node(x: int) -> int:
        if x == 1:
            futures.append(await_(slow(), block=False))
        return x

    def graph() -> None:
        y = calling(async_for(two()), node)
        csp.stop_engine(csp.filter(csp.count(y) == csp.const(2), y))

    run(mode, graph)
    assert log == ["cancelled"]
    assert futures[0].cancelled()


def test_ctrl_c_ends_the_wait_and_cancels_the_coroutine() -> None:
    ended = threading.Event()
    waiting = threading.get_ident()

    async def interrupting() -> None:
        # Not before the wait has begun: an exception that hits earlier finds nothing to cancel yet.
        while sys._current_frames()[waiting].f_code.co_name != "wait":
            await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await forever()
        finally:
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        await_(interrupting())
    assert ended.wait(10)


@pytest.mark.parametrize("bad", [None, 1, double])
def test_what_cannot_be_awaited_is_an_error(bad: Any) -> None:
    with pytest.raises(TypeError, match="awaitable"):
        await_(bad)
