"""StreamTransport: a connected TCP or Unix socket as an asyncio transport.

Owner: Python makes and owns the socket object; the core does the I/O on its descriptor and gives it back with
CLOSED, after which the socket is closed here. All methods belong on the loop's thread.

The protocol's methods run in one context of the connection's own: the one that is given, else a copy of the
maker's. Only what a call of the transport's itself leads to (pause_writing) runs in the caller's.

Reading: the loop calls `_deliver` with each record's bytes. What that is says the transport's state: the
protocol's data_received itself while all is well, else a method that holds (paused), drops (closing) or
copies (BufferedProtocol).

Writing: bytes wait in `_out` until the turn's submissions are gathered. `_queued` counts them, `_backlog`
what the core could not send, and `_room` says from how many on a write looks at the high-water mark.

    open --close()--> closing, what is unsent goes out --CLOSED--> connection_lost(None)
    open --abort(), an error--> closing, what is unsent is dropped --CLOSED--> connection_lost(error)
"""

from __future__ import annotations

import asyncio
import socket
import warnings
from asyncio import constants
from asyncio.log import logger
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Callable

from csploop._compat import ALWAYS_LOOK, attach_client, closed_flag, detach_client
from csploop._ffi import lib
from csploop._ffi.errors import error_from_code
from csploop._loop.words import (
    BACKLOG,
    CLOSE_ABORT,
    CLOSE_DRAIN,
    CLOSED,
    EOF,
    ERROR,
    OP_CLOSE,
    OP_READ_STOP,
    READABLE,
    REJECTED,
)
from csploop._transports.common import bad_descriptor, nowhere, wake_waiter
from csploop._transports.reading import Reading
from csploop._transports.transport_socket import TransportSocket
from csploop._transports.writing import WRITE_ERROR, Writing

if TYPE_CHECKING:
    from csploop._loop.state import LoopState

__all__ = ["StreamTransport"]

# Refusals of a write that crossed with the stream's end: ERROR or CLOSED tells the protocol.
GONE = (lib.CSPLOOP_EPIPE, lib.CSPLOOP_EBADID, lib.CSPLOOP_ENOTCONN, lib.CSPLOOP_EALREADY)

# So little fits into the kernel's buffer if nothing waits for it. More than that is sent when the stream
# closes, to see whether it does.
AT_ONCE_BYTES = 4096

_mode: Any = getattr(constants, "_SendfileMode")  # noqa: B009


