"""asyncio inside Trio, by one of two packages with the same interface: an echo server, or a loop of calls.

    python inside_trio.py --package csploop.trio serve              # prints READY <port>, ends by a signal
    python inside_trio.py --package trio_asyncio calls --seconds 1  # prints JSON

The calls cross the border there and back: `aio` from asyncio to Trio, `trio` from Trio to asyncio. The
function that is called returns at once, so all that is measured is the crossing.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import time
from typing import Any

import trio
from echo import EchoProtocol

BATCH = 200


async def serve(package: Any) -> None:
    loop = asyncio.get_event_loop()
    server = await package.aio_as_trio(loop.create_server)(EchoProtocol, "127.0.0.1", 0)
    print("READY", server.sockets[0].getsockname()[1], flush=True)
    await trio.sleep_forever()


async def nothing() -> None:
    pass


async def rate(call: Any, seconds: float) -> tuple[float, float]:
    """Calls per second, and CPU microseconds per call."""
    for _ in range(BATCH):
        await call()
    count = 0
    start, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        for _ in range(BATCH):
            await call()
        count += BATCH
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    return count / took, cpu / count * 1e6


async def calls(package: Any, seconds: float) -> None:
    found: dict[str, float] = {}

    async def from_asyncio() -> None:
        found["aio_rate"], found["aio_cpu_us"] = await rate(package.trio_as_aio(nothing), seconds)

    await package.aio_as_trio(from_asyncio)()
    found["trio_rate"], found["trio_cpu_us"] = await rate(package.aio_as_trio(nothing), seconds)
    print(json.dumps(found), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="asyncio inside Trio, for the benchmarks.")
    parser.add_argument("--package", choices=("csploop.trio", "trio_asyncio"), required=True, help="whose")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each kind of call (1)")
    parser.add_argument("what", choices=("serve", "calls"), help="what to be")
    arguments = parser.parse_args()
    package = importlib.import_module(arguments.package)
    if arguments.what == "serve":
        package.run(serve, package)
    else:
        package.run(calls, package, arguments.seconds)


if __name__ == "__main__":
    main()
