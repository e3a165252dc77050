"""Those who look at the board: WebSocket viewers and HTTP pollers, on the same loop as everything else."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Sequence

import aiohttp

from .measure import Histogram

PERIOD = 0.05  # s between two requests of one poller
PATIENCE = 10.0  # s that the last messages may take


class Audience:
    def __init__(self, viewers: int, pollers: int) -> None:
        self._viewers = viewers
        self._pollers = pollers
        self.messages = 0
        self.answers = Histogram()  # durations of HTTP requests, in ns
        self.errors: Counter[str] = Counter()

    async def run(self, url: str, symbols: Sequence[str], over: asyncio.Event) -> None:
        """Viewers stay until the board says goodbye, pollers until `over`."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            work = [self._view(session, url) for _ in range(self._viewers)]
            for number in range(self._pollers):
                symbol = symbols[number % len(symbols)]
                work.append(self._poll(session, [f"{url}bars", f"{url}bars/{symbol}?limit=50"], over))
            await asyncio.gather(*work)

    async def _view(self, session: aiohttp.ClientSession, url: str) -> None:
        ended = False
        try:
            async with session.ws_connect(f"{url}live", compress=0) as ws:
                async for message in ws:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        ended = ended or "end" in json.loads(message.data)
                        self.messages += not ended
        except (aiohttp.ClientError, OSError) as error:
            self.errors[f"viewer: {type(error).__name__}: {error}"] += 1
        else:
            if not ended:
                self.errors["a viewer's connection ended too early"] += 1

    async def _poll(self, session: aiohttp.ClientSession, pages: list[str], over: asyncio.Event) -> None:
        for page in itertools.cycle(pages):
            start = time.monotonic_ns()
            try:
                async with session.get(page) as response:
                    response.raise_for_status()
                    await response.json()
            except (aiohttp.ClientError, OSError, ValueError) as error:
                self.errors[f"poller: {type(error).__name__}: {error}"] += 1
            else:
                self.answers.add(time.monotonic_ns() - start)
            try:
                await asyncio.wait_for(over.wait(), PERIOD)
            except asyncio.TimeoutError:
                continue
            return
