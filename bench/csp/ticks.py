#!/usr/bin/env python3
"""From a coroutine to a tick in a csp graph: latency and throughput, on the engine's thread and beside it.

    python bench/csp/ticks.py                     # both modes
    python bench/csp/ticks.py --samples 5000 --values 500000

Latency: a coroutine wakes every millisecond and emits the time; a node takes the difference. Throughput: a
coroutine emits values as fast as it can, a turn of the loop for every hundred, until the last has ticked.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import timedelta

import csp
import csploop.csp
from csp import ts
from csploop.csp._emitter import Emitter, emitted

LONG = timedelta(hours=1)


@csp.node
def measure(sent: ts[int], taken: object):
    if csp.ticked(sent):
        taken.append(time.perf_counter_ns() - sent)


@csp.node
def count(value: ts[int], last: int):
    if csp.ticked(value) and value == last:
        csp.stop_engine()


def latency(samples: int, on_thread: bool) -> list[int]:
    taken: list[int] = []

    async def feed(emitter: Emitter) -> None:
        for _ in range(samples):
            await asyncio.sleep(0.001)
            emitter.emit(time.perf_counter_ns())
        csploop.csp.stop_engine()

    def graph() -> None:
        emitter = Emitter("latency", on_start=lambda run: run.create_task(feed(emitter)))
        measure(emitted(emitter, int), taken)

    csploop.csp.run(graph, realtime=True, endtime=LONG, asyncio_on_thread=on_thread)
    return sorted(taken)


def throughput(values: int, on_thread: bool) -> float:
    async def feed(emitter: Emitter) -> None:
        for value in range(values):
            emitter.emit(value)
            if not value % 100:
                await asyncio.sleep(0)

    def graph() -> None:
        emitter = Emitter("throughput", on_start=lambda run: run.create_task(feed(emitter)))
        count(emitted(emitter, int), values - 1)

    start = time.perf_counter()
    csploop.csp.run(graph, realtime=True, endtime=LONG, asyncio_on_thread=on_thread)
    return values / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=2000, help="ticks whose latency is taken (2000)")
    parser.add_argument("--values", type=int, default=200_000, help="ticks of the throughput (200,000)")
    arguments = parser.parse_args()
    print(f"{'mode':<20} {'p50 us':>8} {'p99 us':>8} {'ticks/s':>10}")
    for name, on_thread in (("same thread", False), ("background thread", True)):
        taken = latency(arguments.samples, on_thread)
        rate = throughput(arguments.values, on_thread)
        p50, p99 = (taken[int(len(taken) * part)] / 1e3 for part in (0.5, 0.99))
        print(f"{name:<20} {p50:>8.1f} {p99:>8.1f} {rate:>10.0f}")


if __name__ == "__main__":
    main()
