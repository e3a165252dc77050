"""Latencies in bounded memory, and numbers for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

STEPS = 32  # buckets per doubling: a quantile is at most about 3 % off


class Histogram:
    """Counts of durations in ns, in buckets that grow with the value."""

    def __init__(self, counts: Mapping[str, int] | None = None, largest: int = 0) -> None:
        self._counts: Counter[int] = Counter({int(k): v for k, v in (counts or {}).items()})
        self.largest = largest

    def add(self, ns: int) -> None:
        ns = max(ns, 0)
        shift = max(ns.bit_length() - 6, 0)  # the top 6 bits, of which the first is always 1
        self._counts[shift * STEPS + (ns >> shift)] += 1
        if ns > self.largest:
            self.largest = ns

    @property
    def total(self) -> int:
        return sum(self._counts.values())

    def quantile(self, q: float) -> int:
        """The upper end of the bucket that holds the q-th value, in ns; 0 if there is none."""
        wanted, seen = q * self.total, 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                shift = max(bucket // STEPS - 1, 0)
                return min((bucket - shift * STEPS + 1) << shift, self.largest)
        return 0

    def as_json(self) -> dict[str, object]:
        return {"counts": {str(k): v for k, v in self._counts.items()}, "largest": self.largest}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Histogram:
        counts, largest = data["counts"], data["largest"]
        if not isinstance(counts, dict) or not isinstance(largest, int):
            raise ValueError("not a histogram")
        return cls(counts, largest)


def duration(ns: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6)):
        if ns >= size:
            return f"{ns / size:.2f} {unit}"
    return f"{ns / 1e3:.0f} µs"


def size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of text; the first column is left-aligned, the others are numbers."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        return "  ".join(cells).rstrip()

    return [line(head), "  ".join("-" * width for width in widths), *map(line, rows)]
