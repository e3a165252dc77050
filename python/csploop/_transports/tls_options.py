"""What a TLS connection may be told, and the defaults of that."""

from __future__ import annotations

import ssl
from asyncio import constants

__all__ = ["SHUTDOWN_TIMEOUT", "default_context", "positive_timeout", "water_marks"]

# Python 3.10 has no such constant in asyncio.
SHUTDOWN_TIMEOUT: float = getattr(constants, "SSL_SHUTDOWN_TIMEOUT", 30.0)


def positive_timeout(name: str, value: float | None, default: float) -> float:
    if value is None:
        return default
    if value <= 0:
        raise ValueError(f"{name} should be a positive number, got {value}")
    return value


def default_context(server_side: bool, server_hostname: str | None) -> ssl.SSLContext:
    """For ssl=True, which only a client can say."""
    if server_side:
        raise ValueError("Server side SSL needs a valid SSLContext")
    context = ssl.create_default_context()
    if not server_hostname:
        context.check_hostname = False
    return context


def water_marks(high: int | None, low: int | None, kib: int) -> tuple[int, int]:
    """The two limits of a flow control, each following from the other if only one is given."""
    if high is None:
        high = kib * 1024 if low is None else 4 * low
    if low is None:
        low = high // 4
    if not high >= low >= 0:
        raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
    return high, low
