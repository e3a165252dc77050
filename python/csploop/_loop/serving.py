"""Listening sockets: asyncio's Server makes and owns them, the core accepts on them.

A connection arrives as an ACCEPT record with its stream already in the core; Python wraps the descriptor in a
socket object and builds transport and protocol around both. Factory and protocol run in a copy of the
server's context that is this connection's own. When descriptors run out the core pauses the
listener, and it is resumed a second later.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from asyncio import constants, trsock
from asyncio.log import logger
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Callable

from csploop._ffi import ffi, lib
from csploop._ffi.errors import check, error_from_code
from csploop._loop.state import LoopState
from csploop._loop.tls import shutdown_timeout
from csploop._loop.words import ACCEPT, CLOSE_ABORT, CLOSED
from csploop._transports.stream import StreamTransport
from csploop._transports.tls import TLSProtocol

if TYPE_CHECKING:
    import ssl

__all__ = ["Listener", "ServingMixin"]

NODELAY = lib.CSPLOOP_STREAM_NODELAY
KEEP_FD = lib.CSPLOOP_ADOPT_KEEP_FD
ACCEPT_KEEP_FD = lib.CSPLOOP_ACCEPT_KEEP_FD
# `_gather` asks each socket for its number before it takes what is to be sent.
VOUCHED = lib.CSPLOOP_ADOPT_VOUCHED


def stream_options(flags: int, backlog: int = 0) -> Any:
    options = ffi.new("csploop_stream_options *")
    options.size = ffi.sizeof("csploop_stream_options")
    options.flags = flags
    options.backlog = backlog
    return options


# Of adopted connections; only read by the core.
UNIX_OPTIONS = stream_options(KEEP_FD | VOUCHED)
TCP_OPTIONS = stream_options(KEEP_FD | VOUCHED | NODELAY)


class Listener:
    """A listening socket in the core, and what to do with the connections that come."""

    __slots__ = (
        "context",
        "factory",
        "fd",
        "id",
        "loop",
        "open",
        "server",
        "sock",
        "sslcontext",
        "timeouts",
    )

    def __init__(
        self,
        loop: LoopState,
        factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: ssl.SSLContext | None,
        server: Any,
        timeouts: tuple[float | None, float | None],
        context: Context | None,
    ) -> None:
        self.loop = loop
        self.factory = factory
        self.sock = sock
        self.fd = sock.fileno()
        self.sslcontext = sslcontext
        self.server = server
        self.timeouts = timeouts
        self.context = copy_context() if context is None else context
        self.id = 0
        self.open = True

    def _on_record(self, kind: int, result: int, offset: int) -> None:
        if kind == ACCEPT and result >= 0:
            if self.open:
                context = self.context.copy()
                context.run(self.accept, result, offset, context)
            else:
                self.refuse(result, offset)
        elif kind == ACCEPT:
            self.pause(error_from_code(result))
        elif kind == CLOSED:
            self.loop._owners.pop(self.id, None)

    def accept(self, stream: int, fd: int, context: Context) -> None:
        loop = self.loop
        sock: socket.socket | None = None
        try:
            loop._forget_socket(fd)
            sock = socket.socket(self.sock.family, self.sock.type, self.sock.proto, fileno=fd)
        except BaseException as exc:
            if sock is None:
                self.refuse(stream, fd)
            else:
                self.give_up(stream, sock)
            if not isinstance(exc, OSError):
                raise
            self.report_in_debug(exc)
            return
        protocol = None
        try:
            sock.setblocking(False)
            if loop._debug:
                logger.debug("%r got a new connection: %r", self.server, sock)
            protocol = self.factory()
            if self.sslcontext is None:
                StreamTransport(loop, sock, protocol, None, None, self.server, stream, context)
                return
            waiter = loop.create_future()
            tls = TLSProtocol(loop, protocol, self.sslcontext, waiter, True, None, *self.timeouts)
            StreamTransport(loop, sock, tls, None, None, self.server, stream, context)
        except (SystemExit, KeyboardInterrupt):
            self.give_up(stream, sock)
            raise
        except BaseException as exc:
            # asyncio tells of a failing factory in debug mode only; but that is a bug of the program.
            self.give_up(stream, sock)
            self.report(exc, protocol=protocol)
            return
        loop.create_task(self.shake_hands(waiter, tls._app_transport, protocol))

    async def shake_hands(self, waiter: asyncio.Future[None], transport: Any, protocol: Any) -> None:
        try:
            await waiter
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            del waiter  # the exception's traceback leads to this frame
            transport.close()
            self.report_in_debug(exc, protocol=protocol, transport=transport)

    def report(self, exc: BaseException, **details: Any) -> None:
        context = {"message": "Error on transport creation for incoming connection", "exception": exc}
        context.update((key, value) for key, value in details.items() if value is not None)
        self.loop.call_exception_handler(context)

    def report_in_debug(self, exc: BaseException, **details: Any) -> None:
        """A failed handshake is the peer's affair: only debug mode tells, as in asyncio."""
        if self.loop._debug:
            self.report(exc, **details)

    def refuse(self, stream: int, fd: int) -> None:
        """Ends a connection that has no transport."""
        self.loop._lib.csploop_stream_close(self.loop._core, stream, CLOSE_ABORT)
        os.close(fd)

    def give_up(self, stream: int, sock: socket.socket) -> None:
        if stream not in self.loop._owners:  # else the transport exists and closes both
            self.loop._lib.csploop_stream_close(self.loop._core, stream, CLOSE_ABORT)
            sock.close()

    def pause(self, exc: Exception) -> None:
        if not self.open:
            return
        if isinstance(exc, OSError) and exc.errno == errno.EBADF:
            message = "a listening socket was closed behind its server's back; it accepts no more"
            self.loop.call_exception_handler({"message": message, "exception": exc})
            return
        self.loop.call_exception_handler(
            {
                "message": "socket.accept() out of system resource",
                "exception": exc,
                "socket": trsock.TransportSocket(self.sock),
            }
        )
        self.loop.call_later(constants.ACCEPT_RETRY_DELAY, self.resume)

    def resume(self) -> None:
        if self.open and not self.loop._closed:
            check(self.loop._lib.csploop_listener_resume(self.loop._core, self.id))


