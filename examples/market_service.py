#!/usr/bin/env python3
"""A market data service on one csploop loop: HTTP and WebSocket by aiohttp, fed from a recorded day of ticks.

The service replays the recording to WebSocket subscribers and answers HTTP requests, while a second process
full of real clients takes it all in and measures. At the end a table says what was served, how fast, and what
was dropped.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping
from typing import Any

try:
    from market import loops, report
    from market.feed import Feed
    from market.hub import Hub
    from market.interrupts import interrupts
    from market.load_process import ClientsFailed, LoadProcess
    from market.progress import Progress
    from market.recording import BadRecording, Tick, load
    from market.service import Service
    from market.service_options import arguments
    from market.web_service import CannotStart
except ModuleNotFoundError as error:
    if error.name != "aiohttp":
        raise
    sys.exit(
        "market_service: aiohttp is not installed; `make run` sets everything up, or: pip install aiohttp"
    )

QUEUE_LIMIT = 256  # messages that wait for one subscriber before the oldest is dropped
POLL_PERIOD = 0.05  # s between two requests of one poller
GOODBYE = 10.0  # s for subscribers to take what is still theirs when the service ends


class Session:
    """One run of the service, from the open port to the table."""

    def __init__(self, options: argparse.Namespace, ticks: list[Tick]) -> None:
        self.options = options
        self.hub = Hub({tick.symbol for tick in ticks}, QUEUE_LIMIT)
        self.service = Service(self.hub)
        self.feed = Feed(ticks, options.speed, self.hub.publish)
        self.load: LoadProcess | None = None
        self.started = time.monotonic()
        self.seconds = self.cpu_seconds = 0.0
        self.report: Mapping[str, Any] | None = None

    async def run(self) -> int:
        options = self.options
        with interrupts() as interrupted:
            url = await self.service.start(options.port)
            until = f"for {options.seconds:g} s" if options.seconds else "until Ctrl-C"
            print(f"serving {url} on {options.loop} {until}", flush=True)
            failure = None
            try:
                await self._serve(url, interrupted)
            except ClientsFailed as error:
                failure = str(error)
            finally:
                if self.load is not None:
                    await self.load.stop()
                await self.service.stop()
        result = report.Run(
            loops.describe(options.loop),
            options.speed,
            options.clients,
            self.seconds,
            self.cpu_seconds,
            self.report,
        )
        print("\n".join(["", *report.lines(result, self.feed, self.hub, self.service)]))
        if failure is not None:
            print(f"TROUBLE: {failure}")
        return 1 if failure is not None or result.trouble() else 0

    async def _serve(self, url: str, interrupted: asyncio.Event) -> None:
        waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(interrupted.wait())]
        reporting = None
        if self.options.clients or self.options.pollers:
            self.load = LoadProcess(self.options.client_loop)
            reporting = await self.load.start(self._client_config(url))
            waiting.append(reporting)
        self.started, cpu_before = time.monotonic(), time.process_time()
        progress = Progress(self.line)
        feeding = asyncio.ensure_future(self.feed.run())
        waiting.append(feeding)
        showing = asyncio.ensure_future(progress.run())
        try:
            await asyncio.wait(
                waiting, timeout=self.options.seconds or None, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            showing.cancel()
            progress.clear()
            self.seconds = time.monotonic() - self.started
            feeding.cancel()
            await asyncio.wait({feeding})
            if not feeding.cancelled():
                feeding.result()  # a feed only ends by failing
            try:
                await self._finish(reporting)
            finally:
                self.cpu_seconds = time.process_time() - cpu_before

    async def _finish(self, reporting: asyncio.Future[Mapping[str, Any]] | None) -> None:
        """Everybody gets what is still in the queues, and the clients' books are collected."""
        if self.load is not None:
            self.load.finish()
        self.hub.subscribers.end_all()
        if reporting is not None:
            await asyncio.wait({reporting}, timeout=GOODBYE)
            if not reporting.done():
                raise ClientsFailed(f"the clients did not finish within {GOODBYE:g} s")
            self.report = reporting.result()

    def _client_config(self, url: str) -> dict[str, Any]:
        options = self.options
        return {
            "url": url,
            "symbols": sorted(self.hub.symbols),
            "subscribers": options.clients,
            "slow": options.slow,
            "pollers": options.pollers,
            "period": POLL_PERIOD,
        }

    def line(self) -> str:
        subscribers, requests = self.hub.subscribers, sum(self.service.requests.values())
        text = (
            f"{time.monotonic() - self.started:.1f} s  ticks {self.feed.published:,}  "
            f"out {subscribers.sent:,}  dropped {subscribers.dropped:,}  http {requests:,}"
        )
        if self.load is not None and self.load.quantiles is not None:
            p50, p99 = self.load.quantiles
            text += f"  p50 {p50 / 1e6:.1f}  p99 {p99 / 1e6:.1f} ms"
        return text


def main() -> int:
    options = arguments(__doc__)
    try:
        session = Session(options, load(options.ticks))
        return loops.run(options.loop, session.run())
    except (BadRecording, CannotStart, loops.NotInstalled) as error:
        print(f"market_service: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("market_service: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
