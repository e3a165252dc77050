"""Calls that make no sense: each says what to do, hangs nobody and leaves no task behind."""

from __future__ import annotations

import asyncio
import threading
import warnings

import csploop
import csploop.trio
import pytest
import trio
from csploop.trio import aio_as_trio, current_loop, run_aio_future, trio_as_aio


async def nothing():
    pass


async def numbers():
    yield 1


def test_asyncio_code_from_trio_without_an_open_loop():
    calls = {
        "call": lambda: aio_as_trio(nothing)(),
        "awaitable": lambda: _await(aio_as_trio(nothing())),
        "iterator": lambda: _iterate(aio_as_trio(numbers())),
        "run_aio_coroutine": lambda: csploop.trio.run_aio_coroutine(nothing()),
        "run_trio": lambda: _call(csploop.trio.run_trio, nothing),
        "run_trio_task": lambda: _call(csploop.trio.run_trio_task, nothing),
    }

    async def main():
        for call in calls.values():
            with pytest.raises(RuntimeError, match=r"async with csploop\.trio\.open_loop\(\)"):
                await call()
        with pytest.raises(RuntimeError, match="no running event loop"):
            await asyncio.sleep(1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trio.run(main)


async def _await(wrapper):
    return await wrapper


async def _iterate(wrapper):
    return [each async for each in wrapper]


async def _call(function, *args):
    return function(*args)


@pytest.mark.parametrize("run", [asyncio.run, csploop.run], ids=["asyncio", "csploop"])
def test_trio_code_from_plain_asyncio(run):
    async def main():
        with pytest.raises(RuntimeError, match=r"run_guest"):
            await trio_as_aio(nothing)()
        with pytest.raises(RuntimeError, match=r"run_guest"):
            csploop.trio.run_trio_task(nothing)
        with pytest.raises(RuntimeError, match="async context"):
            await trio.sleep(1)

    run(main())


def test_without_any_loop():
    with pytest.raises(RuntimeError, match="open_loop"):
        trio_as_aio(nothing)()


async def test_awaiting_trio_in_asyncio():
    async def wrong():
        await trio.sleep(3600)

    with pytest.raises(RuntimeError, match="Task got bad yield.*trio_as_aio"):
        await aio_as_trio(wrong)()
    assert asyncio.all_tasks(current_loop.get()) == set()


async def test_awaiting_asyncio_in_trio():
    async def wrong():
        await asyncio.sleep(3600)

    async def from_asyncio():
        with pytest.raises(TypeError, match="aio_as_trio.*allow_asyncio"):
            await trio_as_aio(wrong)()

    await aio_as_trio(from_asyncio)()
    with pytest.raises(TypeError, match="unrecognized yield message"):
        await wrong()


def test_awaiting_asyncio_in_the_block():
    async def wrong():
        await asyncio.sleep(3600)

    with pytest.raises(TypeError, match="aio_as_trio.*allow_asyncio"):
        csploop.trio.run(wrong)


async def test_awaiting_a_wrapped_trio_function_in_trio():
    with pytest.raises(TypeError, match="unrecognized yield message"):
        await trio_as_aio(nothing)()


async def test_awaiting_a_wrapped_asyncio_function_in_asyncio():
    async def wrong():
        await aio_as_trio(nothing)()

    with pytest.raises(RuntimeError, match="trio_as_aio"):
        await aio_as_trio(wrong)()


async def test_what_cannot_be_wrapped():
    with pytest.raises(TypeError, match=r"trio_as_aio\(function\)\(\*args\)"):
        trio_as_aio(nothing())
    with pytest.raises(TypeError, match="cannot be called"):
        await aio_as_trio(numbers())()
    with pytest.raises(TypeError):
        await aio_as_trio(5)
    with pytest.raises(TypeError):
        await run_aio_future(trio_as_aio(len)([]))
    with pytest.raises(RuntimeError, match="StopIteration"):
        await run_aio_future(trio_as_aio(next)(iter([])))


def test_closing_a_loop_with_work_pending():
    async def main():
        async with csploop.trio.open_loop() as loop:
            task = loop.create_task(asyncio.sleep(3600))
            with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
                loop.close()
        assert task.cancelled()

    trio.run(main)
    loop = csploop.trio.SyncTrioEventLoop()

    async def closes():
        with pytest.raises(RuntimeError, match="running"):
            loop.close()

    loop.run_until_complete(closes())
    loop.close()
    loop.close()


def test_a_future_of_a_closed_loop():
    async def main():
        async with csploop.trio.open_loop() as loop:
            future = loop.create_future()
        with pytest.raises(RuntimeError, match="closed"):
            await run_aio_future(future)

    trio.run(main)


async def test_a_future_of_another_threads_loop():
    loop = csploop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        future = loop.create_future()
        while not loop.is_running():
            await trio.sleep(0.001)
        with pytest.raises(RuntimeError, match="another thread"):
            await run_aio_future(future)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        await trio.to_thread.run_sync(thread.join)
        loop.close()


async def test_trio_code_started_from_another_thread():
    loop = current_loop.get()
    errors = []

    def elsewhere():
        for start in (loop.trio_as_future, loop.run_trio_task):
            try:
                start(nothing)
            except RuntimeError as exc:
                errors.append(str(exc))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(errors) == 2
    assert all("call_soon_threadsafe" in error for error in errors)


def test_a_loop_that_nobody_opened():
    loop = csploop.trio.TrioEventLoop()

    async def main():
        with pytest.raises(RuntimeError, match="does not run"):
            await loop.run_aio_coroutine(nothing())
        with pytest.raises(RuntimeError, match="does not run"):
            await loop.synchronize()

    with pytest.raises(RuntimeError, match="open_loop"):
        loop.trio_as_future(nothing)
    trio.run(main)
    assert loop.stop().is_set()
    loop.close()


def test_trio_tasks_after_the_block():
    async def main():
        async with csploop.trio.open_loop() as loop:
            pass
        with pytest.raises(RuntimeError, match="open_loop"):
            loop.trio_as_future(nothing)

    trio.run(main)


def test_a_run_inside_a_run():
    async def main():
        with pytest.raises(RuntimeError, match="inside"):
            csploop.trio.run(nothing)
        coroutine = nothing()
        with pytest.raises(RuntimeError, match="running event loop"):
            asyncio.run(coroutine)
        coroutine.close()

    csploop.trio.run(main)
