#!/usr/bin/env python3
"""A simulated year: 1,000 coroutines sleep 1,000 times each; twice, and the output must be byte-equal.

    python bench/csp/simulated_year.py              # each coroutine has a rhythm of its own
    python bench/csp/simulated_year.py --together   # all sleep equally long: 1,000 timers due at one time

Exit status 1 if the two outputs differ.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
import time
from datetime import datetime, timedelta

import csploop.csp
from csploop.csp._emitter import Emitter, emitted
from csploop.csp._run import Run

START = datetime(2024, 1, 1)
YEAR = 365 * 86400


def year(coroutines: int, sleeps: int, together: bool) -> tuple[float, float, str]:
    """Seconds, seconds of CPU, and the digest of all that ticked."""

    async def live(emitter: Emitter, number: int) -> None:
        mean = YEAR / sleeps
        rhythm = mean if together else mean * (0.5 + (number * 7919 % coroutines) / coroutines / 2)
        for turn in range(sleeps):
            await asyncio.sleep(rhythm)
            if not turn % 100:
                emitter.emit(number)

    def graph() -> object:
        def start(run: Run) -> None:
            for number in range(coroutines):
                run.create_task(live(emitter, number))

        emitter = Emitter("year", on_start=start)
        return emitted(emitter, int)

    wall, cpu = time.perf_counter(), time.process_time()
    results = csploop.csp.run(graph, starttime=START, endtime=timedelta(seconds=YEAR))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    text = "\n".join(f"{when.isoformat()} {value}" for when, value in results[0])
    return wall, cpu, hashlib.sha256(text.encode()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--coroutines", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--sleeps", type=int, default=1000, help="of each coroutine (1000)")
    parser.add_argument("--together", action="store_true", help="all sleep equally long")
    arguments = parser.parse_args()
    digests = set()
    for _ in range(2):
        wall, cpu, digest = year(arguments.coroutines, arguments.sleeps, arguments.together)
        digests.add(digest)
        total = arguments.coroutines * arguments.sleeps
        print(f"{total} sleeps in {wall:.2f} s ({cpu:.2f} s CPU): {total / wall:.0f}/s, output {digest[:16]}")
    print("byte-equal" if len(digests) == 1 else "THE OUTPUTS DIFFER")
    return len(digests) - 1


if __name__ == "__main__":
    sys.exit(main())
