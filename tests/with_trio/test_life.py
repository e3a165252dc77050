"""The life of an open loop: opening, current_loop, several of them, stopping, the end of the block."""

from __future__ import annotations

import asyncio
import signal
import threading

import csploop
import csploop.trio
import pytest
import sniffio
import trio
import trio.testing
from csploop.trio import aio_as_trio, current_loop, open_loop, trio_as_aio


async def test_the_loop_is_the_current_one():
    loop = current_loop.get()
    assert isinstance(loop, csploop.Loop)
    assert isinstance(loop, csploop.trio.TrioEventLoop)
    assert isinstance(loop, csploop.trio.BaseTrioEventLoop)
    assert asyncio.get_running_loop() is asyncio.get_event_loop() is loop
    assert asyncio.current_task() is None

    async def in_asyncio():
        assert asyncio.get_running_loop() is current_loop.get() is loop
        assert asyncio.current_task() is not None
        return await trio_as_aio(in_trio)()

    async def in_trio():
        assert asyncio.get_running_loop() is loop
        return "there"

    assert await aio_as_trio(in_asyncio)() == "there"


def test_current_loop_can_be_changed_and_is_seen_at_once():
    async def main():
        async with open_loop() as loop:
            token = current_loop.set(None)
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            with pytest.raises(RuntimeError):
                asyncio.get_event_loop()
            await trio.lowlevel.checkpoint()
            with pytest.raises(RuntimeError):
                asyncio.get_event_loop()
            with pytest.raises(RuntimeError, match="open_loop"):
                await aio_as_trio(asyncio.sleep)(0)
            current_loop.reset(token)
            assert asyncio.get_event_loop() is loop

    trio.run(main)


def test_tasks_outside_the_block_have_no_loop():
    async def main():
        inside, outside = trio.Event(), trio.Event()

        async def other():
            await inside.wait()
            for _ in range(3):
                with pytest.raises(RuntimeError):
                    asyncio.get_running_loop()
                await trio.lowlevel.checkpoint()
            outside.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await trio.testing.wait_all_tasks_blocked()
            async with open_loop() as loop:
                inside.set()
                await outside.wait()
                assert asyncio.get_running_loop() is loop
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()

    trio.run(main)


def test_a_task_outside_the_block_may_run_a_loop_of_its_own():
    """Which sets and takes away the thread's running loop; each task still sees its own."""

    async def main():
        inside, outside = trio.Event(), trio.Event()

        async def where():
            await asyncio.sleep(0)
            return asyncio.get_running_loop()

        async def other():
            await inside.wait()
            for run in (asyncio.run, csploop.run) * 2:
                assert run(where()) is not None
                assert asyncio._get_running_loop() is None
                await trio.lowlevel.checkpoint()
            outside.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await trio.testing.wait_all_tasks_blocked()
            async with open_loop() as loop:
                inside.set()
                while not outside.is_set():
                    assert asyncio.get_running_loop() is loop
                    assert await aio_as_trio(where)() is loop
                    await trio.lowlevel.checkpoint()
                    assert asyncio.get_running_loop() is loop

    trio.run(main)


def test_loops_can_be_nested_and_stand_side_by_side():
    async def where():
        return asyncio.get_running_loop()

    async def side(loops):
        async with open_loop() as loop:
            loops.append(loop)
            for _ in range(5):
                assert await aio_as_trio(where)() is loop
                assert asyncio.get_event_loop() is loop
                await aio_as_trio(asyncio.sleep)(0.001)

    async def main():
        loops = []
        async with open_loop() as outer:
            async with open_loop() as inner:
                assert await aio_as_trio(where)() is inner
                assert await aio_as_trio(where, loop=outer)() is outer
                # A callback of one loop that was made in the other's context.
                future = outer.create_future()
                outer.call_soon(lambda: future.set_result((asyncio.get_running_loop(), run_trio_there())))
                ran_on, crossed = await csploop.trio.run_aio_future(future)
                assert ran_on is outer
                assert await csploop.trio.run_aio_future(crossed) is outer
            assert await aio_as_trio(where)() is outer
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(side, loops)
        assert len({id(loop) for loop in loops}) == 3

    def run_trio_there():
        async def in_trio():
            return current_loop.get()

        return csploop.trio.run_trio(in_trio)

    trio.run(main)


