"""What the graph has put out: all rows so far, the latest trade of each symbol, and who wants to see more."""

from __future__ import annotations

import json
from typing import Any

from .graph import Row, Trade
from .subscribers import Subscribers

VIEWER_LIMIT = 512  # messages that wait for one viewer before the oldest is dropped


def as_dict(row: Row) -> dict[str, Any]:
    bar = row.bar
    return {
        "symbol": bar.symbol,
        "start_ms": bar.start_ms,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
        "trades": bar.trades,
        "vwap": round(row.vwap, 4),
        "mean": round(row.mean, 4),
        "deviation": round(row.deviation, 4),
    }


class Board:
    """Only the graph's thread touches it, which is also the loop's."""

    def __init__(self, symbols: list[str]) -> None:
        self.symbols = symbols
        self.rows: dict[str, list[Row]] = {symbol: [] for symbol in symbols}
        self.trades = 0
        self.last: dict[str, Trade] = {}
        self.viewers = Subscribers(VIEWER_LIMIT)

    def on_trade(self, trade: Trade) -> None:
        self.trades += 1
        self.last[trade.symbol] = trade
        if self.viewers:
            self._offer({"trade": {"symbol": trade.symbol, "ms": trade.ms, "price": trade.price}})

    def on_row(self, row: Row) -> None:
        self.rows[row.bar.symbol].append(row)
        if self.viewers:
            self._offer({"bar": as_dict(row)})

    def _offer(self, message: dict[str, Any]) -> None:
        text = json.dumps(message)
        for viewer in self.viewers:
            viewer.offer(text)

    @property
    def bars(self) -> int:
        return sum(map(len, self.rows.values()))
