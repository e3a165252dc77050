"""Records a second from a C thread to NumPy batches in a csp graph, through a RecordBridge.

python bench/csp/bridge_records.py [--records N] [--rounds N]
"""

from __future__ import annotations

import argparse
import statistics
import time
from datetime import timedelta

import csp
import csploop.csp
import numpy as np
from csp import ts
from csploop.csp import RecordBridge
from producer import RECORD, Producer


@csp.node
def consume(batch: ts[np.ndarray], total: int, result: object):
    with csp.state():
        s_count = 0
        s_batches = 0
    if csp.ticked(batch):
        if batch["number"][0] != s_count or batch["number"][-1] != s_count + len(batch) - 1:
            raise AssertionError(f"records are missing after {s_count}")
        s_count += len(batch)
        s_batches += 1
        if s_count >= total:
            result.append((time.perf_counter(), s_batches))
            csp.stop_engine()


def measure(run, records: int, many: int) -> tuple[float, float, float]:
    """Records a second from the producer's start to the last one's tick, records a batch, and the producer's
    CPU time a record (ns), which says what it would do on a core of its own."""
    result: list[tuple[float, int]] = []
    with RecordBridge(RECORD) as bridge:
        started: list[tuple[float, Producer]] = []

        @csp.node
        def begin(tick: ts[bool]):
            if csp.ticked(tick):
                started.append((time.perf_counter(), Producer(bridge.address, records, many)))

        def graph() -> None:
            consume(bridge.out(), records, result)
            begin(csp.const(True))

        run(graph, realtime=True, endtime=timedelta(seconds=120))
        start, producer = started[0]
        taken, code = producer.join()
        if (taken, code) != (records, 0):
            raise AssertionError(f"the producer ended with {code} after {taken} records")
    end, batches = result[0]
    return records / (end - start), records / batches, producer.cpu_ns / records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=20_000_000, help="of each run (20,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each case (5)")
    options = parser.parse_args()
    print(f"{options.records:,} records of {RECORD.itemsize} bytes, median of {options.rounds} rounds")
    cases = [
        (f"{how}, {'csploop_bridge_push' if many == 1 else f'push_many of {many}'}", run, many)
        for how, run in (("csploop.csp.run", csploop.csp.run), ("csp.run", csp.run))
        for many in (1, 256)
    ]
    rates: dict[str, list[tuple[float, float, float]]] = {name: [] for name, _, _ in cases}
    for _ in range(options.rounds):
        for name, run, many in cases:
            rates[name].append(measure(run, options.records, many))
    for name, samples in rates.items():
        rate = statistics.median(sample[0] for sample in samples)
        batch = statistics.median(sample[1] for sample in samples)
        cpu = statistics.median(sample[2] for sample in samples)
        low, high = min(sample[0] for sample in samples), max(sample[0] for sample in samples)
        spread = f"{low:,.0f} to {high:,.0f}"
        print(f"{name:42} {rate:14,.0f}/s ({spread}), {batch:,.0f} a batch, {cpu:.0f} ns CPU")


if __name__ == "__main__":
    main()
