#!/usr/bin/env python3
"""Threads and a loop: work goes out to threads, and threads hand results to the loop."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading

import csploop

THREADS = 4


def produce(loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[int | None], count: int) -> None:
    """Runs in a thread of its own. Only call_soon_threadsafe may be called from here."""
    for number in range(count):
        loop.call_soon_threadsafe(queue.put_nowait, number)
    loop.call_soon_threadsafe(queue.put_nowait, None)


def sum_of_squares(limit: int) -> int:
    return sum(n * n for n in range(limit))


async def main(count: int) -> int:
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[int | None] = asyncio.Queue()
    threads = [threading.Thread(target=produce, args=(loop, queue, count)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()

    squares = loop.run_in_executor(None, sum_of_squares, 100_000)  # the loop goes on meanwhile
    total = finished = 0
    while finished < THREADS:
        number = await queue.get()
        if number is None:
            finished += 1
        else:
            total += number
    for thread in threads:
        thread.join()

    expected = THREADS * count * (count - 1) // 2
    print(f"{THREADS} threads sent numbers that add up to {total}; they should to {expected}")
    print(f"an executor thread added up squares meanwhile: {await squares}")
    return 0 if total == expected else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", type=int, nargs="?", default=1000, help="how many each thread sends")
    sys.exit(csploop.run(main(parser.parse_args().numbers)))
