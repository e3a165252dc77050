"""csp's times, naive datetimes in UTC, as whole microseconds since the epoch."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

__all__ = ["from_microseconds", "to_microseconds"]

EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)


def to_microseconds(when: datetime) -> int:
    """Naive times are UTC."""
    if when.tzinfo is not None:
        when = when.astimezone(timezone.utc).replace(tzinfo=None)
    return (when - EPOCH) // MICROSECOND


def from_microseconds(us: int) -> datetime:
    """Naive UTC."""
    return EPOCH + timedelta(microseconds=us)
