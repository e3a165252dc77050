"""What a TLS connection consists of. Its reading, writing and life are mixins over this class; nothing else
holds state."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections import deque
    from contextvars import Context

    from csploop._transports.stream import StreamTransport
    from csploop._transports.tls_transport import SSLTransport

__all__ = ["AGAIN", "FLUSHING", "GONE", "HANDSHAKE", "OPEN", "SHUTDOWN", "TLSState"]

# In this order: what is below FLUSHING takes writes.
HANDSHAKE, OPEN, FLUSHING, SHUTDOWN, GONE = range(5)

# What OpenSSL raises when it needs bytes from the peer first.
AGAIN = (ssl.SSLWantReadError, ssl.SSLSyscallError)


class TLSState(asyncio.Protocol):
    __slots__ = (
        "__weakref__",
        "_ahead",
        "_ahead_size",
        "_app_paused",
        "_app_transport",
        "_write_backlog",
        "_write_buffer_size",
        "_below_paused",
        "_buffered",
        "_context",
        "_discarded",
        "_eof_came",
        "_extra",
        "_handshake_timeout",
        "_held_below",
        "_high_water",
        "_incoming",
        "_kept_open",
        "_is_dirty",
        "_loop",
        "_lost",
        "_low_water",
        "_outgoing",
        "_paused",
        "_protocol",
        "_read_high",
        "_read_low",
        "_shutdown_timeout",
        "_sslobj",
        "_started_at",
        "_state",
        "_stream",
        "_timer",
        "_told_of_connection",
        "_told_of_eof",
        "_transport",
        "_waiter",
        "_wants_read",
    )

    if TYPE_CHECKING:
        _loop: Any
        _state: int
        _protocol: Any  # the one above
        _context: Context | None  # the connection's, in which that one is called
        _app_transport: SSLTransport | None
        _transport: Any  # the one below
        _stream: StreamTransport | None  # the same, if it is one of ours whose queue we know
        _sslobj: ssl.SSLObject
        _incoming: ssl.MemoryBIO
        _outgoing: ssl.MemoryBIO
        _extra: dict[str, Any]
        _waiter: asyncio.Future[None] | None
        _timer: asyncio.TimerHandle | None
        _handshake_timeout: float
        _shutdown_timeout: float
        _started_at: float
        _told_of_connection: bool
        _told_of_eof: bool

        # reading
        _ahead: list[bytes]  # decrypted while reading is paused, because OpenSSL could not write else
        _ahead_size: int
        _buffered: bool
        _discarded: int  # bytes that came after close()
        _paused: bool  # by the protocol above
        _held_below: bool  # the transport below was told to pause reading
        _eof_came: bool
        _kept_open: (
            bool  # past the peer's end, by TLS above that holds data which its protocol has yet to take
        )
        _read_high: int
        _read_low: int

        # writing: plaintext that is not encrypted yet
        _write_backlog: deque[Any]
        _write_buffer_size: int
        _is_dirty: bool
        _below_paused: bool  # the transport below has enough
        _app_paused: bool  # the protocol above was told so
        _wants_read: bool  # OpenSSL cannot write before it has read (renegotiation)
        _high_water: int
        _low_water: int
        _lost: int

        # of one part, used by another
        def _start_shutdown(self) -> None: ...
        def _shut_if_flushed(self) -> None: ...
        def _read_ahead(self) -> bool: ...
        def _end_of_peer(self) -> bool: ...
        def _send_outgoing(self) -> None: ...
        def _seal(self, all_of_it: bool = ...) -> None: ...
        def _drop_backlog(self) -> None: ...
        def _fatal_error(self, exc: BaseException, message: str = ...) -> None: ...
