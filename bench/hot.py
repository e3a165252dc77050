#!/usr/bin/env python3
"""The hot path in under half a minute: TCP echo, 100 connections, 1 KiB, csploop against uvloop.

    python bench/hot.py                              # five rounds, csploop and uvloop
    python bench/hot.py --contenders csploop,uvloop,asyncio,rloop --kind streams
    python bench/hot.py --size 64 --connections 10 --seconds 2 --rounds 3

Each round runs every contender once, each time in a fresh server process that is pinned to one CPU while the
C load client has another. The figure that counts is the server's CPU time per message; it moves by a few per
cent when something else runs on the machine, so look at the quartiles before believing a small difference,
and at "other": the part of the time in which something else had the server's CPU or the client's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness import native, stats
from harness.failure import BenchError
from harness.machine import choose_pins
from harness.server import Load, measure, running

ECHO = Path(__file__).resolve().parent / "servers" / "echo.py"
COLUMNS = [
    ("CPU us", "cpu_us", 1.0, "8.2f"), ("user", "user_us", 1.0, "7.2f"), ("system", "system_us", 1.0, "7.2f"),
    ("kmsg/s", "rate", 1e-3, "8.1f"), ("busy %", "busy", 100.0, "7.0f"),
    ("other %", "disturbed", 100.0, "8.0f"), ("client %", "client_busy", 100.0, "9.0f"),
    ("p50 us", "p50_us", 1.0, "8.0f"), ("p99 us", "p99_us", 1.0, "8.0f"),
]  # fmt: skip


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--contenders", default="csploop,uvloop", help="modules with new_event_loop, comma-separated"
    )
    parser.add_argument(
        "--python", default=sys.executable, help="the interpreter of the servers (default: this one)"
    )
    parser.add_argument(
        "--kind",
        choices=["protocol", "streams", "buffered"],
        default="protocol",
        help="how the server is written (default protocol)",
    )
    parser.add_argument(
        "--transport",
        choices=["tcp", "unix"],
        default="tcp",
        help="what the client connects by (default tcp)",
    )
    parser.add_argument("--connections", type=int, default=100, help="of the load client (default 100)")
    parser.add_argument("--size", type=int, default=1024, help="bytes of a message (default 1024)")
    parser.add_argument(
        "--depth", type=int, default=1, help="messages under way on each connection (default 1)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="times that each contender is measured (5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each window (default 1.5)")
    parser.add_argument(
        "--nice", type=int, default=0, help="priority of server and client on a busy machine: -10"
    )
    parser.add_argument("--cold", action="store_true", help="leave malloc as a fresh process has it")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> None:
    pins = choose_pins(nice=arguments.nice)
    if not pins.apart:
        print("one CPU only: server and client share it, the figures are poor", file=sys.stderr)
    client = native.load_client()
    load = Load(arguments.connections, arguments.size, arguments.depth, 0.3, arguments.seconds)
    contenders = arguments.contenders.split(",")
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for number in range(arguments.rounds):
        turn = number % len(contenders)
        for name in contenders[turn:] + contenders[:turn]:
            print(f"round {number + 1}/{arguments.rounds}: {name:<10}", end="\r", file=sys.stderr, flush=True)
            command = [arguments.python, str(ECHO), "--loop", name, "--kind", arguments.kind]
            command += [] if arguments.cold else ["--warm-malloc"]
            with running(command, pins, arguments.transport == "unix") as server:
                samples[name].append(measure(client, server, load, pins))
    print(" " * 40, end="\r", file=sys.stderr)
    report(arguments, samples)


def report(arguments: argparse.Namespace, samples: dict[str, list[dict[str, float]]]) -> None:
    print(
        f"{arguments.transport} echo, {arguments.kind}, {arguments.connections} connections, "
        f"{arguments.size} bytes, "
        f"{arguments.rounds} rounds of {arguments.seconds} s; per message, medians"
    )
    print(
        f"{'':10}",
        *(f"{title:>{int(form.split('.')[0])}}" for title, _, _, form in COLUMNS),
        "   CPU quartiles",
    )
    cpu: dict[str, stats.Summary] = {}
    for name, rows in samples.items():
        cells = [
            f"{stats.summarize([row[key] for row in rows]).median * factor:{form}}"
            for _, key, factor, form in COLUMNS
        ]
        cpu[name] = stats.summarize([row["cpu_us"] for row in rows])
        print(f"{name:10}", *cells, f"   {cpu[name].low:.2f}..{cpu[name].high:.2f}")
    first = next(iter(cpu))
    for name in cpu:
        if name != first:
            print(f"CPU {first}/{name}: {stats.ratio(cpu[first], cpu[name]):.3f}")


def main() -> int:
    try:
        run(parse())
    except BenchError as error:
        print(f"hot.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
