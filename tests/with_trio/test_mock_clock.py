"""Loops under a clock that Trio was given, such as MockClock: asyncio's time is Trio's."""

from __future__ import annotations

import asyncio

import csploop.trio
import pytest
import trio
import trio.testing
from csploop.trio import aio_as_trio, open_loop, trio_as_aio


def run(main, **options):
    return csploop.trio.run(main, clock=trio.testing.MockClock(**options))


def autojump(main):
    return run(main, autojump_threshold=0)


def test_a_sleep_takes_no_time_and_ends_exactly():
    async def main():
        loop = asyncio.get_running_loop()
        assert loop.time() == trio.current_time() == 0
        await aio_as_trio(asyncio.sleep)(3600)
        assert loop.time() == trio.current_time() == 3600
        await aio_as_trio(asyncio.sleep)(0.1)
        await aio_as_trio(asyncio.sleep)(0.2)
        assert trio.current_time() == pytest.approx(3600.3, abs=1e-8)

    autojump(main)


@pytest.mark.parametrize("start", [0.0, 0.3, 12345.678, 1e7 + 1 / 3, 3e8 + 1 / 7])
def test_sleeps_end_wherever_the_clock_stands(start):
    """What a float cannot tell at that time must not leave a timer that is due and yet not."""

    async def main():
        await trio.sleep(start)
        loop = asyncio.get_running_loop()
        for delay in (1e-6, 0.001, 1 / 3, 0.7, 86400.1):
            begun = trio.current_time()
            await aio_as_trio(asyncio.sleep)(delay)
            assert loop.time() == trio.current_time() == pytest.approx(begun + delay, abs=2e-7)

    autojump(main)


def test_sleeps_of_both_kinds_come_in_their_order():
    seen = []

    async def in_asyncio(name, delay):
        await asyncio.sleep(delay)
        seen.append((trio.current_time(), name))

    async def in_trio(name, delay):
        await trio.sleep(delay)
        seen.append((trio.current_time(), name))

    async def main():
        async with trio.open_nursery() as nursery:
            for delay in (5, 1, 3):
                nursery.start_soon(aio_as_trio(in_asyncio), "asyncio", delay)
            for delay in (4, 6, 2):
                nursery.start_soon(in_trio, "trio", delay)

    autojump(main)
    assert seen == [(1, "asyncio"), (2, "trio"), (3, "asyncio"), (4, "trio"), (5, "asyncio"), (6, "trio")]


def test_timeouts_of_both_kinds_reach_across():
    async def in_trio():
        await trio.sleep(10)

    async def in_asyncio():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(trio_as_aio(in_trio)(), 2.5)
        assert asyncio.get_running_loop().time() == 2.5
        await asyncio.sleep(10)

    async def main():
        with trio.move_on_after(4) as scope:
            await aio_as_trio(in_asyncio)()
        assert scope.cancelled_caught
        assert trio.current_time() == 4

    autojump(main)


def test_a_clock_that_only_a_jump_moves():
    async def main():
        clock = trio.lowlevel.current_clock()
        loop = asyncio.get_running_loop()
        fired = []
        loop.call_later(10, fired.append, "later")
        loop.call_at(20, fired.append, "at")
        cancelled = loop.call_at(15, fired.append, "cancelled")
        assert cancelled.when() == 15
        cancelled.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert fired == []
        clock.jump(10)
        while not fired:
            await trio.testing.wait_all_tasks_blocked()
        assert fired == ["later"]
        clock.jump(100)
        while len(fired) < 2:
            await trio.testing.wait_all_tasks_blocked()
        assert fired == ["later", "at"]
        assert loop.time() == 110

    run(main)


def test_io_works_under_such_a_clock():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async def talk():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"hello\n")
            assert await reader.read() == b"hello\n"
            writer.close()
            await writer.wait_closed()

    run(aio_as_trio(talk))


def test_several_loops_and_times_before_and_after():
    async def main():
        async with open_loop() as first, open_loop() as second:
            await first.run_aio_coroutine(asyncio.sleep(1))
            await second.run_aio_coroutine(asyncio.sleep(1))
            assert first.time() == second.time() == trio.current_time() == 2
        return first

    loop = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert loop.time() == 2
    with pytest.raises(TypeError):
        loop.call_later(None, print)


def test_times_that_are_none():
    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(ValueError, match="NaN"):
            loop.call_later(float("nan"), print)
        never = loop.call_later(float("inf"), print)
        loop.call_later(-1, never.cancel)
        while not never.cancelled():
            await trio.lowlevel.checkpoint()

    run(main)
