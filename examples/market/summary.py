"""What a run of the graph did, on one screen."""

from __future__ import annotations

import platform

import csp
import csploop

from .backtest import Backtest
from .board import Board
from .live import Live
from .measure import duration, table

HEAD = ("symbol", "bars", "trades", "volume", "open", "high", "low", "close", "vwap", "deviation")


def lines(live: Live, backtest: Backtest, picture: str, found: list[str]) -> list[str]:
    board, viewers = live.board, live.board.viewers
    latency, answers = live.latency, live.audience.answers
    seconds, options = live.seconds, live.options
    python = f"{platform.python_implementation()} {platform.python_version()}"
    share = 100 * live.cpu_seconds / max(seconds, 1e-9)
    out = [
        f"csploop {csploop.__version__} and csp {csp.__version__} on {python}: "
        f"{seconds:.1f} s of a market day at {options.speed:g} times its pace",
        "",
        *table(HEAD, [_row(board, symbol) for symbol in board.symbols]),
        "",
        f"feed {live.seen:,} ticks, {board.trades:,} trades, {board.bars:,} bars of {options.bar} s   "
        f"CPU {live.cpu_seconds:.2f} s, {share:.0f} % of one core",
        f"from the recording to the graph: p50 {duration(latency.quantile(0.5))}, "
        f"p99 {duration(latency.quantile(0.99))}, max {duration(latency.largest)}",
        f"viewers {viewers.joined}: {viewers.sent:,} messages, {viewers.dropped:,} dropped by policy   "
        f"HTTP {sum(live.service.requests.values()):,} answers, p50 {duration(answers.quantile(0.5))}, "
        f"p99 {duration(answers.quantile(0.99))}",
        picture,
        "",
    ]
    out += [f"TROUBLE: {count} x {text}" for text, count in live.audience.errors.items()]
    if found:
        out += [f"TROUBLE: {text}" for text in found[:10]]
        out.append(f"TROUBLE: the backtest differs in {len(found)} places")
    else:
        out.append(
            f"The backtest over the same {live.seen:,} ticks took {backtest.seconds:.2f} s and gave "
            f"{backtest.board.bars:,} bars: equal to those of the live run."
        )
    return out


def _row(board: Board, symbol: str) -> list[str]:
    rows = board.rows[symbol]
    if not rows:
        return [symbol, *("0" for _ in HEAD[1:4]), *("" for _ in HEAD[4:])]
    bars = [row.bar for row in rows]
    volume = sum(bar.volume for bar in bars)
    prices = [bars[0].open, max(bar.high for bar in bars), min(bar.low for bar in bars), bars[-1].close]
    prices += [sum(bar.turnover for bar in bars) / volume, rows[-1].deviation]
    counts = [len(bars), sum(bar.trades for bar in bars), volume]
    return [symbol, *(f"{count:,}" for count in counts), *(f"{price:.2f}" for price in prices)]
