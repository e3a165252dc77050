"""What a loop still holds: the tests' one look at private parts."""

from __future__ import annotations

from typing import Any

# Kept on purpose until close: the end of the wake-up descriptor's pair, and what sock_* remember of a socket.
KEPT = ("SignalGate", "SocketWatch")


def open_transports(loop: Any) -> list[Any]:
    """Transports that have not ended, where the loop keeps a list of them."""
    transports = getattr(loop, "_transports", None)
    # asyncio's dictionary keeps closed ones too, until they are collected.
    return [each for each in list(transports.values()) if each._sock is not None] if transports else []


def leftovers(loop: Any) -> list[str]:
    """Streams, listeners and watchers that still have an id in a csploop loop."""
    return [
        f"id {id:#x} still belongs to {owner!r}"
        for id, owner in getattr(loop, "_owners", {}).items()
        if type(owner).__name__ not in KEPT
    ]
