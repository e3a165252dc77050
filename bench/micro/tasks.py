"""Tasks, futures and queues: asyncio's own machinery on top of each loop. CPU time."""

from __future__ import annotations

import asyncio

from .registry import LoopFactory, micro, timed_main

MANY = 100


async def switches(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def nothing() -> None:
    pass


@micro("tasks", "task switch: sleep(0), one task", count=50_000)
def task_switch_one(factory: LoopFactory, count: int) -> float:
    return timed_main(factory, count, switches)


@micro("tasks", f"task switch: sleep(0), {MANY} tasks", count=100_000)
def task_switch_many(factory: LoopFactory, count: int) -> float:
    async def main(total: int) -> None:
        await asyncio.gather(*(switches(total // MANY) for _ in range(MANY)))

    return timed_main(factory, count, main)


@micro("tasks", "create and await a task", count=40_000)
def task_create_await(factory: LoopFactory, count: int) -> float:
    async def main(total: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(total):
            await loop.create_task(nothing())

    return timed_main(factory, count, main)


@micro("tasks", f"gather {MANY} new tasks, per task", count=50_000)
def task_gather(factory: LoopFactory, count: int) -> float:
    async def main(total: int) -> None:
        for _ in range(total // MANY):
            await asyncio.gather(*(nothing() for _ in range(MANY)))

    return timed_main(factory, count, main)


@micro("tasks", "queue ping-pong, there and back", count=20_000)
def queue_ping_pong(factory: LoopFactory, count: int) -> float:
    async def main(total: int) -> None:
        there: asyncio.Queue[int] = asyncio.Queue(1)
        back: asyncio.Queue[int] = asyncio.Queue(1)

        async def answer() -> None:
            for _ in range(total):
                await back.put(await there.get())

        task = asyncio.ensure_future(answer())
        for number in range(total):
            await there.put(number)
            if await back.get() != number:
                raise AssertionError("the queue mixed its items up")
        await task

    return timed_main(factory, count, main)


@micro("tasks", "future set and awaited", count=50_000)
def future_wake_up(factory: LoopFactory, count: int) -> float:
    async def main(total: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(total):
            future = loop.create_future()
            loop.call_soon(future.set_result, None)
            await future

    return timed_main(factory, count, main)
