"""What goes into a turn of the core and what comes out of it, as tuples."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Record", "Submission"]


class Record(NamedTuple):
    """A completion, as in csploop/record.h.

    `data` holds the bytes of a READ or RECV, `sender` the struct sockaddr of a RECV, empty if it has no name.
    """

    id: int
    token: int
    result: int
    offset: int
    kind: int
    flags: int
    data: bytes | None
    sender: bytes | None = None


class Submission(NamedTuple):
    """A request for the next turn, as in csploop/record.h.

    `data` of a write is its bytes; of a SEND, the struct sockaddr, which has `flags` bytes, and the datagram.
    """

    op: int
    id: int
    token: int = 0
    data: int | bytes = 0
    flags: int = 0
