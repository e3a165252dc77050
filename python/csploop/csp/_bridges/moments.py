"""The times that users give a bridge: checked, and as csp has them (naive UTC, whole microseconds)."""

from __future__ import annotations

from datetime import datetime, timedelta

from csploop.csp._times import MICROSECOND, naive_utc

__all__ = ["as_utc", "span"]

# csp's own times end in 2261.
LONGEST = timedelta(days=365 * 230)


def as_utc(when: datetime, what: str) -> datetime:
    """Naive UTC. TypeError for what is no datetime."""
    if not isinstance(when, datetime):
        raise TypeError(f"{what} must be a datetime, not {type(when).__name__}")
    return naive_utc(when)


def span(delay: float) -> timedelta:
    """Seconds as a span, rounded up to microseconds. ValueError for what is negative or NaN."""
    if not delay >= 0:
        raise ValueError(f"a delay cannot be negative: {delay}")
    if delay >= LONGEST.total_seconds():
        return LONGEST
    whole = timedelta(seconds=delay)
    return whole if whole.total_seconds() >= delay else whole + MICROSECOND
