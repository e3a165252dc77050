"""From asyncio to a csp tick, through async_for: latency and throughput, on one thread and across two.

    python bench/csp/adapters.py [--quick] [--json FILE]

Latency: a coroutine waits for a moment, takes the time and yields it; a node takes it again when it ticks.
Throughput: a generator that never waits, counted by a node.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import csp
import csploop.csp
from csp import ts

LIMIT = timedelta(hours=1)
MODES = {"same thread": False, "background thread": True}


@csp.node
def arriving(x: ts[int], taken: object):
    if csp.ticked(x):
        taken.append(time.perf_counter_ns() - x)


@csp.node
def counting(x: ts[int], count: int) -> ts[bool]:
    if csp.ticked(x) and csp.num_ticks(x) == count:
        return True


async def now_and_then(count: int) -> AsyncIterator[int]:
    for _ in range(count):
        await asyncio.sleep(0.0005)
        yield time.perf_counter_ns()
    csploop.csp.stop_engine()


async def without_a_pause(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


def run(graph: Any, on_thread: bool) -> None:
    csploop.csp.run(graph, realtime=True, endtime=LIMIT, asyncio_on_thread=on_thread)


def latency(on_thread: bool, count: int) -> dict[str, float]:
    """Microseconds."""
    taken: list[int] = []
    run(lambda: arriving(csploop.csp.async_for(now_and_then(count)), taken), on_thread)
    assert len(taken) == count
    parts = statistics.quantiles(taken[count // 10 :], n=100)
    return {"p50": parts[49] / 1000, "p99": parts[98] / 1000}


def throughput(on_thread: bool, count: int) -> float:
    """Values per second."""
    begun = time.perf_counter()
    run(lambda: csp.stop_engine(counting(csploop.csp.async_for(without_a_pause(count)), count)), on_thread)
    return count / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    scale = 1 if options.quick else 10
    print(f"csp {csp.__version__}, Python {platform.python_version()}, {platform.machine()}")
    figures: dict[str, Any] = {}
    for name, on_thread in MODES.items():
        figures[name] = figure = latency(on_thread, 500 * scale)
        figure["values_per_second"] = throughput(on_thread, 10_000 * scale)
        print(
            f"{name:18} latency p50 {figure['p50']:7.1f} us  p99 {figure['p99']:7.1f} us"
            f"   throughput {figure['values_per_second']:10,.0f}/s"
        )
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=2)


if __name__ == "__main__":
    main()
