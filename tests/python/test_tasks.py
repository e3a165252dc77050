"""Tasks and futures on the loop."""

from __future__ import annotations

import asyncio
import contextvars
import sys

import pytest


async def test_create_task_runs_on_this_loop(loop):
    async def main():
        return asyncio.get_running_loop()

    task = loop.create_task(main())
    assert isinstance(task, asyncio.Task)
    assert await task is loop
    assert task.get_loop() is loop


async def test_futures_are_asyncios_own(loop):
    future = loop.create_future()
    assert isinstance(future, asyncio.Future)
    loop.call_soon(future.set_result, 5)
    assert await future == 5


async def test_a_task_can_be_named(loop):
    task = loop.create_task(asyncio.sleep(0), name="a name")
    assert task.get_name() == "a name"
    await task


@pytest.mark.skipif(sys.version_info < (3, 11), reason="create_task takes a context since Python 3.11")
async def test_a_task_runs_in_a_given_context(loop):
    variable = contextvars.ContextVar("variable")
    context = contextvars.copy_context()

    async def main():
        variable.set("inside")

    await loop.create_task(main(), context=context)
    assert context[variable] == "inside"


async def test_a_task_factory_is_used(loop):
    made = []

    def factory(loop, coro, **options):
        task = asyncio.Task(coro, loop=loop, **options)
        made.append(task)
        return task

    assert loop.get_task_factory() is None
    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    task = loop.create_task(asyncio.sleep(0, 3))
    assert await task == 3
    assert made == [task]
    loop.set_task_factory(None)
    with pytest.raises(TypeError):
        loop.set_task_factory(42)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks are new in Python 3.12")
async def test_eager_tasks(loop):
    seen = []

    async def main(value):
        seen.append(value)

    loop.set_task_factory(asyncio.eager_task_factory)
    task = loop.create_task(main(1))
    assert seen == [1]
    await task
    loop.set_task_factory(None)


async def test_gather_wait_and_as_completed(loop):
    async def value(number):
        await asyncio.sleep(0)
        return number

    assert await asyncio.gather(*(value(number) for number in range(20))) == list(range(20))
    tasks = [loop.create_task(value(number)) for number in range(5)]
    done, pending = await asyncio.wait(tasks)
    assert len(done) == 5 and not pending
    assert sorted([await future for future in asyncio.as_completed([value(1), value(2)])]) == [1, 2]


async def test_cancelling_a_task_that_sleeps(loop):
    reached = []

    async def main():
        try:
            await asyncio.sleep(1000)
        finally:
            reached.append("finally")

    task = loop.create_task(main())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached == ["finally"]


async def test_wait_for_gives_up_after_its_time(loop):
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(loop.create_future(), 0.002)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(loop.create_future(), 0)
    assert await asyncio.wait_for(asyncio.sleep(0, "in time"), 10) == "in time"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="timeout and TaskGroup are new in Python 3.11")
async def test_timeout_and_task_group(loop):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.002):
            await loop.create_future()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asyncio.sleep(0, number)) for number in range(5)]
    assert [task.result() for task in tasks] == list(range(5))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="timeout is new in Python 3.11")
async def test_timeouts_can_be_moved(loop):
    async with asyncio.timeout_at(loop.time() + 1000) as limit:
        assert limit.when() > loop.time()
        limit.reschedule(None)
        assert limit.when() is None
    assert not limit.expired()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit:
            limit.reschedule(loop.time() + 0.002)
            await loop.create_future()
    assert limit.expired()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout_at(loop.time() - 1):
            await loop.create_future()
    # What is not due by the end of the block does not come afterwards.
    async with asyncio.timeout(1000):
        await asyncio.sleep(0)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="TaskGroup is new in Python 3.11")
async def test_a_task_that_fails_ends_its_group(loop):
    async def fail():
        await asyncio.sleep(0)
        raise LookupError("as planned")

    with pytest.raises(BaseExceptionGroup) as caught:  # noqa: F821
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(loop.create_server(asyncio.Protocol, "127.0.0.1", 0))
            endless = group.create_task(asyncio.sleep(1000))
            group.create_task(fail())
    assert [str(error) for error in caught.value.exceptions] == ["as planned"]
    assert endless.cancelled()
    if not waiting.cancelled():
        waiting.result().close()
        await waiting.result().wait_closed()


