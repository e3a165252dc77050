"""Timers: armed and cancelled among many others, firing (all CPU time), and how far off (wall clock)."""

from __future__ import annotations

import asyncio
import random
import statistics
import time

from .registry import LoopFactory, micro

BATCH = 1000
FIRING_SPREAD = 0.02
SEED = 20


def nothing() -> None:
    pass


def create_cancel(factory: LoopFactory, count: int, outstanding: int) -> float:
    """Arms and cancels timers in batches, with turns in between: what a loop puts off until then counts."""
    loop = factory()
    chance = random.Random(SEED)
    far = [1000.0 + 1000.0 * chance.random() for _ in range(BATCH)]

    async def main() -> float:
        for _ in range(outstanding):
            loop.call_later(1000.0 + 1000.0 * chance.random(), nothing)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        start = time.process_time_ns()
        for _ in range(count // BATCH):
            for handle in [loop.call_later(delay, nothing) for delay in far]:
                handle.cancel()
            await asyncio.sleep(0)
        return (time.process_time_ns() - start) / (count // BATCH * BATCH)

    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


@micro("timers", "arm and cancel a timer, none outstanding", count=100_000)
def timer_cancel_0(factory: LoopFactory, count: int) -> float:
    return create_cancel(factory, count, 0)


@micro("timers", "arm and cancel a timer, 10 000 outstanding", count=100_000)
def timer_cancel_10k(factory: LoopFactory, count: int) -> float:
    return create_cancel(factory, count, 10_000)


@micro("timers-million", "arm and cancel a timer, 1 000 000 outstanding", count=100_000, repeats=0)
def timer_cancel_1m(factory: LoopFactory, count: int) -> float:
    return create_cancel(factory, count, 1_000_000)


@micro("timers", "arm 20 000 timers and let them fire, per timer", count=20_000)
def timer_fire(factory: LoopFactory, count: int) -> float:
    loop = factory()
    chance = random.Random(SEED)
    delays = [FIRING_SPREAD * chance.random() for _ in range(count)]
    left = count

    def fired() -> None:
        nonlocal left
        left -= 1
        if not left:
            loop.stop()

    def arm() -> None:
        for delay in delays:
            loop.call_later(delay, fired)

    try:
        loop.call_soon(arm)
        start = time.process_time_ns()
        loop.run_forever()
        return (time.process_time_ns() - start) / count
    finally:
        loop.close()


def distances(factory: LoopFactory, count: int) -> list[float]:
    """By how many us timers of 1.3 ms missed their time, one after another; negative: early."""
    loop = factory()

    async def main() -> list[float]:
        missed = []
        for _ in range(count):
            future = loop.create_future()
            due = time.perf_counter() + 0.0013
            loop.call_later(0.0013, future.set_result, None)
            await future
            missed.append((time.perf_counter() - due) * 1e6)
        return missed

    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


@micro("timers", "a timer of 1.3 ms: how far off, late or early, median", unit="us", count=100, repeats=1)
def timer_late(factory: LoopFactory, count: int) -> float:
    return statistics.median(abs(distance) for distance in distances(factory, count))


@micro("timers", "timers of 1.3 ms that fired early", unit="%", count=100, repeats=1)
def timer_early(factory: LoopFactory, count: int) -> float:
    missed = distances(factory, count)
    return 100.0 * sum(distance < 0 for distance in missed) / len(missed)
