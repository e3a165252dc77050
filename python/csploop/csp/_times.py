"""csp's times, naive datetimes in UTC, and as whole microseconds since the epoch."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

__all__ = ["AT_ONCE", "EPOCH", "MICROSECOND", "from_microseconds", "naive_utc", "to_microseconds", "utc_now"]

AT_ONCE = timedelta()
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)


def naive_utc(when: datetime) -> datetime:
    """Naive times are UTC already."""
    return when if when.tzinfo is None else when.astimezone(timezone.utc).replace(tzinfo=None)


def utc_now() -> datetime:
    return naive_utc(datetime.now(timezone.utc))


def to_microseconds(when: datetime) -> int:
    """Naive times are UTC."""
    return (naive_utc(when) - EPOCH) // MICROSECOND


def from_microseconds(us: int) -> datetime:
    """Naive UTC."""
    return EPOCH + timedelta(microseconds=us)
