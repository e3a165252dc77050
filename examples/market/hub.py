"""The market as its subscribers see it: each tick goes to those who want its symbol, numbered per symbol."""

from __future__ import annotations

from collections import deque

from .recording import Tick
from .subscribers import Subscribers

TRADES_KEPT = 50


class Hub:
    def __init__(self, symbols: set[str], queue_limit: int) -> None:
        self.symbols = symbols
        self.subscribers = Subscribers(queue_limit)
        self.quotes: dict[str, str] = {}  # symbol -> its latest quote, as JSON
        self.trades: dict[str, deque[str]] = {symbol: deque(maxlen=TRADES_KEPT) for symbol in symbols}
        self._numbers = dict.fromkeys(symbols, 0)

    def publish(self, tick: Tick, due: int) -> None:
        """One tick; due is when the recording wanted it out, in monotonic ns."""
        number = self._numbers[tick.symbol] = self._numbers[tick.symbol] + 1
        message = f'{{"n":{number},"due":{due},{tick.body}}}'
        if tick.kind == "q":
            self.quotes[tick.symbol] = message
        else:
            self.trades[tick.symbol].append(message)
        for subscriber in self.subscribers:
            if tick.symbol in subscriber.symbols:
                subscriber.offer(message)

    def number(self, symbol: str) -> int:
        """The number of the symbol's latest tick, 0 before the first."""
        return self._numbers[symbol]
