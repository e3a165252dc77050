"""The reverse: Trio as the guest of a csploop loop; and loops that run by themselves with such a guest."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import subprocess
import sys
import textwrap
import threading

import csploop
import csploop.trio
import pytest
import sniffio
import trio
import trio.testing
from csploop.trio import SyncTrioEventLoop, aio_as_trio, current_loop, run_guest, start_guest, trio_as_aio

SHORT = 0.002


async def trio_main(value, sec=SHORT):
    await trio.sleep(sec)
    assert sniffio.current_async_library() == "trio"
    return value


def test_an_asyncio_program_calls_trio():
    async def main():
        result = await run_guest(trio_main, 42)
        assert not trio.lowlevel.in_trio_run(), "the run has ended with its last call"
        return result

    assert csploop.run(main()) == 42


def test_calls_that_overlap_share_a_run():
    tokens = set()

    async def one(number):
        tokens.add(trio.lowlevel.current_trio_token())
        return await trio_main(number, SHORT * number)

    async def main():
        return await asyncio.gather(*(run_guest(one, number) for number in range(5)))

    assert csploop.run(main()) == [0, 1, 2, 3, 4]
    assert len(tokens) == 1


def test_calls_one_after_another():
    async def main():
        return [await run_guest(trio_main, number) for number in range(20)]

    assert csploop.run(main()) == list(range(20))


def test_calls_that_come_just_when_the_run_ends():
    async def nothing():
        pass

    async def caller(count):
        for _ in range(count):
            await run_guest(nothing)
            await asyncio.sleep(0)

    async def main():
        await asyncio.gather(*(caller(10) for _ in range(7)))

    csploop.run(main())


variable = contextvars.ContextVar("variable")


async def reads_variable():
    await trio.lowlevel.checkpoint()
    return variable.get()


def test_each_call_has_its_callers_context():
    """Also calls that wait until Trio's run has begun."""

    async def caller(number):
        variable.set(number)
        return [await run_guest(reads_variable) for _ in range(3)]

    async def main():
        return await asyncio.gather(*map(caller, range(4)))

    assert csploop.run(main()) == [[number] * 3 for number in range(4)]


def test_so_does_one_that_comes_just_when_the_run_ends():
    async def caller(name):
        variable.set(name)
        return await run_guest(reads_variable)

    async def main():
        # One of the distances meets the end of the first one's run.
        for distance in range(20):
            first = asyncio.ensure_future(caller("first"))
            for _ in range(distance):
                await asyncio.sleep(0)
            assert await caller("second") == "second"
            assert await first == "first"

    csploop.run(main())


def test_errors_and_cancellation_cross():
    seen = []

    async def fails():
        raise KeyError("there")

    async def sleeper(begun):
        try:
            begun.set()
            await trio.sleep_forever()
        finally:
            seen.append("ended")

    async def main():
        with pytest.raises(KeyError, match="there"):
            await run_guest(fails)
        begun = asyncio.Event()
        future = start_guest(sleeper, begun)
        await begun.wait()
        future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await future
        assert seen == ["ended"]
        begun.clear()
        task = asyncio.ensure_future(run_guest(sleeper, begun))
        await begun.wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(task, SHORT)
        assert seen == ["ended", "ended"]

    csploop.run(main())


def test_the_border_is_open_in_both_directions():
    async def in_asyncio(depth):
        assert sniffio.current_async_library() == "asyncio"
        assert asyncio.current_task() is not None
        if depth:
            return await trio_as_aio(in_trio)(depth - 1)
        return asyncio.get_running_loop()

    async def in_trio(depth):
        assert asyncio.current_task() is None
        return await aio_as_trio(in_asyncio)(depth)

    async def main():
        assert await run_guest(in_trio, 4) is asyncio.get_running_loop()

    csploop.run(main())


def test_no_thread_waits_for_trio():
    before = threading.active_count()

    async def count():
        await trio.sleep(SHORT)
        return threading.active_count()

    async def main():
        return await run_guest(count)

    assert csploop.run(main()) == before


def test_waits_of_all_kinds_end():
    """Deadlines, descriptors, what the host's code does, idleness."""

    async def in_trio(event, to_trio):
        ours, theirs = trio.socket.socketpair()
        with trio.move_on_after(SHORT) as scope:
            await ours.recv(1)
        assert scope.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(theirs.send, b"x")
            assert await ours.recv(1) == b"x"
        await trio.testing.wait_all_tasks_blocked()
        to_trio.set_result(None)
        await event.wait()
        ours.close()
        theirs.close()
        assert await trio.to_thread.run_sync(lambda: 5) == 5
        return "all"

    async def main():
        event = trio.Event()
        ready = asyncio.get_running_loop().create_future()
        future = start_guest(in_trio, event, ready)
        await ready
        await asyncio.sleep(SHORT)
        event.set()  # from the host's side
        return await future

    assert csploop.run(main()) == "all"


def test_options_are_trios():
    clock = trio.testing.MockClock(autojump_threshold=0)

    async def main():
        assert await run_guest(trio_main, 1, 3600, clock=clock) == 1

        async def other():
            with pytest.raises(RuntimeError, match="too late for options"):
                start_guest(trio_main, 1, clock=clock)

        async def first():
            await aio_as_trio(other)()

        await run_guest(first)

    csploop.run(main())


