"""The csp graph: trades in, bars and their statistics out. The same one live and in the backtest.

A bar covers a stretch of market time, which travels with each trade, so what is in a bar does not depend on
when the graph hears of it. Each symbol has a chain of its own:

    trades --of one symbol--> bars --close--> mean, deviation --> Row --> the board
"""
# csp reads the annotations of Structs at run time, so they must not be postponed.

import csp
import csp.stats
from csp import ts

WINDOW = 20  # bars that mean and deviation look back on


class Trade(csp.Struct):
    ms: int  # market time since midnight
    symbol: str
    price: float
    size: int


class Bar(csp.Struct):
    symbol: str
    start_ms: int  # market time since midnight
    open: float
    high: float
    low: float
    close: float
    volume: int
    turnover: float  # sum of price times size
    trades: int


class Row(csp.Struct):
    """A bar, complete, and what it means."""

    bar: Bar
    vwap: float
    mean: float  # of the last closes
    deviation: float  # their standard deviation; 0 for the first


@csp.node
def of_symbol(trade: ts[Trade], symbol: str) -> ts[Trade]:
    if csp.ticked(trade) and trade.symbol == symbol:
        csp.output(trade)


@csp.node
def bars(trade: ts[Trade], length_ms: int) -> ts[Bar]:
    """A bar is complete, and ticks, when the first trade after it comes."""
    with csp.state():
        s_bar = None
    if csp.ticked(trade):
        start = trade.ms - trade.ms % length_ms
        if s_bar is not None and s_bar.start_ms != start:
            csp.output(s_bar)
            s_bar = None
        if s_bar is None:
            s_bar = Bar(symbol=trade.symbol, start_ms=start, open=trade.price, high=trade.price)
            s_bar.update(low=trade.price, volume=0, turnover=0.0, trades=0)
        s_bar.high = max(s_bar.high, trade.price)
        s_bar.low = min(s_bar.low, trade.price)
        s_bar.close = trade.price
        s_bar.volume += trade.size
        s_bar.turnover += trade.price * trade.size
        s_bar.trades += 1


@csp.node
def rows(bar: ts[Bar], mean: ts[float], deviation: ts[float]) -> ts[Row]:
    if csp.ticked(bar):
        spread = deviation if csp.valid(deviation) else 0.0
        csp.output(Row(bar=bar, vwap=bar.turnover / bar.volume, mean=mean, deviation=spread))


@csp.node
def show(trade: ts[Trade], row: ts[Row], board: object):
    """Out of the graph: the board's subscribers live on the same thread, so this is a call and no queue."""
    if csp.ticked(trade):
        board.on_trade(trade)
    if csp.ticked(row):
        board.on_row(row)


@csp.graph
def market(trade: ts[Trade], symbols: [str], bar_ms: int, board: object):
    for symbol in symbols:
        own = of_symbol(trade, symbol)
        bar = bars(own, bar_ms)
        mean = csp.stats.mean(bar.close, WINDOW, 1)
        deviation = csp.stats.stddev(bar.close, WINDOW, 2)
        show(own, rows(bar, mean, deviation), board)
