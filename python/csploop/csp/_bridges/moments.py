"""The times that users give a bridge: checked, and as csp has them (naive UTC, whole microseconds)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

__all__ = ["AT_ONCE", "as_utc", "span", "utc_now"]

AT_ONCE = timedelta()


def utc_now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def as_utc(when: datetime, what: str) -> datetime:
    """Naive UTC. TypeError for what is no datetime."""
    if not isinstance(when, datetime):
        raise TypeError(f"{what} must be a datetime, not {type(when).__name__}")
    if when.tzinfo is not None:
        when = when.astimezone(timezone.utc).replace(tzinfo=None)
    return when


# csp's own times end in 2261.
LONGEST = timedelta(days=365 * 230)


def span(delay: float) -> timedelta:
    """Seconds as a span, rounded up to microseconds. ValueError for what is negative or NaN."""
    if not delay >= 0:
        raise ValueError(f"a delay cannot be negative: {delay}")
    if delay >= LONGEST.total_seconds():
        return LONGEST
    whole = timedelta(seconds=delay)
    return whole if whole.total_seconds() >= delay else whole + timedelta(microseconds=1)
