"""TLSProtocol: TLS between a transport below and a protocol above, over two memory BIOs.

Owner: the transport below holds this protocol as its own; SSLTransport is what the protocol above gets to
see. All of it belongs on the loop's thread. The ssl module (OpenSSL) does the cryptography; here are the
connection's states, and when which bytes go where.

    HANDSHAKE --> OPEN --close()--> FLUSHING --all sent--> SHUTDOWN --close_notify--> the one below is closed
        any of them --abort(), an error, a lost connection--> GONE

The peer's close_notify is the end of reading and closes, as asyncio has it; a peer that closes its socket
without one is taken for an ordinary end as well. Either waits while the protocol above has paused reading
and not got everything. connection_lost comes when the transport below is gone.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import constants
from asyncio.log import logger
from typing import Any

from csploop._transports.tls_options import SHUTDOWN_TIMEOUT, default_context, positive_timeout
from csploop._transports.tls_reading import TLSReading
from csploop._transports.tls_state import AGAIN, FLUSHING, GONE, HANDSHAKE, OPEN, SHUTDOWN
from csploop._transports.tls_transport import SSLTransport
from csploop._transports.tls_writing import TLSWriting

__all__ = ["TLSProtocol"]


class TLSProtocol(TLSReading, TLSWriting):
    """`upgrade`: the protocol above knows of the connection already (start_tls)."""

    __slots__ = ()

    def __init__(
        self,
        loop: Any,
        protocol: asyncio.BaseProtocol,
        context: ssl.SSLContext | None,
        waiter: asyncio.Future[None] | None,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        *,
        upgrade: bool = False,
    ) -> None:
        self._loop = loop
        self._handshake_timeout = positive_timeout(
            "ssl_handshake_timeout", ssl_handshake_timeout, constants.SSL_HANDSHAKE_TIMEOUT
        )
        self._shutdown_timeout = positive_timeout(
            "ssl_shutdown_timeout", ssl_shutdown_timeout, SHUTDOWN_TIMEOUT
        )
        if not context:
            context = default_context(server_side, server_hostname)
        self._extra = {"sslcontext": context}
        self._state = HANDSHAKE
        self._transport = None
        self._stream = None
        self._context = None
        self._waiter = waiter
        self._timer = None
        self._told_of_connection = upgrade
        self._told_of_eof = False
        self._started_at = 0.0
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._sslobj = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            server_hostname=None if server_side else server_hostname or None,
        )
        self._start_reading_state()
        self._start_writing_state()
        self._set_app_protocol(protocol)
        self._app_transport = SSLTransport(loop, self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._transport!r}>"

    @property
    def _sslcontext(self) -> Any:
        # Where asyncio's own protocol has it; aiohttp's tests and others look there.
        return self._extra["sslcontext"]

    @property
    def _app_reading_paused(self) -> bool:
        return self._paused  # by asyncio's name

    def _get_extra_info(self, name: str, default: Any = None) -> Any:
        if name in self._extra:
            return self._extra[name]
        if self._transport is not None:
            return self._transport.get_extra_info(name, default)
        return default

    # Handshake

    def connection_made(self, transport: Any) -> None:
        self._attach(transport)
        if self._loop.get_debug():
            logger.debug("%r starts SSL handshake", self)
            self._started_at = self._loop.time()
        self._timer = self._loop._limit_handshake(self._handshake_timeout, self._handshake_took_too_long)
        self._shake_hands()

    def _shake_hands(self) -> None:
        try:
            self._sslobj.do_handshake()
            peercert = self._sslobj.getpeercert()
        except AGAIN:
            self._send_outgoing()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._send_outgoing()  # the alert that tells the peer why
            self._handshake_failed(exc)
        else:
            self._handshake_done(peercert)

    def _handshake_done(self, peercert: Any) -> None:
        self._stop_timer()
        if self._loop.get_debug():
            milliseconds = (self._loop.time() - self._started_at) * 1e3
            logger.debug("%r: SSL handshake took %.1f ms", self, milliseconds)
        sslobj = self._sslobj
        self._extra.update(
            peercert=peercert, cipher=sslobj.cipher(), compression=sslobj.compression(), ssl_object=sslobj
        )
        self._state = OPEN
        self._send_outgoing()
        if not self._told_of_connection:
            self._told_of_connection = True
            self._protocol.connection_made(self._app_transport)
        waited_for = self._waiter is not None
        self._wake_waiter(None)
        if waited_for and (self._incoming.pending or self._app_paused):
            # Who waits shall have the transport before its protocol gets data or is told to write: after
            # start_tls no connection_made brings it.
            self._loop.call_soon(self._take_up, context=self._context)
        elif self._state == OPEN:
            self._read()
        if self._state == OPEN and self._write_backlog:
            self._seal()

    def _take_up(self) -> None:
        """After start_tls, where the transport below has left off."""
        if self._state == OPEN and not self._below_paused:
            self._control()
        self._resumed()

    def _take_pause_over(self, transport: Any, protocol: Any) -> None:
        """start_tls may come while writing is paused: who was told so waits to be told otherwise by us."""
        if transport.get_protocol() is protocol:
            self._app_paused = bool(getattr(transport, "_protocol_paused", False))

    def _handshake_failed(self, exc: BaseException) -> None:
        self._stop_timer()
        self._state = GONE
        certificate = isinstance(exc, ssl.CertificateError)
        self._fatal_error(exc, f"SSL handshake failed{' on verifying the certificate' * certificate}")
        self._wake_waiter(exc)

    def _handshake_took_too_long(self) -> None:
        if self._state == HANDSHAKE:
            exc = ConnectionAbortedError(
                f"SSL handshake is taking longer than {self._handshake_timeout} seconds:"
                " aborting the connection"
            )
            self._fatal_error(exc)
            # Not only when the connection is lost: one that start_tls got already closed is lost no more.
            self._wake_waiter(exc)

    def _wake_waiter(self, exc: BaseException | None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if exc is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(exc)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    # From below

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state == GONE:
            return
        self._incoming.write(data)
        if state == OPEN:
            if self._paused:
                self._hold()
            else:
                self._read()
        elif state == HANDSHAKE:
            self._shake_hands()
        elif state == SHUTDOWN:
            self._shut()
        else:
            # What comes after close() is nobody's; OpenSSL looks at it when all is sent.
            self._hold()
            self._shut_if_flushed()

    def eof_received(self) -> bool:
        """The peer closed its socket; True keeps the transport below open."""
        if self._loop.get_debug():
            logger.debug("%r received EOF", self)
        self._eof_came = True
        state = self._state
        if state == HANDSHAKE:
            self._handshake_failed(ConnectionResetError())
        elif state == OPEN:
            self._read()
            if self._state == OPEN:
                return self._paused or self._end_of_peer()
        elif state == FLUSHING:
            self._seal(all_of_it=True)
            self._shut()
        elif state == SHUTDOWN:
            self._shut()
        return False

    def _end_of_peer(self) -> bool:
        """The socket's end took the place of a close_notify; True keeps the connection open."""
        if self._call_eof_received():
            return True
        if self._state == OPEN:
            self._seal(all_of_it=True)
            self._start_shutdown()
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        shaking_hands = self._state == HANDSHAKE
        self._state = GONE
        self._drop_backlog()
        self._lost += 1
        if self._app_transport is not None:
            self._app_transport._closed = True
        if self._told_of_connection and not shaking_hands:
            self._loop.call_soon(self._protocol.connection_lost, exc, context=self._context)
        if exc is None and self._waiter is not None:
            exc = ConnectionAbortedError("the connection was closed during the SSL handshake")
        self._wake_waiter(exc)
        self._transport = self._stream = self._context = None
        self._app_transport = None
        self._set_app_protocol(None)

    # Shutdown

    def _start_shutdown(self) -> None:
        if self._state >= FLUSHING:
            return
        if self._app_transport is not None:
            self._app_transport._closed = True
        if self._state == HANDSHAKE:
            self._abort(None)
            return
        self._state = FLUSHING
        self._timer = self._loop.call_later(self._shutdown_timeout, self._shutdown_took_too_long)
        self._seal(all_of_it=self._eof_came)
        self._shut_if_flushed()

    def _shut_if_flushed(self) -> None:
        if self._state == FLUSHING and not self._write_backlog:
            self._shut()

    def _shut(self) -> None:
        """Says close_notify and, with a later call, hears the peer's."""
        self._state = SHUTDOWN
        self._let_below_read()
        try:
            if not self._eof_came:
                self._discard()
                self._sslobj.unwrap()
        except AGAIN:
            self._send_outgoing()
            return
        except (ssl.SSLError, OSError) as exc:
            self._stop_timer()
            self._send_outgoing()
            self._fatal_error(exc)
            return
        self._send_outgoing()
        if not self._told_of_eof:
            # Not now: this may be the user's close(), in another context than the connection's.
            self._loop.call_soon(self._call_eof_received, context=self._context)
        if self._transport is not None:
            # The timer goes on: a peer that does not read could keep what is below from ending.
            self._transport.close()

    def _shutdown_took_too_long(self) -> None:
        if self._state in (FLUSHING, SHUTDOWN) and self._transport is not None:
            self._force_below(asyncio.TimeoutError("SSL shutdown timed out"))

    # The hard way

    def _abort(self, exc: BaseException | None) -> None:
        # As with a plain connection: the kernel still gets what it takes at once.
        self._write_now()
        self._state = GONE
        self._stop_timer()
        self._drop_backlog()
        if self._transport is not None:
            self._force_below(exc)

    def _force_below(self, exc: BaseException | None) -> None:
        force = getattr(self._transport, "_force_close", None)
        if force is not None:
            force(exc)
        elif self._transport is not None:
            self._transport.abort()

    def _fatal_error(self, exc: BaseException, message: str = "Fatal error on transport") -> None:
        transport = self._transport
        if transport is not None:
            self._force_below(exc)
        if isinstance(exc, OSError):
            if self._loop.get_debug():
                logger.debug("%r: %s", self, message, exc_info=exc)
        elif not isinstance(exc, asyncio.CancelledError):
            self._loop.call_exception_handler(
                {"message": message, "exception": exc, "transport": transport, "protocol": self}
            )
