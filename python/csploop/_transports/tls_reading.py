"""The reading side of a TLS connection: from encrypted bytes to the protocol above.

All records that one read from the socket brought are decrypted in one go and delivered as one piece. While
the protocol above has paused reading, encrypted bytes are kept up to a limit; then the transport below pauses
as well.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio import constants
from asyncio.log import logger
from typing import Any

from csploop._transports.buffered import takes_buffers
from csploop._transports.tls_options import water_marks
from csploop._transports.tls_state import AGAIN, OPEN, TLSState

__all__ = ["TLSReading"]

# The most plaintext that a record has. OpenSSL reads one record at a time, so a larger buffer would be
# allocated in vain.
RECORD = 16 * 1024
# What a peer may have had under way when we said close_notify: two socket buffers as Linux has them at most.
MOST_DISCARDED = 16 * 1024 * 1024
READ_KIB: int = getattr(constants, "FLOW_CONTROL_HIGH_WATER_SSL_READ", 256)


class TLSReading(TLSState):
    __slots__ = ()

    def _start_reading_state(self) -> None:
        self._ahead = []
        self._ahead_size = 0
        self._discarded = 0
        self._paused = False
        self._held_below = False
        self._eof_came = False
        self._kept_open = False
        self._set_read_buffer_limits()

    def _set_app_protocol(self, protocol: asyncio.BaseProtocol | None) -> None:
        self._protocol = protocol
        self._buffered = takes_buffers(protocol)

    def _set_read_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._read_high, self._read_low = water_marks(high, low, READ_KIB)

    def _pause_reading(self) -> None:
        self._paused = True

    def _resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._resumed, context=self._context)

    def _resumed(self) -> None:
        if self._state != OPEN or self._paused:
            return
        self._read()
        if self._state == OPEN and not self._paused and self._eof_came:
            self._end_of_peer()

    def _discard(self) -> None:
        """After close() what came is nobody's, but OpenSSL takes data before a close_notify for an error.

        Only so much of it: a peer that sends on and on shall not keep the connection.
        """
        self._ahead.clear()
        try:
            while self._discarded < MOST_DISCARDED and (chunk := self._sslobj.read(RECORD)):
                self._discarded += len(chunk)
        except (*AGAIN, ssl.SSLZeroReturnError):  # nothing more, for now or, with a close_notify, for good
            pass

    def _hold(self) -> None:
        """After bytes came that nobody wants yet."""
        if self._wants_read:
            self._seal()  # among them may be what OpenSSL waits for
        if self._transport is None or self._held_below:
            return
        if self._incoming.pending + self._ahead_size >= self._read_high:
            self._held_below = True
            self._transport.pause_reading()

    def _read_ahead(self) -> bool:
        """Decrypts what nobody wants yet, so that OpenSSL can write; False if that failed.

        In a handshake that the peer began anew (renegotiation, up to TLS 1.2) it reads in order to write, and
        takes data that was under way for an error.
        """
        if self._sslobj.version() == "TLSv1.3":
            return True
        try:
            while chunk := self._sslobj.read(RECORD):
                self._ahead.append(chunk)
                self._ahead_size += len(chunk)
        except AGAIN:
            pass
        except ssl.SSLError as exc:
            self._tls_failed(exc)
            return False
        return True

    def _tls_failed(self, exc: BaseException) -> None:
        self._send_outgoing()  # an alert, if it was TLS that failed
        if isinstance(exc, ssl.SSLError):
            self._drop_backlog()  # nor does it encrypt any more
        self._fatal_error(exc, "Fatal error on SSL protocol")

    def _let_below_read(self) -> None:
        if self._held_below and self._transport is not None:
            self._held_below = False
            self._transport.resume_reading()

    def _read(self) -> None:
        """Decrypts and delivers what there is, and does what followed from it."""
        if self._paused:
            return
        try:
            ended = self._read_buffered() if self._buffered else self._read_chunks()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._tls_failed(exc)
            return
        if self._transport is None:
            return
        if self._wants_read:
            self._seal()
        elif self._outgoing.pending:
            self._send_outgoing()
        if self._held_below and not self._paused and self._incoming.pending <= self._read_low:
            self._let_below_read()
        if ended and self._state == OPEN and not self._call_eof_received():
            self._start_shutdown()

    def _read_chunks(self) -> bool:
        """Delivers all there is at once; True after the peer's close_notify."""
        read = self._sslobj.read
        incoming = self._incoming
        ended = False
        failure: ssl.SSLError | None = None
        first = b""
        more: list[bytes] | None = None
        if self._ahead:
            more, self._ahead, self._ahead_size = self._ahead, [], 0
            first = more[0]
        try:
            while True:
                chunk = read(RECORD)
                if not chunk:
                    ended = True
                    break
                if not first:
                    first = chunk
                elif more is None:
                    more = [first, chunk]
                else:
                    more.append(chunk)
                # Asking once more in vain would cost an exception for each message.
                if not incoming.pending and len(chunk) < RECORD:
                    break
        except AGAIN:
            pass
        except ssl.SSLError as exc:
            failure = exc  # what came before it is good
        if first:
            self._protocol.data_received(first if more is None else b"".join(more))
        if failure is not None:
            raise failure
        return ended

    def _read_buffered(self) -> bool:
        """Decrypts into the protocol's own buffers; True after the peer's close_notify."""
        sslobj = self._sslobj
        incoming = self._incoming
        while self._ahead and not self._paused and self._state == OPEN:
            self._deliver_ahead()
            if not self._buffered:
                return self._read_chunks()
        ended = False
        more = True
        while more and not self._paused and self._state == OPEN:
            hint = incoming.pending + sslobj.pending()
            protocol = self._protocol
            buffer = protocol.get_buffer(hint or -1)
            view: Any = memoryview(buffer)
            if view.format != "B" or view.ndim != 1:
                view = view.cast("B")
            size = len(view)
            if not size:
                raise RuntimeError("get_buffer() returned an empty buffer")
            count = 0
            try:
                while count < size:
                    # Into a buffer it answers with a count, whatever its stubs say.
                    got: Any = sslobj.read(size - count, view[count:] if count else view)
                    if not got:
                        ended, more = True, False
                        break
                    count += got
                    if not incoming.pending and not sslobj.pending():
                        more = False
                        break
            except AGAIN:
                more = False
            finally:
                del view, buffer  # the protocol may want to resize it
            if count:
                protocol.buffer_updated(count)
            if not self._buffered:
                return ended or self._read_chunks()  # it gave way to another protocol
        return ended

    def _deliver_ahead(self) -> None:
        chunk = self._ahead.pop(0)
        view: Any = memoryview(self._protocol.get_buffer(self._ahead_size))
        if view.format != "B" or view.ndim != 1:
            view = view.cast("B")
        count = min(len(view), len(chunk))
        if not count:
            raise RuntimeError("get_buffer() returned an empty buffer")
        view[:count] = chunk[:count]
        del view  # the protocol may want to resize it
        if count < len(chunk):
            self._ahead.insert(0, chunk[count:])
        self._ahead_size -= count
        self._protocol.buffer_updated(count)

    def _call_eof_received(self) -> bool:
        """Tells of the peer's end; True if TLS above goes on, and closes this connection itself."""
        if self._told_of_eof or not self._told_of_connection or self._protocol is None:
            return self._kept_open
        self._told_of_eof = True
        try:
            if self._protocol.eof_received():
                if isinstance(self._protocol, TLSState):
                    self._kept_open = True
                else:
                    logger.warning("returning true from eof_received() has no effect when using ssl")
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fatal_error(exc, "Error calling eof_received()")
        return self._kept_open