def test_a_loop_opened_by_asyncio_code_of_another_loop():
    async def inner_block():
        async with open_loop() as inner:
            assert asyncio.get_running_loop() is inner
            return await aio_as_trio(asyncio.sleep)(0.001, "slept")

    async def main():
        return await trio_as_aio(inner_block)()

    assert csploop.trio.run(aio_as_trio(main)) == "slept"


def test_each_thread_has_its_own():
    results = []

    async def where():
        await asyncio.sleep(0.001)
        return asyncio.get_running_loop()

    def other_thread():
        results.append(csploop.trio.run(aio_as_trio(where)))
        results.append(asyncio.run(where()))
        results.append(csploop.run(where()))

    async def main():
        await trio.to_thread.run_sync(other_thread)
        return await aio_as_trio(where)()

    results.append(csploop.trio.run(main))
    assert len({id(loop) for loop in results}) == 4


async def test_threads_can_schedule():
    loop = current_loop.get()
    done = asyncio.Event()
    crossed = []

    async def in_trio():
        crossed.append(current_loop.get())
        loop.call_soon(done.set)

    thread = threading.Thread(
        target=lambda: loop.call_soon_threadsafe(lambda: csploop.trio.run_trio(in_trio))
    )
    thread.start()
    await aio_as_trio(done.wait)()
    thread.join()
    assert crossed == [loop]


async def test_such_a_loop_cannot_be_run():
    loop = current_loop.get()
    for run in (loop.run_forever, lambda: loop.run_until_complete(None)):
        with pytest.raises(RuntimeError, match="cannot be run or restarted"):
            run()
    with pytest.raises(RuntimeError, match="running"):
        loop.close()


def test_nor_restarted():
    async def main():
        block = open_loop()
        async with block as loop:
            pass
        assert loop.is_closed()
        with pytest.raises(RuntimeError, match="cannot be restarted"):
            await block.__aenter__()
        with pytest.raises(RuntimeError):
            loop.run_forever()
        with pytest.raises(RuntimeError, match="closed"):
            loop.call_soon(int)
        with pytest.raises(RuntimeError):
            loop.trio_as_future(trio.sleep, 0)
        with pytest.raises(RuntimeError, match="closed"):
            await loop.run_aio_coroutine(asyncio.sleep(0))

    trio.run(main)


def test_what_is_scheduled_runs_and_late_callbacks_are_ignored():
    seen = []

    async def main():
        async with open_loop() as loop:
            loop.call_soon(seen.append, "scheduled")
            loop.call_later(3600, seen.append, "too late")

    def again(loop):
        seen.append("again")
        loop.call_soon(again, loop)

    trio.run(main)
    assert seen == ["scheduled"]

    async def for_ever():
        async with open_loop() as loop:
            again(loop)

    trio.run(for_ever)
    assert seen.count("again") > 1


def test_leaving_cancels_both_kinds_of_tasks_and_waits():
    ended = []

    async def aio_task():
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.001)
            ended.append("asyncio")

    async def trio_task():
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await aio_as_trio(asyncio.sleep)(0.001)
            ended.append("trio")

    async def main():
        async with open_loop() as loop:
            loop.create_task(aio_task())
            loop.run_trio_task(trio_task)
            future = loop.trio_as_future(trio_task)
            await loop.synchronize()
            await trio.testing.wait_all_tasks_blocked()
        assert future.cancelled()

    trio.run(main)
    assert sorted(ended) == ["asyncio", "trio", "trio"]


def test_tasks_started_while_all_are_cancelled_end_too():
    ended = []

    async def orphan(depth):
        try:
            await asyncio.sleep(3600)
        finally:
            if depth:
                asyncio.get_running_loop().create_task(orphan(depth - 1))
            ended.append(depth)

    async def main():
        async with open_loop() as loop:
            loop.create_task(orphan(3))
            await loop.synchronize()

    trio.run(main)
    # A task that is cancelled before its first step does not begin, so the chain may end early.
    assert ended[0] == 3


def test_async_generators_are_closed():
    closed = []

    async def generator():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def main():
        async with open_loop():
            agen = generator()
            assert await aio_as_trio(agen.__anext__)() == 1
        assert closed == [True]

    trio.run(main)


def test_a_task_that_fails_while_it_is_cancelled_is_told():
    async def fails():
        try:
            await asyncio.sleep(3600)
        finally:
            raise KeyError("last words")

    async def main():
        async with open_loop() as loop:
            loop.create_task(fails())
            await loop.synchronize()

    with pytest.raises(BaseException) as caught:
        trio.run(main)
    assert repr(caught.value.exceptions) == "(KeyError('last words'),)"


