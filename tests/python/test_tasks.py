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
