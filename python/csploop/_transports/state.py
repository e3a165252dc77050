"""What a stream transport consists of. Reading and writing are mixins over this class; nothing else holds
state."""

from __future__ import annotations

import asyncio
from asyncio import transports
from typing import TYPE_CHECKING, Any, Callable

from csploop._transports.common import Abortable

if TYPE_CHECKING:
    import socket
    from contextvars import Context

    from csploop._transports.tls_writing import TLSWriting

__all__ = ["StreamState"]


class StreamState(Abortable, transports._FlowControlMixin):
    # The loop's hot path reads these; slots are the cheapest attributes. Users may still add their own.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_above",
        "_backlog",
        "_buffered",
        "_closing",
        "_conn_lost",
        "_context",
        "_deliver",
        "_empty_waiter",
        "_ended",
        "_eof",
        "_eof_came",
        "_fileno",
        "_given",
        "_held",
        "_id",
        "_out",
        "_paused",
        "_protocol",
        "_protocol_connected",
        "_queued",
        "_read_mode",
        "_read_started",
        "_refuses",
        "_room",
        "_run",
        "_server",
        "_small_reads",
        "_sock",
        "_sock_fd",
    )

    _datagrams = False  # for the loop's gathering

    if TYPE_CHECKING:
        # of asyncio's flow control
        _loop: Any
        _extra: dict[str, Any]
        _high_water: int
        _low_water: int
        _protocol_paused: bool

        def _maybe_pause_protocol(self) -> None: ...
        def _maybe_resume_protocol(self) -> None: ...

        _id: int
        _sock: socket.socket | None
        _sock_fd: int
        _server: Any
        _protocol: Any
        _protocol_connected: bool
        _context: Context
        _run: Callable[..., Any]

        # writing
        _above: TLSWriting | None  # what writes here and may hold back plaintext until the turn's end
        _out: list[bytes]
        _queued: int
        _backlog: int
        _room: int
        _refuses: bool  # after write_eof and close, and during sendfile
        _eof: bool  # write_eof was called
        _empty_waiter: asyncio.Future[None] | None

        # reading
        _deliver: Callable[[Any], object]
        _held: list[Any]
        _paused: bool
        _read_started: bool
        _eof_came: bool  # the peer writes no more
        _buffered: bool
        _read_mode: int
        _small_reads: int

        # the end
        _closing: bool
        _ended: bool  # the core was told to close
        _conn_lost: int

        def close(self) -> None: ...
        def _finish_close(self) -> None: ...
        def _on_eof(self) -> None: ...
