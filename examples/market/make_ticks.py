#!/usr/bin/env python3
"""Makes the recorded day that the market service replays: `python examples/market/make_ticks.py`.

The symbols and prices are invented. The same script gives the same day on every machine: it uses one seeded
generator and no function whose last digit may differ between C libraries.
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections.abc import Iterator
from pathlib import Path

OPEN_MS = 34_200_000  # 09:30, in ms since midnight
DAY_SECONDS = 23_400  # until 16:00
HEADER = "ms,symbol,kind,price,size,ask,ask_size"

# symbol, first price in cents, mean events a second, largest step in cents
SYMBOLS = (
    ("FERN", 4_215, 0.14, 2),
    ("KITE", 18_740, 0.30, 6),
    ("MOSS", 960, 0.10, 1),
    ("OPAL", 51_330, 0.22, 15),
    ("QUAY", 7_405, 0.16, 3),
    ("RUNE", 23_880, 0.26, 8),
)

Row = tuple  # (ms, symbol, kind, price, size, ask, ask_size); cents, "" where the kind has no such field


def intensity(second: int) -> float:
    """How busy this second is against the mean: lively at the open and the close, quiet at noon."""
    x = 2.0 * second / DAY_SECONDS - 1.0
    return 0.55 + 1.35 * x * x


def one_symbol(rng: random.Random, symbol: str, price: int, rate: float, step: int) -> Iterator[Row]:
    fair, drift = price, 0
    for second in range(DAY_SECONDS):
        if second % 600 == 0:
            drift = rng.randrange(-1, 2)
        if rng.random() >= rate * intensity(second):
            continue
        ms = OPEN_MS + second * 1000 + rng.randrange(1000)
        fair = max(100, fair + rng.randrange(-step, step + 1) + (drift if rng.random() < 0.2 else 0))
        spread = 1 + rng.randrange(1 + step // 2)
        bid, ask = fair - spread, fair + spread
        yield ms, symbol, "q", bid, 100 * (1 + rng.randrange(20)), ask, 100 * (1 + rng.randrange(20))
        if rng.random() < 0.35:  # somebody takes one side
            yield (
                ms + 1 + rng.randrange(40),
                symbol,
                "t",
                rng.choice((bid, ask)),
                1 + rng.randrange(400),
                "",
                "",
            )


def day(seed: int = 20240506) -> list[Row]:
    rows: list[Row] = []
    for symbol, price, rate, step in SYMBOLS:
        # A generator each, so that adding a symbol leaves the others' days as they were.
        rows.extend(one_symbol(random.Random(f"{seed} {symbol}"), symbol, price, rate, step))
    rows.sort(key=lambda row: (row[0], row[1]))  # stable: a quote stays before its own trade
    return rows


def as_csv(rows: list[Row]) -> str:
    def cents(value: object) -> str:
        return f"{value // 100}.{value % 100:02}" if isinstance(value, int) else ""

    lines = [HEADER]
    for ms, symbol, kind, price, size, ask, ask_size in rows:
        lines.append(f"{ms},{symbol},{kind},{cents(price)},{size},{cents(ask)},{ask_size}")
    return "\n".join(lines) + "\n"


def main() -> None:
    default = Path(__file__).resolve().parent.parent / "data" / "ticks.csv.gz"
    parser = argparse.ArgumentParser(description="Make the recorded day of ticks and write it.")
    parser.add_argument(
        "--out", type=Path, default=default, metavar="FILE", help="(default: examples/data/ticks.csv.gz)"
    )
    out: Path = parser.parse_args().out
    rows = day()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(gzip.compress(as_csv(rows).encode("ascii"), 9, mtime=0))
    print(f"{out.name}: {len(rows)} ticks, {out.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
