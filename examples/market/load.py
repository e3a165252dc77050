"""The clients: WebSocket subscribers and HTTP pollers on real sockets, in a process of their own.

Why a process: on the service's own loop a client would be given its message only once the service has nothing
else to do, and reading it would be counted as the service's work. Out here a latency is what a customer sees.
The clients are the measuring instrument, so they run on the same kind of loop (asyncio) whatever the service
is on, unless told otherwise.

The parent talks to this process through the socket that is its stdin, in lines of JSON:
    parent -> {"url": …, "subscribers": …, …}    child -> {"ready": true}
                                                 child -> {"progress": {…}}, now and then
    parent -> {"finish": true}                   child -> {"report": {…}}, and it exits
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import sys
import time
from collections import Counter
from typing import Any

import aiohttp

from . import loops
from .measure import Histogram

LINE_LIMIT = 1 << 22
PROGRESS_EVERY = 0.5  # s
SLOW_PAUSE = 0.1  # s between two messages that a slow subscriber reads
SLOW_BUFFER = 16384  # bytes of its receive buffer; the kernel may round up
FAST, SLOW = "WebSocket ticks", "WebSocket, slow readers"


class Tally:
    """What all clients saw, one histogram and byte count per endpoint."""

    def __init__(self) -> None:
        self.latency: dict[str, Histogram] = {}
        self.bytes: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    def add(self, endpoint: str, ns: int, size: int) -> None:
        if endpoint not in self.latency:
            self.latency[endpoint] = Histogram()
        self.latency[endpoint].add(ns)
        self.bytes[endpoint] += size


class Subscriber:
    """One WebSocket. It keeps books, so that a message that is lost without a word is found out."""

    def __init__(self, tally: Tally, wanted: Any, slow: bool) -> None:
        self._tally = tally
        self._wanted = wanted
        self._slow = slow
        self._numbers: dict[str, int] = {}
        self.ready = asyncio.Event()
        self.received = self.missing = self.announced = 0
        self.complete = False

    async def run(self, session: aiohttp.ClientSession, url: str, finish: asyncio.Event) -> None:
        endpoint = SLOW if self._slow else FAST
        try:
            async with session.ws_connect(url + "ws", compress=0) as ws:
                if self._slow:  # else the kernel would hold most of what it has yet to read, not the service
                    ws.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
                await ws.send_json({"subscribe": self._wanted})
                async for message in ws:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self._take(message.data, endpoint)
                    if self._slow and not finish.is_set():
                        await _pause(finish, SLOW_PAUSE)
        except (aiohttp.ClientError, OSError) as error:
            self._tally.errors[f"{type(error).__name__}: {error}"] += 1
        finally:
            self.ready.set()

    def _take(self, text: str, endpoint: str) -> None:
        now = time.monotonic_ns()
        data = json.loads(text)
        if "n" in data:
            self.received += 1
            self._tally.add(endpoint, now - data["due"], len(text))
            symbol, number = data["symbol"], data["n"]
            self.missing += number - self._numbers[symbol] - 1
            self._numbers[symbol] = number
        elif "dropped" in data and "end" not in data:
            self.announced += data["dropped"]
        elif "subscribed" in data:
            self._numbers.update(data["subscribed"])
            self.ready.set()
        elif "end" in data:
            self.complete = (
                self.received == data["sent"] and self.missing == self.announced == data["dropped"]
            )
        else:
            self._tally.errors[f"unexpected message: {text[:80]}"] += 1


async def poll(
    session: aiohttp.ClientSession,
    url: str,
    pages: list[tuple[str, str]],
    tally: Tally,
    period: float,
    finish: asyncio.Event,
) -> None:
    """Asks for one page after the other, with a pause between them, over one kept-alive connection."""
    for endpoint, path in itertools.cycle(pages):
        if finish.is_set():
            return
        start = time.monotonic_ns()
        try:
            async with session.get(url + path) as response:
                body = await response.read()
                response.raise_for_status()
                json.loads(body)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            tally.errors[f"{endpoint}: {type(error).__name__}: {error}"] += 1
        else:
            tally.add(endpoint, time.monotonic_ns() - start, len(body))
        await _pause(finish, period)


async def _pause(finish: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(finish.wait(), seconds)


def _pages(symbols: list[str], client: int) -> list[tuple[str, str]]:
    symbol = symbols[client % len(symbols)]
    return [
        ("GET /quotes", "quotes"),
        ("GET /quotes/{symbol}", f"quotes/{symbol}"),
        ("GET /trades/{symbol}", f"trades/{symbol}?limit=20"),
    ]


def _wanted(symbols: list[str], client: int, slow: bool) -> Any:
    """A third of the subscribers wants everything, the others two symbols."""
    if slow or client % 3 == 0:
        return "*"
    return [symbols[client % len(symbols)], symbols[(client + 1) % len(symbols)]]


class Clients:
    def __init__(self, config: dict[str, Any]) -> None:
        symbols: list[str] = config["symbols"]
        self._config = config
        self._symbols = symbols
        self._finish = asyncio.Event()
        self.tally = Tally()
        count, slow = config["subscribers"], config["slow"]
        self._subscribers = [
            Subscriber(self.tally, _wanted(symbols, i, i < slow), i < slow) for i in range(count)
        ]

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        url, pollers = self._config["url"], self._config["pollers"]
        timeout = aiohttp.ClientTimeout(total=30)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            work = [asyncio.ensure_future(s.run(session, url, self._finish)) for s in self._subscribers]
            await asyncio.gather(*(s.ready.wait() for s in self._subscribers))
            for i in range(pollers):
                job = poll(
                    session, url, _pages(self._symbols, i), self.tally, self._config["period"], self._finish
                )
                work.append(asyncio.ensure_future(job))
            _say(writer, {"ready": True})
            progress = asyncio.ensure_future(self._progress(writer))
            await reader.readline()  # the order to finish, or end of file: the parent is gone
            progress.cancel()
            self._finish.set()
            await asyncio.gather(*work)
        _say(writer, {"report": self.report()})
        await writer.drain()

    async def _progress(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY)
            fast = self.tally.latency.get(FAST)
            quantiles = [fast.quantile(0.5), fast.quantile(0.99)] if fast is not None else None
            _say(writer, {"progress": quantiles})

    def report(self) -> dict[str, Any]:
        return {
            "latency": {name: histogram.as_json() for name, histogram in self.tally.latency.items()},
            "bytes": dict(self.tally.bytes),
            "errors": dict(self.tally.errors),
            "complete": sum(s.complete for s in self._subscribers),
            "received": sum(s.received for s in self._subscribers),
            "announced": sum(s.announced for s in self._subscribers),
        }


def _say(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")


async def main() -> None:
    channel = socket.socket(fileno=sys.stdin.fileno())
    reader, writer = await asyncio.open_unix_connection(sock=channel, limit=LINE_LIMIT)
    try:
        config = json.loads(await reader.readline())
        await Clients(config).run(reader, writer)
    finally:
        writer.close()


if __name__ == "__main__":
    loops.run(sys.argv[1], main())