@pytest.mark.skipif(sys.version_info < (3, 15), reason="a group can be cancelled since Python 3.15")
@pytest.mark.parametrize("who", ["body", "member"])
async def test_a_group_can_be_cancelled_without_an_exception(loop, who):
    async def member():
        group.cancel()
        await loop.create_future()

    reached = []
    async with asyncio.TaskGroup() as group:
        endless = group.create_task(asyncio.sleep(1000))
        if who == "member":
            group.create_task(member())
        else:
            group.cancel()
        await loop.create_future()
        reached.append("the end")
    assert endless.cancelled()
    assert reached == []
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.skipif(sys.version_info < (3, 15), reason="a group can be cancelled since Python 3.15")
async def test_a_group_that_is_cancelled_before_it_begins_ends_at_once(loop):
    reached = []
    group = asyncio.TaskGroup()
    group.cancel()
    async with group:
        await loop.create_future()
        reached.append("the end")
    assert reached == []
    assert asyncio.current_task().cancelling() == 0


@pytest.mark.skipif(sys.version_info < (3, 13), reason="as_completed is an async iterator since Python 3.13")
async def test_as_completed_gives_the_tasks_themselves(loop):
    async def late(number):
        for _ in range(number):
            await asyncio.sleep(0)
        return number

    tasks = [loop.create_task(late(number)) for number in (5, 3, 1)]
    assert [task async for task in asyncio.as_completed(tasks)] == tasks[::-1]
    with pytest.raises(TimeoutError):
        async for _ in asyncio.as_completed([loop.create_future()], timeout=0.002):
            pass


@pytest.mark.skipif(not hasattr(asyncio.Queue, "shutdown"), reason="Queue.shutdown is new in Python 3.13")
@pytest.mark.parametrize("immediate", [False, True])
async def test_a_queue_that_is_shut_down_lets_everybody_go(loop, immediate):
    queue = asyncio.Queue(maxsize=2)
    got = []

    async def consume():
        try:
            while True:
                got.append(await queue.get())
                queue.task_done()
        except asyncio.QueueShutDown:
            return "shut down"

    queue.put_nowait(1)
    queue.put_nowait(2)
    blocked = loop.create_task(queue.put(3))
    await asyncio.sleep(0)
    queue.shutdown(immediate)
    with pytest.raises(asyncio.QueueShutDown):
        await blocked
    assert await asyncio.gather(consume(), consume()) == ["shut down"] * 2
    assert got == ([] if immediate else [1, 2])
    await queue.join()


async def test_locks_events_queues_and_semaphores(loop):
    queue = asyncio.Queue(maxsize=3)
    lock, event, gate = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(2)
    got = []

    async def producer():
        for number in range(50):
            await queue.put(number)
        event.set()

    async def consumer():
        while len(got) < 50:
            async with gate, lock:
                got.append(await queue.get())

    await asyncio.gather(producer(), consumer(), event.wait())
    assert got == list(range(50))


async def test_a_future_calls_its_callbacks_in_order_and_later(loop):
    future = loop.create_future()
    seen = []
    for number in range(5):
        future.add_done_callback(lambda future, number=number: seen.append(number))
    future.set_result(None)
    assert seen == []
    await asyncio.sleep(0)
    assert seen == list(range(5))


async def test_ten_thousand_tasks(loop):
    async def one(number):
        await asyncio.sleep(0)
        return number

    assert sum(await asyncio.gather(*(one(number) for number in range(10_000)))) == 49_995_000


async def test_tasks_take_turns(loop):
    seen = []

    async def player(name):
        for number in range(3):
            seen.append(f"{name}{number}")
            await asyncio.sleep(0)

    await asyncio.gather(player("a"), player("b"))
    assert seen == ["a0", "b0", "a1", "b1", "a2", "b2"]


async def test_all_tasks_and_current_task(loop):
    task = loop.create_task(asyncio.sleep(0))
    assert task in asyncio.all_tasks()
    assert asyncio.current_task() in asyncio.all_tasks(loop)
    await task
    assert task not in asyncio.all_tasks()