class StreamTransport(Reading, Writing):
    __slots__ = ()
    _start_tls_compatible = True
    _sendfile_compatible = _mode.TRY_NATIVE
    # While the kernel sends a file: what tells it that the connection is gone.
    _abort_sendfile: Callable[[], object] | None = None

    def __init__(
        self,
        loop: LoopState,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        stream_id: int = 0,
        context: Context | None = None,
    ) -> None:
        # For __del__ and __repr__, should anything below fail.
        self._sock = None
        self._sock_fd = -1
        self._id = 0
        self._server = None
        self._room = 0
        super().__init__(extra, loop)
        self._extra["socket"] = TransportSocket(sock, self)
        try:
            self._extra["sockname"] = sock.getsockname()
        except OSError:
            self._extra["sockname"] = None
        if "peername" not in self._extra:
            try:
                self._extra["peername"] = sock.getpeername()
            except OSError:
                self._extra["peername"] = None
        self._fileno = sock.fileno
        self._given = closed_flag(sock)
        self._sock_fd = sock.fileno()
        self._context = copy_context() if context is None else context
        self._run = self._context.run
        self._above = None
        self._out = []
        self._queued = 0
        self._backlog = 0
        self._room = self._high_water
        self._held = []
        self._closing = False
        self._ended = False  # the core was told to close
        self._refuses = False  # writes: after write_eof, close, and during sendfile
        self._paused = False
        self._eof = False  # write_eof was called
        self._eof_came = False  # the peer writes no more
        self._read_started = False
        self._conn_lost = 0
        self._empty_waiter = None
        self._start_buffered()
        self._deliver = self._drop
        self._protocol_connected = False
        self.set_protocol(protocol)

        self._id = stream_id or loop._adopt(self, self._sock_fd, sock.family != socket.AF_UNIX)
        self._sock = sock
        loop._owners[self._id] = self
        loop._streams[self._sock_fd] = self
        if server is not None:
            self._server = server
            attach_client(server, self)

        call_soon = loop.call_soon
        call_soon(protocol.connection_made, self, context=self._context)
        call_soon(self._start_reading)
        if waiter is not None:
            call_soon(wake_waiter, waiter)

    def __repr__(self) -> str:
        info = self._first_words(self._sock is None)
        if self._sock is not None and not self._loop.is_closed():
            info.append("read=polling" if self._read_started and self.is_reading() else "read=idle")
            info.append(
                f"write=<{'polling' if self._backlog else 'idle'}, bufsize={self._queued + self._backlog}>"
            )
        return f"<{' '.join(info)}>"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if self._sock is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._sock.close()
            if self._server is not None:
                detach_client(self._server, self)

    def _on_record(self, kind: int, result: int, offset: int) -> None:
        if kind == BACKLOG:
            self._run(self._on_backlog, result)
        elif kind == EOF:
            self._eof_came = True
            if self._paused or self._held:
                self._held.append(None)
                self._choose_deliver()
            else:
                self._on_eof()
        elif kind == READABLE:
            self._on_readable()
        elif kind == ERROR:
            exc = error_from_code(result)
            self._fatal_error(exc, "Fatal error on socket transport")
        elif kind == CLOSED and self._sock is not None and not self._conn_lost:
            # The end of a close() that had to drain and could; the others did not wait for it.
            loop = self._loop
            try:
                loop._run_handle(asyncio.Handle(self._call_connection_lost, (None,), loop, self._context))
            except (SystemExit, KeyboardInterrupt):
                if self._sock is not None:  # it did not come to it
                    loop.call_soon(self._call_connection_lost, None, context=self._context)
                raise
        elif kind == REJECTED and result not in GONE:
            self._fatal_error(error_from_code(result), "Fatal error on socket transport")

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        if self._sock is None:
            return
        loop = self._loop
        loop._owners.pop(self._id, None)
        if loop._streams.get(self._sock_fd) is self:
            del loop._streams[self._sock_fd]
        self._above = None
        self._queued = self._backlog = 0
        self._out.clear()
        sock, self._sock = self._sock, None
        self._fileno = nowhere
        self._given = ALWAYS_LOOK
        server, self._server = self._server, None
        waiter, self._empty_waiter = self._empty_waiter, None
        try:
            if self._protocol_connected:
                self._protocol.connection_lost(exc)
        finally:
            if self._abort_sendfile is not None:
                self._abort_sendfile()
            sock.close()
            self._protocol = None
            self._leave_context()
            if waiter is not None and not waiter.done():
                waiter.set_exception(ConnectionError("Connection is closed by peer"))
            if server is not None:
                detach_client(server, self)

    def _sends(self) -> bool:
        return self._sock is not None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket":
            self._hand_over()  # whoever uses it must find there what was written before
        return super().get_extra_info(name, default)

    def close(self) -> None:
        if not self._closing:
            self._settle()
        if self._closing:
            return
        self._closing = True
        self._deliver = self._drop
        self._held.clear()
        if self._queued > AT_ONCE_BYTES:
            self._loop._flush()
        unsent = self._unsent() if self._backlog or not self._queued else 0
        if (unsent or self._queued) and not self._has_descriptor():
            self._lose_descriptor()  # nobody would tell when that could be sent
            return
        if not unsent and not self._protocol_paused:
            self._finish_close()
        elif self._read_started and not self._paused and not self._eof_came:
            # As long as something is unsent, asyncio takes more writes, and calls resume_writing, on which
            # its TLS relies; so the core hears of the close only when all is sent.
            self._loop._ops.append((self._id, OP_READ_STOP, 0))

    def _finish_close(self) -> None:
        """The core has sent all that it got. What is queued goes with the close."""
        drained = not self._queued
        self._end(CLOSE_DRAIN)
        if drained:
            self._lose(None)  # else the CLOSED record tells when all is sent

    def _lose_descriptor(self) -> None:
        """The socket was closed behind our back: who has its number now does not get what is to be sent.

        The loop's gathering calls this, too, so no user code runs in here.
        """
        self._out.clear()
        self._queued = self._backlog = 0
        if self._sock is None or self._conn_lost:
            return
        exc = bad_descriptor()
        if self._loop._debug:
            logger.debug("%r: %s", self, WRITE_ERROR, exc_info=exc)
        self._end(CLOSE_ABORT)
        self._lose(exc)

    def _end(self, flags: int) -> None:
        self._closing = self._ended = self._refuses = True
        self._deliver = self._drop
        self._held.clear()
        self._loop._ops.append((self._id, OP_CLOSE, flags))

    def _lose(self, exc: BaseException | None) -> None:
        """Calls connection_lost in the next turn, when the core has let go of the descriptor."""
        self._conn_lost += 1
        self._loop.call_soon(self._call_connection_lost, exc, context=self._context)

    def _force_close(self, exc: BaseException | None) -> None:
        if not self._ended:
            self._settle()
        if self._sock is None or self._conn_lost:
            return
        # What was written before still goes out as far as the kernel takes it at once; the rest is dropped.
        self._end(CLOSE_ABORT)
        self._lose(exc)
