#!/usr/bin/env python3
"""csploop.trio beside trio-asyncio: calls across the border, and an asyncio echo server inside Trio.

    python bench/border.py [--rounds 7] [--seconds 0.5] [--json FILE]

The two take turns, each sample comes from a process of its own, and the table has medians and their ratios.
Needs pip install -r bench/requirements.txt. Nothing here passes or fails by the clock.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from harness import machine, native
from harness.failure import BenchError
from harness.server import Load, measure, running

SERVER = Path(__file__).resolve().parent / "servers" / "inside_trio.py"
OURS, THEIRS = "csploop.trio", "trio_asyncio"
# key, what it is, whether more is better
ROWS = (
    ("aio_rate", "calls asyncio→Trio→asyncio, 1/s", True),
    ("aio_cpu_us", "the same, CPU µs each", False),
    ("trio_rate", "calls Trio→asyncio→Trio, 1/s", True),
    ("trio_cpu_us", "the same, CPU µs each", False),
    ("echo1_rate", "echo, 1 connection, 1 KiB, messages/s", True),
    ("echo1_cpu_us", "the same, CPU µs each", False),
    ("echo100_rate", "echo, 100 connections, 1 KiB, messages/s", True),
    ("echo100_cpu_us", "the same, CPU µs each", False),
)


def sample(package: str, seconds: float, client: Path, pins: machine.Pins) -> dict[str, float]:
    command = [sys.executable, str(SERVER), "--package", package]
    done = subprocess.run(
        [*command, "--seconds", str(seconds), "calls"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        preexec_fn=pins.apply(pins.server),
    )
    found: dict[str, float] = json.loads(done.stdout)
    with running([*command, "serve"], pins, False) as server:
        for connections in (1, 100):
            figures = measure(client, server, Load(connections, 1024, 1, 0.2, seconds), pins)
            for name in ("rate", "cpu_us"):
                found[f"echo{connections}_{name}"] = figures[name]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="times that each is measured (7)")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of each window (0.5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where all samples go")
    arguments = parser.parse_args()
    try:
        versions = {name: importlib.metadata.version(name) for name in ("csploop", "trio", "trio-asyncio")}
    except importlib.metadata.PackageNotFoundError as error:
        message = f"{error.name} is not installed: pip install -r bench/requirements.txt"
        print(f"bench/border.py: {message}", file=sys.stderr)
        return 1
    print(platform.python_implementation(), platform.python_version(), versions)
    client = native.load_client()
    pins = machine.choose_pins(None, None, 0)
    samples: dict[str, list[dict[str, float]]] = {OURS: [], THEIRS: []}
    try:
        for number in range(arguments.rounds):
            # Whoever is first in one round is second in the next.
            for package in (OURS, THEIRS) if number % 2 else (THEIRS, OURS):
                samples[package].append(sample(package, arguments.seconds, client, pins))
    except (BenchError, subprocess.CalledProcessError) as error:
        print(f"bench/border.py: {error}", file=sys.stderr)
        return 1
    print(f"\n{'':<42}{OURS:>14}{THEIRS:>14}{'ratio':>8}")
    for key, title, more in ROWS:
        ours, theirs = (statistics.median(one[key] for one in samples[name]) for name in (OURS, THEIRS))
        ratio = ours / theirs if more else theirs / ours
        print(f"{title:<42}{ours:>14.1f}{theirs:>14.1f}{ratio:>8.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"versions": versions, "samples": samples}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
