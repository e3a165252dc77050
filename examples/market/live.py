"""The live run: an exchange, a graph that listens to it, and those who look at what the graph makes of it.

All of it is on one thread. The generator `trades` is the graph's source and owns the rest: it opens the
exchange and the board's service, connects to the exchange's WebSocket feed as anybody could, and closes
everything again when the run is over.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import aiohttp
import csp
import csploop.csp

from .audience import PATIENCE, Audience
from .board import Board
from .board_service import BoardService
from .feed import Feed
from .graph import Trade, market
from .hub import Hub
from .interrupts import interrupts
from .measure import Histogram
from .progress import Progress
from .recording import Tick
from .service import Service
from .web_service import WebService

FEED_LIMIT = 1 << 16  # messages that may wait for a subscriber: the graph is to get all of them
FOREVER = timedelta(days=365)


class FeedBroke(Exception):
    """The feed lost ticks, or ended by itself; the text says how."""


@csp.graph
def live_graph(live: object, bar_ms: int):
    trade = csploop.csp.async_for(live.trades())
    market(trade, live.board.symbols, bar_ms, live.board)


class Live:
    def __init__(self, options: argparse.Namespace, ticks: list[Tick]) -> None:
        self.options = options
        symbols = sorted({tick.symbol for tick in ticks})
        self._ticks = ticks
        self.hub = Hub(set(symbols), FEED_LIMIT)
        self.exchange = Service(self.hub)
        self.feed = Feed(ticks, options.speed, self.hub.publish, days=1)
        self.board = Board(symbols)
        self.service = BoardService(self.board)
        self.audience = Audience(options.viewers, options.pollers)
        self.latency = Histogram()  # from when the recording wanted a trade out until the graph has it
        self.seen = 0  # ticks that came over the feed
        self.seconds = self.cpu_seconds = 0.0
        self._over = asyncio.Event()

    @property
    def ticks_seen(self) -> Sequence[Tick]:
        """The part of the recording that came over the feed."""
        return self._ticks[: self.seen]

    def run(self) -> None:
        """Blocks until the run is over. FeedBroke and CannotStart say what went wrong."""
        csploop.csp.run(live_graph, self, self.options.bar * 1000, realtime=True, endtime=FOREVER)

    async def trades(self) -> AsyncIterator[Trade]:
        async with contextlib.AsyncExitStack() as stack:
            interrupted = stack.enter_context(interrupts())
            feed_url = await self._open(stack, self.exchange, 0)
            url = await self._open(stack, self.service, self.options.port)
            seconds = self.options.seconds
            until = f"for {seconds:g} s" if seconds else "until the day is over or Ctrl-C"
            print(f"serving {url} from a csp graph and asyncio in one thread {until}", flush=True)
            started, cpu = time.monotonic(), time.process_time()
            watching = asyncio.ensure_future(self.audience.run(url, self.board.symbols, self._over))
            async with aiohttp.ClientSession() as session, session.ws_connect(feed_url + "ws") as feed:
                await feed.send_json({"subscribe": "*"})
                await feed.receive()  # what it subscribed to
                conducting = asyncio.ensure_future(self._conduct(interrupted, started))
                async for message in feed:
                    data = json.loads(message.data)
                    if "end" in data:
                        break
                    trade = self._take(data)
                    if trade is not None:
                        yield trade
                else:
                    raise FeedBroke("the feed's connection ended too early")
                await conducting
            self.board.viewers.end_all()
            await asyncio.wait({watching}, timeout=PATIENCE)
            watching.cancel()
            self.seconds, self.cpu_seconds = time.monotonic() - started, time.process_time() - cpu
        csploop.csp.stop_engine()

    async def _open(self, stack: contextlib.AsyncExitStack, service: WebService, port: int) -> str:
        url = await service.start(port)
        stack.push_async_callback(service.stop)
        return url

    async def _conduct(self, interrupted: asyncio.Event, started: float) -> None:
        """Lets the feed play, shows how it goes, and ends it in good order when the time is over."""
        progress = Progress(lambda: f"{time.monotonic() - started:.1f} s  {self.line()}")
        work = [asyncio.ensure_future(each) for each in (self.feed.run(), interrupted.wait(), progress.run())]
        try:
            seconds = self.options.seconds or None
            await asyncio.wait(work, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            progress.clear()
            for each in work:
                each.cancel()
            await asyncio.wait(work)
        self._over.set()
        self.hub.subscribers.end_all()  # subscribers get what is still theirs, and a last message

    def _take(self, data: dict[str, Any]) -> Trade | None:
        """A trade, if it is one. Every message counts."""
        if "dropped" in data:
            raise FeedBroke(f"the feed dropped {data['dropped']} ticks: the graph could not keep up")
        self.seen += 1
        if data["kind"] != "t":
            return None
        self.latency.add(time.monotonic_ns() - data["due"])
        return Trade(ms=data["ms"], symbol=data["symbol"], price=data["price"], size=data["size"])

    def line(self) -> str:
        board, answers = self.board, sum(self.service.requests.values())
        text = f"ticks {self.seen:,}  trades {board.trades:,}  bars {board.bars:,}"
        text += f"  out {board.viewers.sent:,}  http {answers:,}"
        if self.latency.total:
            p50, p99 = self.latency.quantile(0.5), self.latency.quantile(0.99)
            text += f"  p50 {p50 / 1e6:.1f}  p99 {p99 / 1e6:.1f} ms"
        return text
