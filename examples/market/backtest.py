"""The same graph over the recording, in simulation: engine time is the market's, and nobody waits."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta, timezone

import csp
import csploop.csp

from .board import Board
from .graph import Trade, market
from .recording import Tick

DAY = datetime(2024, 5, 6, tzinfo=timezone.utc)


async def recorded(ticks: Sequence[Tick]) -> AsyncIterator[Trade]:
    """The recording's trades, each at its market time."""
    loop = asyncio.get_running_loop()
    for tick in ticks:
        if tick.kind != "t":
            continue
        delay = DAY.timestamp() + tick.ms / 1000 - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
        data = json.loads(f"{{{tick.body}}}")
        yield Trade(ms=tick.ms, symbol=tick.symbol, price=data["price"], size=data["size"])


@csp.graph
def backtest_graph(ticks: object, bar_ms: int, board: object):
    market(csploop.csp.async_for(recorded(ticks)), board.symbols, bar_ms, board)


class Backtest:
    def __init__(self, ticks: Sequence[Tick], symbols: list[str], bar_seconds: int) -> None:
        self._ticks = ticks
        self._bar_ms = bar_seconds * 1000
        self.board = Board(symbols)
        self.seconds = 0.0

    def run(self) -> None:
        started = time.monotonic()
        csploop.csp.run(
            backtest_graph,
            self._ticks,
            self._bar_ms,
            self.board,
            realtime=False,
            starttime=DAY.replace(tzinfo=None),
            endtime=timedelta(days=1),
        )
        self.seconds = time.monotonic() - started


def differences(live: Board, backtest: Board) -> list[str]:
    """Where the rows of two boards differ, a line each; empty if they are equal."""
    found = []
    for symbol in live.symbols:
        ours, theirs = live.rows[symbol], backtest.rows[symbol]
        if len(ours) != len(theirs):
            found.append(f"{symbol}: {len(ours)} bars live, {len(theirs)} in the backtest")
        found += [f"{symbol}: {a} live, {b} in the backtest" for a, b in zip(ours, theirs) if a != b]
    return found
