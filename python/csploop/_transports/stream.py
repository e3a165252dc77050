"""StreamTransport: a connected TCP or Unix socket as an asyncio transport.

Owner: Python makes and owns the socket object; the core does the I/O on its descriptor and gives it back with CLOSED,
after which the socket is closed here. All methods belong on the loop's thread.

Reading: the loop calls `_deliver` with each record's bytes. What that is says the transport's state: the protocol's
data_received itself while all is well, else a method that holds (paused), drops (closing) or copies (BufferedProtocol).

Writing: bytes wait in `_out` until the turn's submissions are gathered. `_queued` counts them, `_backlog` what the
core could not send, and `_room` says from how many on a write looks at the high-water mark.

    open --close()--> closing: the core drains, then CLOSED --> connection_lost(None)
       \\--abort(), an error, a protocol's exception --> closing: what is unsent is dropped, CLOSED --> connection_lost
"""

from __future__ import annotations

import asyncio
import socket
import warnings
from asyncio import constants, transports, trsock
from asyncio.log import logger
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Callable, Optional

from csploop._compat import attach_client, detach_client
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
    OP_READ_START,
    OP_READ_STOP,
    OP_SHUTDOWN,
    READ_SLAB,
    READABLE,
    REJECTED,
)
from csploop._transports.buffered import BufferedReading

if TYPE_CHECKING:
    from csploop._loop.state import LoopState

__all__ = ["StreamTransport"]

# Refusals of a write that crossed with the stream's end: ERROR or CLOSED tells the protocol.
GONE = (lib.CSPLOOP_EPIPE, lib.CSPLOOP_EBADID, lib.CSPLOOP_ENOTCONN, lib.CSPLOOP_EALREADY)

# How many bytes a protocol that was told to pause may add before the next attempt to send.
PAUSED_ROOM = 64 * 1024

_mode: Any = getattr(constants, "_SendfileMode")  # noqa: B009


