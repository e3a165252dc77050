"""The recorded day: one Tick for each line of the file, already encoded as the JSON that clients get."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

COLUMNS = ["ms", "symbol", "kind", "price", "size", "ask", "ask_size"]


class BadRecording(Exception):
    """The file cannot be replayed; the text says where and why."""


class Tick(NamedTuple):
    ms: int  # since midnight
    symbol: str
    kind: str  # "q": a quote, "t": a trade
    body: str  # the inside of a JSON object: '"symbol":"KITE","kind":"q",…'


def load(path: Path) -> list[Tick]:
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="ascii", newline="") as lines:
            return _parse(path.name, csv.reader(lines))
    except (OSError, EOFError, zlib.error) as error:  # gzip.BadGzipFile is an OSError
        reason = getattr(error, "strerror", None) or error
        raise BadRecording(f"cannot read {path}: {reason}") from error
    except UnicodeDecodeError as error:
        raise BadRecording(f"cannot read {path}: not a text file") from error
    except csv.Error as error:
        raise BadRecording(f"cannot read {path}: {error}") from error


def _parse(name: str, rows: Iterator[list[str]]) -> list[Tick]:
    if next(rows, None) != COLUMNS:
        raise BadRecording(f"{name}: line 1 should be {','.join(COLUMNS)}")
    ticks: list[Tick] = []
    latest = 0
    for number, row in enumerate(rows, start=2):
        try:
            tick = _tick(row)
        except ValueError as error:
            raise BadRecording(f"{name}: line {number}: {error}") from error
        if tick.ms < latest:
            raise BadRecording(f"{name}: line {number}: earlier than the line before it")
        latest = tick.ms
        ticks.append(tick)
    if not ticks:
        raise BadRecording(f"{name}: no ticks in it")
    return ticks


def _tick(row: list[str]) -> Tick:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(row)} fields, not {len(COLUMNS)}")
    ms, symbol, kind, price, size, ask, ask_size = row
    if not symbol.isalnum():
        raise ValueError(f"{symbol!r} is no symbol")
    when, cost, amount = _whole(ms), _price(price), _whole(size)
    if kind == "t":
        values = f'"price":{cost},"size":{amount}'
    elif kind == "q":
        values = f'"bid":{cost},"bid_size":{amount},"ask":{_price(ask)},"ask_size":{_whole(ask_size)}'
    else:
        raise ValueError(f"kind {kind!r} is neither q nor t")
    return Tick(when, symbol, kind, f'"symbol":"{symbol}","kind":"{kind}","ms":{when},{values}')


def _whole(text: str) -> int:
    if not text.isdigit():
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _price(text: str) -> str:
    """Prices stay text, so that no float changes their last digit; but they must be prices."""
    whole, _, cents = text.partition(".")
    if not (whole.isdigit() and cents.isdigit() and len(cents) == 2):
        raise ValueError(f"{text!r} is no price")
    return text
