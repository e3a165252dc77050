"""call_soon_threadsafe: how soon a sleeping loop hears of it, and how many calls it takes."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable

from .registry import LoopFactory, micro

PAUSE = 0.0003
"""Long enough for the loop to be asleep again."""


def run_beside(loop: asyncio.AbstractEventLoop, work: Callable[[], None], threads: int = 1) -> None:
    """Runs the loop while the threads do their work; the work stops the loop."""
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        loop.call_soon(worker.start)
    loop.run_forever()
    for worker in workers:
        worker.join()


@micro("threads", "wake a sleeping loop: call to callback, median", unit="us", count=500, repeats=1)
def wake_latency(factory: LoopFactory, count: int) -> float:
    loop = factory()
    latencies: list[float] = []
    heard = threading.Semaphore(0)

    def arrived(sent: int) -> None:
        latencies.append((time.perf_counter_ns() - sent) / 1e3)
        heard.release()

    def work() -> None:
        for _ in range(count):
            time.sleep(PAUSE)
            loop.call_soon_threadsafe(arrived, time.perf_counter_ns())
            heard.acquire()
        loop.call_soon_threadsafe(loop.stop)

    try:
        run_beside(loop, work)
        return statistics.median(latencies)
    finally:
        loop.close()


def flood(factory: LoopFactory, count: int, threads: int) -> float:
    loop = factory()
    left = count

    def arrived() -> None:
        nonlocal left
        left -= 1
        if not left:
            loop.stop()

    def work() -> None:
        for _ in range(count // threads):
            loop.call_soon_threadsafe(arrived)

    try:
        start = time.perf_counter_ns()
        run_beside(loop, work, threads)
        return (time.perf_counter_ns() - start) / count
    finally:
        loop.close()


@micro("threads", "call_soon_threadsafe as fast as one thread can", count=40_000)
def wake_rate_1(factory: LoopFactory, count: int) -> float:
    return flood(factory, count, 1)


@micro("threads", "call_soon_threadsafe as fast as four threads can", count=40_000)
def wake_rate_4(factory: LoopFactory, count: int) -> float:
    return flood(factory, count, 4)
