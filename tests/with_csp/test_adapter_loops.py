"""The shared loop, AsyncContext, and which loop is chosen."""

from __future__ import annotations

import asyncio
import os
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
    get_async_loop,
    get_csp_asyncio_loop,
    get_running_loop_or_none,
    get_shared_loop,
    shutdown_shared_loop,
)
from support.csp_runs import MODES, run, values


@pytest.fixture(autouse=True)
def no_shared_loop() -> Iterator[None]:
    yield
    shutdown_shared_loop()


async def thread() -> int:
    return threading.get_ident()


# The shared loop.


def test_all_share_one_loop_on_a_thread_of_its_own() -> None:
    loop = get_shared_loop()
    assert isinstance(loop, csploop.Loop)
    assert get_shared_loop() is loop
    assert loop.is_running()
    assert asyncio.run_coroutine_threadsafe(thread(), loop).result() != threading.get_ident()


def test_many_threads_that_ask_at_once_get_one_loop() -> None:
    barrier = threading.Barrier(8)
    loops = []

    def ask() -> None:
        barrier.wait()
        loops.append(get_shared_loop())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(loops) == 8
    assert len(set(loops)) == 1


def test_shutdown_cancels_awaits_and_closes() -> None:
    loop = get_shared_loop()
    begun = threading.Event()
    log = []

    async def slow() -> None:
        begun.set()
        try:
            await loop.create_future()
        finally:
            await asyncio.sleep(0.001)
            log.append("cleaned up")

    asyncio.run_coroutine_threadsafe(slow(), loop)
    assert begun.wait(10)
    shutdown_shared_loop()
    assert log == ["cleaned up"]
    assert loop.is_closed()


def test_shutdown_twice_is_once_and_the_next_use_makes_a_new_loop() -> None:
    first = get_shared_loop()
    shutdown_shared_loop()
    shutdown_shared_loop()
    second = get_shared_loop()
    assert second is not first
    assert second.is_running()


def test_shutdown_on_the_loops_own_thread_is_an_error() -> None:
    async def inside() -> None:
        shutdown_shared_loop()

    with pytest.raises(RuntimeError, match="own thread"):
        await_(inside())
    assert get_shared_loop().is_running()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_makes_its_own() -> None:
    parents = get_shared_loop()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if get_shared_loop() is not parents and await_(thread()):
                shutdown_shared_loop()
                code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert await_(thread()) != threading.get_ident()


# Which loop.


def test_without_any_other_the_shared_loop_is_chosen() -> None:
    assert get_running_loop_or_none() is None
    assert get_async_loop() is get_shared_loop()


def test_the_running_loop_comes_before_the_shared_one() -> None:
    async def main() -> None:
        assert get_running_loop_or_none() is asyncio.get_running_loop()
        assert get_async_loop() is asyncio.get_running_loop()

    csploop.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_the_runs_loop_comes_before_the_running_one(mode: str) -> None:
    seen: list[Any] = []

    async def one() -> AsyncIterator[int]:
        yield 1

    @csp.node
    def asking(x: ts[int]) -> ts[bool]:
        if csp.ticked(x):
            seen.append((get_async_loop(), get_csp_asyncio_loop()))
            return True

    def graph() -> None:
        csp.stop_engine(asking(async_for(one())))

    async def main() -> None:
        run(mode, graph)
        ((chosen, runs),) = seen
        assert chosen is runs
        assert chosen is not asyncio.get_running_loop()

    csploop.run(main())


# AsyncContext.


def test_a_context_runs_coroutines_on_its_own_thread() -> None:
    with AsyncContext() as context:
        assert context.run(thread()) != threading.get_ident()
        assert context.run_nowait(thread()).result() == context.run(thread())
        assert context.loop is not get_shared_loop()
    assert context.loop is None


def test_start_and_stop_are_idempotent_and_a_context_can_start_again() -> None:
    context = AsyncContext()
    for _ in range(2):
        context.start()
        loop = context.loop
        context.start()
        assert context.loop is loop
        assert context.run(thread())
        context.stop()
        context.stop()


def test_in_a_nodes_start_and_stop() -> None:
    async def double(x: int) -> int:
        await asyncio.sleep(0.001)
        return 2 * x

    async def one() -> AsyncIterator[int]:
        yield 21

    @csp.node
    def doubling(x: ts[int]) -> ts[int]:
        with csp.state():
            s_context = None
        with csp.start():
            s_context = AsyncContext()
            s_context.start()
        with csp.stop():
            s_context.stop()
        if csp.ticked(x):
            return s_context.run(double(x))

    def graph() -> None:
        y = doubling(async_for(one()))
        csp.add_graph_output("y", y)
        csp.stop_engine(y)

    assert values(run("same-thread", graph)["y"]) == [42]


def test_a_context_that_is_not_started_is_an_error() -> None:
    context = AsyncContext()
    for call in (context.run, context.run_nowait):
        with pytest.raises(RuntimeError, match="not started"):
            call(thread())
    with AsyncContext() as context:
        pass
    with pytest.raises(RuntimeError, match="not started"):
        context.run(thread())


def test_a_context_bounds_and_cancels() -> None:
    log = []

    async def slow() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            log.append("cancelled")

    with AsyncContext() as context:
        with pytest.raises(asyncio.TimeoutError):
            context.run(slow(), timeout=0.001)
        assert log == ["cancelled"]
        left = context.run_nowait(slow())
        context.run(asyncio.sleep(0))
    assert log == ["cancelled"] * 2
    assert left.cancelled()


def test_run_on_the_contexts_own_thread_is_an_error() -> None:
    with AsyncContext() as context:

        async def inside() -> Any:
            return context.run(thread())

        with pytest.raises(RuntimeError, match="this thread"):
            context.run(inside())