def test_stop():
    async def main():
        seen = []
        async with trio.open_nursery() as nursery:
            async with open_loop() as loop:
                stopped = trio.Event()

                async def watch():
                    await loop.wait_stopped()
                    stopped.set()

                nursery.start_soon(watch)
                task = loop.create_task(asyncio.sleep(3600))
                nursery.start_soon(expect_stop, task)
                await trio.testing.wait_all_tasks_blocked()
                loop.call_soon(seen.append, "before")
                event = loop.stop()
                assert isinstance(event, trio.Event)
                await event.wait()
                assert not loop.is_running()
                await stopped.wait()
                loop.call_soon(seen.append, "after")
                mine = trio.Event()
                assert loop.stop(mine) is mine
                assert mine.is_set()
                with pytest.raises(RuntimeError, match="does not run"):
                    await loop.run_aio_coroutine(asyncio.sleep(0))
                assert seen == ["before"]
            assert task.cancelled(), "no orphan"

    async def expect_stop(task):
        with pytest.raises(RuntimeError, match="stopped before"):
            await csploop.trio.run_aio_future(task)

    trio.run(main)


@pytest.mark.parametrize("how", ["call_soon", "call_later", "task", "direct"])
def test_stop_while_the_block_is_left(how):
    ended = []

    async def stops(loop):
        try:
            await asyncio.sleep(3600)
        finally:
            loop.stop()
            await asyncio.sleep(0)
            ended.append(True)

    async def main():
        async with open_loop() as loop:
            loop.create_task(stops(loop))
            await loop.synchronize()
            if how == "call_soon":
                loop.call_soon(loop.stop)
            elif how == "call_later":
                loop.call_later(0, loop.stop)
            elif how == "direct":
                loop.stop()
        assert loop.is_closed()
        assert ended == [True]

    trio.run(main)


def test_synchronize_is_told_of_a_stop():
    async def main():
        async with open_loop() as loop:
            loop.call_soon(loop.stop)
            loop.call_soon(lambda: None)
            await loop.wait_stopped()
            with pytest.raises(RuntimeError, match="does not run"):
                await loop.synchronize()

    trio.run(main)


def test_stop_from_a_callback():
    async def main():
        async with open_loop() as loop:
            seen = []
            loop.call_soon(loop.stop)
            loop.call_soon(seen.append, 1)
            loop.call_soon(lambda: loop.call_soon(seen.append, 2))
            await loop.wait_stopped()
            assert seen == [1]

    trio.run(main)


async def test_synchronize_waits_for_what_is_scheduled():
    loop = current_loop.get()
    seen = []
    for number in range(100):
        loop.call_soon(seen.append, number)
    await loop.synchronize()
    assert len(seen) == 100

    async def in_asyncio():
        loop.call_soon(seen.append, "last")
        await trio_as_aio(loop.synchronize)()
        assert seen[-1] == "last"

    await aio_as_trio(in_asyncio)()


def test_queue_len_bounds_the_ready_queue():
    async def main():
        loop = current_loop.get()
        for _ in range(5):
            loop.call_soon(int)
        with pytest.raises(trio.WouldBlock, match="queue_len"):
            loop.call_soon(int)
        await trio.testing.wait_all_tasks_blocked()
        await loop.synchronize()

    csploop.trio.run(main, queue_len=5)


def test_the_run_takes_trios_options():
    class Tracer(trio.abc.Instrument):
        runs = 0

        def before_run(self):
            Tracer.runs += 1

    async def main():
        return await aio_as_trio(asyncio.sleep)(0, "result")

    assert csploop.trio.run(main, instruments=[Tracer()]) == "result"
    assert Tracer.runs == 1


def test_the_policys_loop_is_hidden_only_meanwhile():
    mine = csploop.new_event_loop()
    asyncio.set_event_loop(mine)
    try:

        async def main():
            async with open_loop() as loop:
                assert asyncio.get_event_loop() is loop

        trio.run(main)
        assert asyncio.get_event_loop() is mine
    finally:
        asyncio.set_event_loop(None)
        mine.close()


async def test_allow_asyncio_takes_both():
    async def inner():
        await trio.sleep(0)
        return await asyncio.sleep(0.001, "inner")

    async def hybrid():
        await asyncio.sleep(0)
        await trio.lowlevel.checkpoint()
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_exception, KeyError("future"))
        with pytest.raises(KeyError, match="future"):
            await future
        with trio.move_on_after(0.005) as scope:
            await asyncio.sleep(3600)
        assert scope.cancelled_caught
        return await csploop.trio.allow_asyncio(inner)

    assert await csploop.trio.allow_asyncio(hybrid) == "inner"
    assert await csploop.trio.allow_asyncio(asyncio.ensure_future, asyncio.sleep(0, "future")) == "future"