class ServingMixin(LoopState):
    def _start_serving(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: ssl.SSLContext | None = None,
        server: Any = None,
        backlog: int = 100,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        context: Context | None = None,
        **newer: Any,
    ) -> None:
        """asyncio's Server calls this for each of its sockets."""
        if ssl_shutdown_timeout is None:
            # asyncio before 3.11 does not hand it on.
            ssl_shutdown_timeout = getattr(server, "_ssl_shutdown_timeout", None)
        timeouts = ssl_handshake_timeout, ssl_shutdown_timeout
        listener = Listener(self, protocol_factory, sock, sslcontext, server, timeouts, context)
        self._forget_socket(listener.fd)
        flags = KEEP_FD | ACCEPT_KEEP_FD | (0 if sock.family == getattr(socket, "AF_UNIX", None) else NODELAY)
        out = ffi.new("csploop_id *")
        options = stream_options(flags, backlog if 0 < backlog < 2**31 else 0)
        check(self._lib.csploop_listener_adopt(self._core, out, listener.fd, options, ffi.NULL, ffi.NULL))
        listener.id = out[0]
        self._owners[listener.id] = listener
        self._listeners[sock] = listener

    def _stop_serving(self, sock: socket.socket) -> None:
        # By who it is: a socket that was closed before does not know its number any more.
        listener = self._listeners.pop(sock, None)
        if listener is not None:
            listener.open = False
            # Now, not with the next turn: the descriptor is closed below.
            check(self._lib.csploop_stream_close(self._core, listener.id, CLOSE_ABORT))
        try:
            self._remove_unix_path(sock)
        finally:
            sock.close()

    def _adopt(self, transport: StreamTransport, fd: int, nodelay: bool) -> int:
        """Gives a connected socket's descriptor to the core; returns the stream's id."""
        self._forget_socket(fd)
        out = ffi.new("csploop_id *")
        options = TCP_OPTIONS if nodelay else UNIX_OPTIONS
        check(self._lib.csploop_stream_adopt(self._core, out, fd, options, ffi.NULL, ffi.NULL))
        id: int = out[0]
        return id

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        *,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        context: Context | None = None,
        **newer: Any,
    ) -> StreamTransport:
        self._ensure_fd_no_transport(sock)
        return StreamTransport(self, sock, protocol, waiter, extra, server, 0, context)

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: Any,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        call_connection_made: bool = True,
        context: Context | None = None,
        **newer: Any,
    ) -> Any:
        self._ensure_fd_no_transport(rawsock)
        tls = TLSProtocol(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout,
            shutdown_timeout.get() if ssl_shutdown_timeout is None else ssl_shutdown_timeout,
            upgrade=not call_connection_made,
        )
        StreamTransport(self, rawsock, tls, None, extra, server, 0, context)
        return tls._app_transport
