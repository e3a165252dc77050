"""Python objects through an AsyncioBridge against csp's bare GenericPushAdapter, and a tick's latency.

    python bench/csp/bridge.py [--values N] [--rounds N]

Both are pushed by one plain thread into the same graph, in turns; the rate is from the first push to the last
tick. Latency is from a push on the bridge's loop to the tick, one push at a time, engine idle before each.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from datetime import timedelta

import csp
from csp import ts
from csp.impl.genericpushadapter import GenericPushAdapter
from csploop.csp import AsyncioBridge


@csp.node
def count(value: ts[object], total: int, ended: object):
    with csp.state():
        s_count = 0
    if csp.ticked(value):
        s_count += 1
        if s_count == total:
            ended.append(time.perf_counter())
            csp.stop_engine()


def rate(adapter, push, values: int) -> float:
    """Values a second through an adapter that `push` feeds."""
    ended: list[float] = []

    def graph() -> None:
        count(adapter.out(), values, ended)

    runner = csp.run_on_thread(graph, realtime=True, endtime=timedelta(seconds=120))
    adapter.wait_for_start()
    start = time.perf_counter()

    def produce() -> None:
        for value in range(values):
            push(value)

    producer = threading.Thread(target=produce)
    producer.start()
    producer.join()
    runner.join()
    return values / (ended[0] - start)


def bare(values: int) -> float:
    adapter = GenericPushAdapter(object, "bare")
    return rate(adapter, adapter.push_tick, values)


def bridged(values: int) -> float:
    with AsyncioBridge() as bridge:
        return rate(bridge.adapter, bridge.push, values)


def bridged_many(values: int) -> float:
    """For the record: the same in lists of 100."""
    with AsyncioBridge() as bridge:
        batch: list[int] = []

        def push(value: int) -> None:
            batch.append(value)
            if len(batch) == 100:
                bridge.push_many(batch)
                batch.clear()

        return rate(bridge.adapter, push, values - values % 100)


@csp.node
def arrive(value: ts[float], latencies: object, arrived: object):
    if csp.ticked(value):
        latencies.append(time.perf_counter() - value)
        arrived.release()


def latency(pushes: int) -> list[float]:
    """Seconds from push to tick."""
    latencies: list[float] = []
    arrived = threading.Semaphore(0)
    with AsyncioBridge(float) as bridge:
        runner = csp.run_on_thread(
            lambda: arrive(bridge.adapter.out(), latencies, arrived),
            realtime=True,
            endtime=timedelta(seconds=120),
        )
        bridge.wait_for_adapter()
        for _ in range(pushes):
            bridge.call_soon(lambda: bridge.push(time.perf_counter()))
            arrived.acquire()
        runner.stop_engine()
        runner.join()
    return sorted(latencies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=int, default=500_000, help="of each run (500,000)")
    parser.add_argument("--rounds", type=int, default=7, help="runs of each case (7)")
    options = parser.parse_args()
    cases = {
        "GenericPushAdapter.push_tick": bare,
        "bridge.push": bridged,
        "bridge.push_many(100)": bridged_many,
    }
    rates: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(options.rounds):
        for name, measure in cases.items():
            rates[name].append(measure(options.values))
    base = statistics.median(rates["GenericPushAdapter.push_tick"])
    print(f"{options.values:,} Python objects from a thread, median of {options.rounds} rounds in turns")
    for name, samples in rates.items():
        median = statistics.median(samples)
        spread = f"{min(samples):,.0f} to {max(samples):,.0f}"
        print(f"{name:30} {median:12,.0f}/s ({spread})  {median / base:.2f}")
    latencies = latency(5000)
    p50, p99 = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
    print(f"push to tick: p50 {p50 * 1e6:.1f} us, p99 {p99 * 1e6:.1f} us")


if __name__ == "__main__":
    main()