def test_ctrl_c_just_after_the_future_that_allow_asyncio_waited_for_is_not_lost():
    class Interrupting(asyncio.Future):
        asked = 0

        def result(self):
            self.asked += 1
            if self.asked == 1:
                signal.raise_signal(signal.SIGINT)
            return super().result()

    async def hybrid():
        future = Interrupting()
        asyncio.get_running_loop().call_soon(future.set_result, "lost")
        return await future

    with pytest.raises(KeyboardInterrupt):
        csploop.trio.run(csploop.trio.allow_asyncio, hybrid)


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="eager tasks are new in Python 3.12")
async def test_eager_tasks_are_asyncio_code_from_their_first_step():
    loop = current_loop.get()
    loop.set_task_factory(asyncio.eager_task_factory)
    calling = trio.lowlevel.current_task()

    async def first_step():
        seen = sniffio.current_async_library(), asyncio.current_task() is not None
        await trio_as_aio(trio.sleep)(0)
        return seen, sniffio.current_async_library()

    assert await aio_as_trio(first_step)() == (("asyncio", True), "asyncio")
    assert sniffio.current_async_library() == "trio"
    assert trio.lowlevel.current_task() is calling


def test_methods_can_be_decorated():
    class Both:
        @aio_as_trio
        async def from_trio(self, value):
            return self, asyncio.current_task() is not None, value

        @trio_as_aio
        async def from_asyncio(self, value, *, other):
            await trio.lowlevel.checkpoint()
            return self, value, other

    both = Both()

    async def main():
        assert await both.from_trio(1) == (both, True, 1)
        assert await Both.from_trio(both, value=1) == (both, True, 1)
        assert await aio_as_trio(in_asyncio)() == (both, 1, 2)

    async def in_asyncio():
        return await both.from_asyncio(1, other=2)

    csploop.trio.run(main)


def test_a_cancellation_interrupts_the_clean_up_of_async_generators():
    """They have begun to close then: they see a CancelledError of asyncio's, where they wait."""
    seen = []

    async def generator(name):
        try:
            yield name
        finally:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append(name)
                raise

    async def main():
        agens = [generator("first"), generator("second")]
        with trio.CancelScope() as scope:
            async with open_loop() as loop:
                for agen in agens:
                    await aio_as_trio(agen.__anext__)()
                loop.call_soon(scope.cancel)
        assert scope.cancelled_caught
        assert sorted(seen) == ["first", "second"]
        assert loop.is_closed()

    trio.run(main)


def test_the_end_of_a_block_is_cancelled_as_anything_in_trio():
    """No group around trio.Cancelled where there is nothing else."""

    async def generator():
        try:
            yield 1
        finally:
            await asyncio.Event().wait()

    async def main():
        agen = generator()
        with trio.CancelScope() as scope, pytest.raises(trio.Cancelled):
            async with open_loop():
                assert await aio_as_trio(agen.__anext__)() == 1
                scope.cancel()

    trio.run(main)


def test_a_stopped_loop_can_be_closed_in_its_block():
    ended = []

    async def sleeper():
        try:
            await trio.sleep_forever()
        finally:
            ended.append(True)

    async def main():
        async with open_loop() as loop:
            waited_for = loop.trio_as_future(sleeper)
            waited_for.add_done_callback(ended.append)
            loop.run_trio_task(sleeper)
            await trio.testing.wait_all_tasks_blocked()
            await loop.stop().wait()
            loop.close()
            with pytest.raises(RuntimeError, match="closed"):
                loop.call_soon(print)
        assert ended == [True, True]
        assert not waited_for.done()

    trio.run(main)


def test_what_fails_after_its_loop_was_closed_is_logged(caplog):
    async def fails():
        try:
            await trio.sleep_forever()
        finally:
            raise KeyError("too late")

    async def main():
        async with open_loop() as loop:
            loop.trio_as_future(fails).add_done_callback(print)
            await trio.testing.wait_all_tasks_blocked()
            await loop.stop().wait()
            loop.close()

    trio.run(main)
    assert [record.exc_info[0] for record in caplog.records] == [KeyError]
