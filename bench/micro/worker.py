"""Runs one group of benchmarks on one loop, in this process, and prints the figures as one JSON object.

    python worker.py --loop uvloop --group tasks [--scale 0.2] [--only NAME]

A value is the median of the repeats, null where there is nothing to measure, or a text that says why there
is none.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import resource
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from micro import callbacks, life, tasks, threads, timers  # noqa: F401  (they fill the registry)
from micro.registry import MICROS, LoopFactory, Micro, NotApplicable


def run(micro: Micro, factory: LoopFactory, scale: float) -> float:
    count = max(int(micro.count * scale), 1) if micro.repeats else micro.count
    if micro.repeats == 0:
        return micro.body(factory, count)
    if sys.implementation.name == "pypy":
        for _ in range(4):  # its compiler needs more than one look at a loop
            micro.body(factory, count)
    micro.body(factory, count)
    values = []
    for _ in range(micro.repeats):
        gc.collect()
        values.append(micro.body(factory, count))
    return statistics.median(values)


def allow_many_files() -> None:
    """The memory benchmarks keep many loops open, each with several descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    parser = argparse.ArgumentParser(description="Worker of the benchmarks.")
    parser.add_argument("--loop", required=True)
    parser.add_argument("--group", required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", help="one benchmark of the group")
    arguments = parser.parse_args()
    allow_many_files()
    factory: LoopFactory = importlib.import_module(arguments.loop).new_event_loop
    figures: dict[str, float | str | None] = {}
    for micro in MICROS.values():
        if micro.group != arguments.group or arguments.only not in (None, micro.name):
            continue
        try:
            figures[micro.name] = run(micro, factory, arguments.scale)
        except NotApplicable:
            figures[micro.name] = None
        except Exception as error:  # a contender that fails must not hide the others: the harness reports it
            figures[micro.name] = f"failed: {type(error).__name__}: {error}"
    print(json.dumps(figures), flush=True)
    os._exit(0)  # a million timers take long to free, and nothing here is worth the wait


if __name__ == "__main__":
    main()