class StreamTransport(BufferedReading, transports._FlowControlMixin, asyncio.Transport):
    _start_tls_compatible = True
    _sendfile_compatible = _mode.FALLBACK

    # The loop's hot path reads these; slots are the cheapest attributes. Users may still add their own.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_aborted",
        "_backlog",
        "_buffered",
        "_closing",
        "_conn_lost",
        "_context",
        "_deliver",
        "_empty_waiter",
        "_eof",
        "_eof_came",
        "_error",
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

    if TYPE_CHECKING:
        _loop: Any
        _extra: dict[str, Any]
        _high_water: int
        _low_water: int
        _protocol_paused: bool

        def _maybe_pause_protocol(self) -> None: ...
        def _maybe_resume_protocol(self) -> None: ...

    def __init__(
        self,
        loop: LoopState,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: Optional[asyncio.Future[None]] = None,
        extra: Optional[dict[str, Any]] = None,
        server: Any = None,
        stream_id: int = 0,
    ) -> None:
        # For __del__ and __repr__, should anything below fail.
        self._sock: Optional[socket.socket] = None
        self._sock_fd = -1
        self._id = 0
        self._server: Any = None
        self._room = 0
        super().__init__(extra, loop)  # type: ignore[call-arg]  # the stubs do not know the loop
        self._extra["socket"] = trsock.TransportSocket(sock)  # type: ignore[attr-defined]
        try:
            self._extra["sockname"] = sock.getsockname()
        except OSError:
            self._extra["sockname"] = None
        if "peername" not in self._extra:
            try:
                self._extra["peername"] = sock.getpeername()
            except OSError:
                self._extra["peername"] = None
        self._sock_fd = sock.fileno()
        self._context = copy_context()
        self._run = self._context.run
        self._out: list[bytes] = []
        self._queued = 0
        self._backlog = 0
        self._room = self._high_water
        self._held: list[Any] = []
        self._closing = False
        self._aborted = False
        self._refuses = False  # writes: after write_eof, close, and during sendfile
        self._paused = False
        self._eof = False  # write_eof was called
        self._eof_came = False  # the peer writes no more
        self._read_started = False
        self._conn_lost = 0
        self._error: Optional[BaseException] = None
        self._empty_waiter: Optional[asyncio.Future[None]] = None
        self._start_buffered()
        self._deliver: Callable[[Any], object] = self._drop
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
            call_soon(_wake_waiter, waiter)

    def __repr__(self) -> str:
        info = [type(self).__name__]
        if self._sock is None:
            info.append("closed")
        elif self._closing:
            info.append("closing")
        info.append(f"fd={self._sock_fd}")
        if self._sock is not None and not self._loop.is_closed():
            info.append("read=polling" if self._read_started and not self._paused else "read=idle")
            info.append(f"write=<{'polling' if self._backlog else 'idle'}, bufsize={self._queued + self._backlog}>")
        return f"<{' '.join(info)}>"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if self._sock is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._sock.close()
            if self._server is not None:
                detach_client(self._server, self)

    # -- protocol and flow ---------------------------------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        self._protocol_connected = True
        self._buffered = isinstance(protocol, asyncio.BufferedProtocol)
        self._choose_deliver()

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def _choose_deliver(self) -> None:
        if self._closing:
            self._deliver = self._drop
        elif self._paused or self._held:
            self._deliver = self._held.append
        elif self._buffered:
            self._deliver = self._deliver_buffered
        else:
            try:
                self._deliver = self._protocol.data_received  # type: ignore[attr-defined]
            except AttributeError:
                self._deliver = self._no_data_received

    def _drop(self, data: bytes) -> None:
        """What comes after close() is nobody's."""

    def _no_data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)  # type: ignore[attr-defined]  # raises, or it was added meanwhile

    def is_reading(self) -> bool:
        return not self._closing and not self._paused

    def pause_reading(self) -> None:
        if self._closing or self._paused:
            return
        self._paused = True
        self._choose_deliver()
        if self._read_started and not self._eof_came:
            self._loop._ops.append((self._id, OP_READ_STOP, 0))
        if self._loop._debug:
            logger.debug("%r pauses reading", self)

    def resume_reading(self) -> None:
        if self._closing or not self._paused:
            return
        self._paused = False
        if self._held:
            self._loop.call_soon(self._deliver_held)
        else:
            self._choose_deliver()
            self._ask_to_read()
        if self._loop._debug:
            logger.debug("%r resumes reading", self)

    def _start_reading(self) -> None:
        """After connection_made, which may have paused, closed or done nothing."""
        if self._closing:
            return
        self._read_started = True
        if not self._paused:
            self._choose_deliver()
            self._ask_to_read()

    def _ask_to_read(self) -> None:
        if self._read_started and not self._eof_came:
            self._loop._ops.append((self._id, OP_READ_START, self._read_mode if self._buffered else READ_SLAB))

    def _deliver_held(self) -> None:
        """Delivers what came while reading was paused, as long as it stays resumed."""
        while self._held and not self._paused and not self._closing:
            data = self._held.pop(0)
            if data is None:
                self._on_eof()
                continue
            self._choose_direct()
            try:
                self._run(self._deliver, data)
            except (SystemExit, KeyboardInterrupt):
                self._loop.call_soon(self._deliver_held)
                raise
            except BaseException as exc:
                self._fatal_error(exc, "Fatal error: protocol.data_received() call failed.")
        if not self._paused and not self._closing:
            self._choose_deliver()
            self._ask_to_read()

    def _choose_direct(self) -> None:
        """As _choose_deliver, though more is held: that comes afterwards."""
        held, self._held = self._held, []
        self._choose_deliver()
        self._held = held

    # -- records -------------------------------------------------------------------------------------------------

    def _on_record(self, kind: int, result: int, offset: int) -> None:
        if kind == BACKLOG:
            self._on_backlog(result)
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
        elif kind == CLOSED:
            self._on_closed()
        elif kind == REJECTED and result not in GONE:
            self._fatal_error(error_from_code(result), "Fatal error on socket transport")

    def _on_eof(self) -> None:
        if self._closing:
            return
        if self._loop._debug:
            logger.debug("%r received EOF", self)
        try:
            keep_open = self._run(self._protocol.eof_received)  # type: ignore[attr-defined]
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fatal_error(exc, "Fatal error: protocol.eof_received() call failed.")
            return
        if not keep_open:
            self.close()

    def _on_closed(self) -> None:
        loop = self._loop
        loop._owners.pop(self._id, None)
        if loop._streams.get(self._sock_fd) is self:
            del loop._streams[self._sock_fd]
        self._queued = self._backlog = 0
        self._out.clear()
        self._held.clear()
        sock, self._sock = self._sock, None
        server, self._server = self._server, None
        waiter, self._empty_waiter = self._empty_waiter, None
        protocol = self._protocol
        try:
            if self._protocol_connected:
                loop._run_handle(_lost_handle(loop, self, protocol))
        finally:
            if sock is not None:
                sock.close()
            self._deliver = self._drop
            self._protocol = None  # type: ignore[assignment]
            if waiter is not None and not waiter.done():
                waiter.set_exception(ConnectionError("Connection is closed by peer"))
            if server is not None:
                detach_client(server, self)

    # -- writing -------------------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        if type(data) is not bytes:
            data = _to_bytes(data)
        if self._refuses:
            self._refuse("write()", "write", bool(data))
            return
        if not data:
            return
        self._queued = queued = self._queued + len(data)
        out = self._out
        out.append(data)
        if len(out) == 1:
            self._loop._dirty.append(self)
        if queued > self._room:
            self._over_room()

    def writelines(self, list_of_data: Any) -> None:
        if self._refuses:
            self._refuse("writelines()", "writelines", bool(list_of_data))
            return
        self.write(b"".join(list_of_data))

    def _refuse(self, call: str, verb: str, some: bool) -> None:
        """The rare answers to a write: exceptions, and silence once the connection is gone."""
        if self._eof:
            raise RuntimeError(f"Cannot call {call} after write_eof()")
        if self._empty_waiter is not None:
            raise RuntimeError(f"unable to {verb}; sendfile is in progress")
        if some:
            if self._conn_lost >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
                logger.warning("socket.send() raised exception.")
            self._conn_lost += 1

    def _over_room(self) -> None:
        """More waits than fits below the high-water mark: send now, then see whether the protocol must pause."""
        loop = self._loop
        if self._queued:
            loop._flush()
        if self._closing:
            return
        code = loop._lib.csploop_stream_buffered(loop._core, self._id)
        self._on_backlog(code if code >= 0 else 0)

    def _on_backlog(self, size: int) -> None:
        """The core has `size` bytes that it could not send yet."""
        self._backlog = size
        if size + self._queued > self._high_water:
            if not self._protocol_paused and not self._closing:
                self._maybe_pause_protocol()
        elif self._protocol_paused:
            self._maybe_resume_protocol()
        self._room = PAUSED_ROOM if self._protocol_paused else max(self._high_water - size, 0)
        if self._empty_waiter is not None and not size and not self._queued and not self._empty_waiter.done():
            self._empty_waiter.set_result(None)

    def get_write_buffer_size(self) -> int:
        if self._backlog and not self._closing and self._sock is not None:
            code = self._loop._lib.csploop_stream_buffered(self._loop._core, self._id)
            if code >= 0:
                self._backlog = code
        return self._queued + self._backlog

    def set_write_buffer_limits(self, high: Optional[int] = None, low: Optional[int] = None) -> None:
        super().set_write_buffer_limits(high, low)
        self._room = PAUSED_ROOM if self._protocol_paused else max(self._high_water - self._backlog, 0)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if self._closing or self._eof:
            return
        self._eof = self._refuses = True
        self._loop._ops.append((self._id, OP_SHUTDOWN, 0))

    def _make_empty_waiter(self) -> asyncio.Future[None]:
        """asyncio's sendfile waits for this before it uses the socket."""
        if self._empty_waiter is not None:
            raise RuntimeError("Empty waiter is already set")
        if self._queued:
            self._loop._flush()
        self._empty_waiter = self._loop.create_future()
        self._refuses = True
        code = self._loop._lib.csploop_stream_buffered(self._loop._core, self._id)
        self._on_backlog(code if code >= 0 else 0)
        return self._empty_waiter

    def _reset_empty_waiter(self) -> None:
        self._empty_waiter = None
        self._refuses = self._eof or self._closing

    # -- the end -------------------------------------------------------------------------------------------------

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if self._closing:
            return
        self._end(CLOSE_DRAIN)
        if not self._queued and not self._backlog:
            self._conn_lost += 1

    def abort(self) -> None:
        self._force_close(None)

    def _end(self, flags: int) -> None:
        self._closing = self._refuses = True
        self._deliver = self._drop
        self._held.clear()
        self._loop._ops.append((self._id, OP_CLOSE, flags))

    def _fatal_error(self, exc: BaseException, message: str = "Fatal error on transport") -> None:
        if isinstance(exc, OSError):
            if self._loop.get_debug():
                logger.debug("%r: %s", self, message, exc_info=exc)
        else:
            self._loop.call_exception_handler(
                {"message": message, "exception": exc, "transport": self, "protocol": self._protocol}
            )
        self._force_close(exc)

    def _force_close(self, exc: Optional[BaseException]) -> None:
        if self._sock is None or self._aborted:
            return
        self._aborted = True
        if not self._conn_lost:
            self._error = exc
        self._conn_lost += 1
        self._out.clear()
        self._queued = 0
        self._end(CLOSE_ABORT)


def _to_bytes(data: Any) -> bytes:
    """A copy of what the user may change before it is sent; TypeError for what is no buffer."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
    return bytes(data)


def _wake_waiter(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _lost_handle(loop: Any, transport: StreamTransport, protocol: Any) -> asyncio.Handle:
    """connection_lost as a callback of the loop's, so that its exceptions are reported as one."""
    error, transport._error = transport._error, None
    return asyncio.Handle(protocol.connection_lost, (error,), loop, transport._context)