def test_a_loop_may_open_inside_the_guest():
    async def in_trio(host):
        async with csploop.trio.open_loop() as loop:
            assert asyncio.get_running_loop() is loop
            assert await aio_as_trio(where)() is loop
        assert asyncio.get_running_loop() is host

    async def where():
        await asyncio.sleep(SHORT)
        return asyncio.get_running_loop()

    async def main():
        host = asyncio.get_running_loop()
        other = asyncio.ensure_future(where())
        await run_guest(in_trio, host)
        assert await other is host

    csploop.run(main())


def test_bad_callers():
    async def on_another_loop():
        with pytest.raises(RuntimeError, match="csploop loop"):
            start_guest(trio_main, 1)

    asyncio.run(on_another_loop())
    with pytest.raises(RuntimeError, match="csploop loop"):
        start_guest(trio_main, 1)

    async def in_asyncio():
        with pytest.raises(RuntimeError, match="trio_as_aio"):
            start_guest(trio_main, 1)

    csploop.trio.run(aio_as_trio(in_asyncio))


def test_what_is_cancelled_after_trio_has_looked_ends_all_the_same():
    # As a signal's handler does at a bad moment: Trio has decided how long it waits, and has not begun to.
    class LastMoment(trio.abc.Instrument):
        future = None

        def before_io_wait(self, timeout):
            if timeout > 0 and self.future is not None:
                future, self.future = self.future, None
                future.cancel()

    async def main():
        moment = LastMoment()
        moment.future = future = start_guest(trio.sleep_forever, instruments=[moment])
        with pytest.raises(asyncio.CancelledError):
            await future
        assert moment.future is None

    csploop.run(main())


def test_ctrl_c_reaches_the_program():
    program = textwrap.dedent("""
        import asyncio, csploop, csploop.trio, trio

        async def in_trio():
            print("ready", flush=True)
            try:
                await trio.sleep_forever()
            finally:
                print("cleaned up", flush=True)

        async def main():
            await csploop.trio.run_guest(in_trio)

        try:
            csploop.run(main())
        except KeyboardInterrupt:
            print("KeyboardInterrupt", flush=True)
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=50)
        finally:
            process.kill()
    assert output.split() == ["cleaned", "up", "KeyboardInterrupt"]


def test_a_sync_loop_runs_more_than_once():
    with SyncTrioEventLoop() as loop:

        async def main(value):
            assert asyncio.get_running_loop() is loop
            return await trio_as_aio(in_trio)(value)

        async def in_trio(value):
            assert current_loop.get() is asyncio.get_running_loop() is loop
            await trio.sleep(SHORT)
            return await aio_as_trio(asyncio.sleep)(0, value)

        for value in range(3):
            assert loop.run_until_complete(main(value)) == value
            assert not trio.lowlevel.in_trio_run()
            assert trio.run(trio_main, 5) == 5
        assert loop.run_until_complete(loop.run_in_executor(None, lambda: 7)) == 7
    assert loop.is_closed()


def test_each_trio_task_of_a_sync_loop_has_its_callers_context():
    async def caller(number):
        variable.set(number)
        return [await trio_as_aio(reads_variable)() for _ in range(3)]

    async def main():
        return await asyncio.gather(*map(caller, range(4)))

    with SyncTrioEventLoop() as loop:
        assert loop.run_until_complete(main()) == [[number] * 3 for number in range(4)]


def test_sync_loops_side_by_side_keep_their_trio_tasks():
    loops = [SyncTrioEventLoop() for _ in range(3)]
    futures = []
    for number, loop in enumerate(loops):
        event = trio.Event()

        async def waits(event=event, number=number):
            await event.wait()
            return number

        futures.append((event, loop.trio_as_future(waits)))
        loop.run_until_complete(asyncio.sleep(SHORT))
    for loop, (event, future) in zip(loops, futures):
        loop.call_soon(event.set)
        assert loop.run_until_complete(future) == loops.index(loop)
    for loop in loops:
        loop.close()


def test_closing_a_sync_loop_cancels_what_is_left_in_trio():
    ended = []

    async def stays():
        try:
            await trio.sleep_forever()
        finally:
            ended.append(True)

    loop = SyncTrioEventLoop()
    future = loop.trio_as_future(stays)
    loop.run_trio_task(stays)
    loop.run_until_complete(asyncio.sleep(SHORT))
    loop.close()
    assert ended == [True, True]
    assert future.cancelled()
    with pytest.raises(RuntimeError, match="closed"):
        loop.trio_as_future(stays)
    with pytest.raises(RuntimeError, match="closed"):
        loop.run_forever()


def test_wait_stopped_and_synchronize_on_a_sync_loop():
    seen = []
    with SyncTrioEventLoop() as loop:

        async def in_trio():
            loop.call_soon(seen.append, 1)
            await loop.synchronize()
            assert seen == [1]

        loop.run_until_complete(loop.trio_as_future(in_trio))
        with pytest.raises(RuntimeError, match="does not run"):
            trio.run(loop.synchronize)
        trio.run(loop.wait_stopped)
