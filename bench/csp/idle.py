#!/usr/bin/env python3
"""An idle csp graph with an idle loop: wake-ups per second, and CPU.

    python bench/csp/idle.py --seconds 60

The loop has a listening server and a timer for the end. Wake-ups: ticks of the pump, what the watching thread
got, and how often a thread of the process went to sleep, which each must have been awake to do.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from datetime import timedelta

from csploop.csp._emitter import Emitter, emitted
from csploop.csp._realtime import RealtimeRun
from csploop.csp._running import run_within


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10, help="how long to look (10)")
    seconds = parser.parse_args().seconds
    present = RealtimeRun()

    def sample() -> tuple[int, int, int, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return present.ticks, present.wakes, used.ru_nvcsw, time.process_time()

    async def feed() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        await asyncio.sleep(0.2)
        before = sample()
        await asyncio.sleep(seconds)
        after = sample()
        server.close()
        present.stop_engine()
        # The tick in which this runs, and the sleep that it ended, are ours.
        ticks, wakes, sleeps = (b - a for a, b in zip(before[:3], after[:3]))
        print(
            f"pump ticks {ticks - 1}, watch wake-ups {wakes}, sleeps of threads {sleeps - 1} in {seconds} s"
        )
        print(f"wake-ups/s {(ticks - 1) / seconds:.2f}, CPU {(after[3] - before[3]) * 1e3:.2f} ms")

    def graph() -> object:
        emitter = Emitter("idle", on_start=lambda run: run.create_task(feed()))
        return emitted(emitter, int)

    end = timedelta(seconds=seconds + 60)
    run_within(present, graph, queue_wait_time=None, realtime=True, endtime=end)


if __name__ == "__main__":
    main()
