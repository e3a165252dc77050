"""Looks things up in results: summaries, ratios, and who was ahead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .results import Results
from .stats import Summary, ratio, summarize

EQUALLY_BUSY = 0.10
"""Servers whose busy parts differ by no more than this count as equally saturated."""
CLOSE = 0.03
"""Ratios nearer to one than this are a draw, whatever the quartiles say."""


@dataclass(frozen=True)
class Ratio:
    value: float
    clear: bool
    """The quartiles do not overlap."""
    equal: bool
    """Both servers were equally busy, or the figure does not depend on it."""
    better: bool | None
    """None: a draw."""


@dataclass(frozen=True)
class Comparison:
    section: dict[str, Any]
    row: dict[str, Any]
    measure: dict[str, Any]
    ours: dict[str, Any]
    theirs: dict[str, Any]
    ratio: Ratio


def summary(results: Results, section: str, row: str, label: str, key: str) -> Summary | None:
    entries = results["samples"].get(section, {}).get(row, {}).get(label, [])
    return summarize([entry[key] for entry in entries]) if entries else None


def failure(results: Results, section: str, row: str, label: str) -> str | None:
    reason: str | None = results["failures"].get(section, {}).get(row, {}).get(label)
    return reason


def pairs(section: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Contenders to be compared: those of one world whose families are paired."""
    return [
        (ours, theirs)
        for ours in section["contenders"]
        for ours_family, theirs_family in section["ratios"]
        for theirs in section["contenders"]
        if ours["world"] == theirs["world"]
        and (ours["family"], theirs["family"]) == (ours_family, theirs_family)
    ]


def compare(
    results: Results, section: dict[str, Any], row: str, measure: dict[str, Any], ours: str, theirs: str
) -> Ratio | None:
    one = summary(results, section["name"], row, ours, measure["key"])
    two = summary(results, section["name"], row, theirs, measure["key"])
    if one is None or two is None:
        return None
    value = ratio(one, two)
    if value is None:
        return None
    equal = True
    if measure["with_busy"]:
        busy = [summary(results, section["name"], row, label, "busy") for label in (ours, theirs)]
        equal = all(busy) and abs(busy[0].median - busy[1].median) <= EQUALLY_BUSY  # type: ignore[union-attr]
    clear = one.high < two.low or one.low > two.high
    draw = abs(value - 1) <= CLOSE or not clear
    return Ratio(value, clear, equal, None if draw else (value > 1) == measure["higher_is_better"])


def comparisons(results: Results) -> Iterator[Comparison]:
    for section in results["sections"]:
        for row in section["rows"]:
            for measure in section["measures"]:
                if not measure["with_ratio"]:
                    continue
                for ours, theirs in pairs(section):
                    found = compare(results, section, row["key"], measure, ours["label"], theirs["label"])
                    if found is not None:
                        yield Comparison(section, row, measure, ours, theirs, found)
