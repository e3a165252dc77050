"""Medians, quartiles and ratios of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Summary:
    median: float
    low: float
    """Lower quartile."""
    high: float
    """Upper quartile."""
    count: int

    @property
    def spread(self) -> float:
        """Half the distance of the quartiles, as part of the median."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


def summarize(samples: Sequence[float]) -> Summary:
    if not samples:
        raise ValueError("no samples")
    if len(samples) == 1:
        return Summary(samples[0], samples[0], samples[0], 1)
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Summary(median, low, high, len(samples))


def ratio(numerator: Summary, denominator: Summary) -> float | None:
    """Of the medians; None where the denominator is nothing."""
    return numerator.median / denominator.median if denominator.median else None
