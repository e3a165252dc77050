"""The writing side of a TLS connection: from the protocol above to encrypted bytes.

Small writes wait as plaintext until the loop gathers what a turn wrote, and become one record then. Much is
encrypted at once, in pieces, until the transport below has enough; the rest stays plaintext and is what flow
control counts. So no buffer below grows with what is written, nor is any of it encrypted twice.
"""

from __future__ import annotations

from asyncio import constants
from asyncio.log import logger
from collections import deque
from typing import Any

from csploop._transports.stream import StreamTransport
from csploop._transports.tls_options import water_marks
from csploop._transports.tls_state import AGAIN, FLUSHING, OPEN, TLSState

__all__ = ["TLSWriting"]

# How much is encrypted in one go, and from how many bytes on a write does not wait for the turn's end.
PIECE = 64 * 1024
WRITE_KIB: int = getattr(constants, "FLOW_CONTROL_HIGH_WATER_SSL_WRITE", 512)


class TLSWriting(TLSState):
    __slots__ = ()

    def _start_writing_state(self) -> None:
        self._write_backlog = deque()
        self._write_buffer_size = 0
        self._is_dirty = False
        self._below_paused = False
        self._app_paused = False
        self._wants_read = False
        self._lost = 0
        self._high_water, self._low_water = water_marks(None, None, WRITE_KIB)

    def _attach(self, transport: Any) -> None:
        self._transport = transport
        self._context = getattr(transport, "_context", None)
        if type(transport) is StreamTransport and transport._loop is self._loop and not transport._at_once:
            self._stream = transport
            transport._above = self
        # start_tls may come while the plain protocol was paused.
        self._below_paused = bool(getattr(transport, "_protocol_paused", False))

    def _write(self, data: bytes) -> None:
        """Takes a write that is not empty."""
        if self._state >= FLUSHING:
            if self._lost >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
                logger.warning("SSL connection is closed")
            self._lost += 1
            return
        self._write_backlog.append(data)
        self._write_buffer_size += len(data)
        if self._is_dirty and self._write_buffer_size < PIECE:
            return
        if self._state == OPEN and not self._below_paused and not self._wants_read:
            if self._stream is not None and self._write_buffer_size < PIECE:
                self._is_dirty = True
                self._loop._dirty.append(self)
                return
            self._seal()
        self._control()

    @property
    def _queued(self) -> int:
        """Among the loop's dirty streams: it asks each for this before it takes what the stream has queued.

        We encrypt at this very moment, and queue the result on our stream, which the loop comes to later in
        the same list. There is little (less than PIECE), so the stream does not have to look at its limits,
        as its write() would.
        """
        self._is_dirty = False
        stream = (
            self._transport
        )  # also where another thread has taken the descriptor meanwhile: `_stream` is None
        if stream is None or self._state != OPEN or self._below_paused or not self._write_backlog:
            return 0
        data = self._encrypt()
        if data and not stream._refuses:
            stream._queued += len(data)
            stream._out.append(data)
            if len(stream._out) == 1:
                # Not the append of an eager list: that one is flushing already.
                list.append(self._loop._dirty, stream)
        return 0

    def _encrypt(self) -> bytes:
        """The next piece of the backlog, encrypted, after whatever TLS itself has to say."""
        if self._paused and self._incoming.pending and not self._read_ahead():
            return b""
        piece = self._next_piece()
        try:
            count = self._sslobj.write(piece)
        except AGAIN:
            # It wants the same bytes again, after it has read.
            self._wants_read = True
            self._write_backlog.appendleft(piece)
        except OSError as exc:
            self._drop_backlog()
            self._fatal_error(exc, "Fatal error on SSL protocol")
            return b""
        else:
            self._wants_read = False
            self._write_buffer_size -= count
            if count < len(piece):
                self._write_backlog.appendleft(piece[count:])
        return self._outgoing.read()

    def _next_piece(self) -> Any:
        """Takes up to PIECE bytes from the backlog: joined small writes, or a part of a large one."""
        backlog = self._write_backlog
        head = backlog.popleft()
        size = len(head)
        if size > PIECE:
            view = memoryview(head)
            backlog.appendleft(view[PIECE:])
            return view[:PIECE]
        if not backlog or size + len(backlog[0]) > PIECE:
            return head
        parts = [head]
        while backlog and size + len(backlog[0]) <= PIECE:
            size += len(backlog[0])
            parts.append(backlog.popleft())
        return b"".join(parts)

    def _seal(self, all_of_it: bool = False) -> None:
        """Encrypts and hands down what the transport below takes; all of it before it is closed."""
        self._is_dirty = False
        backlog = self._write_backlog
        while backlog and (all_of_it or not self._below_paused) and self._transport is not None:
            data = self._encrypt()
            if data and self._transport is not None:
                self._transport.write(data)
            if self._wants_read:
                break
        self._send_outgoing()
        self._control()

    def _send_outgoing(self) -> None:
        """Sends what TLS itself has to say: handshakes, alerts, new keys."""
        if self._outgoing.pending and self._transport is not None:
            self._transport.write(self._outgoing.read())

    def _drop_backlog(self) -> None:
        self._write_backlog.clear()
        self._write_buffer_size = 0

    def _write_now(self) -> None:
        """Encrypts now what else would wait for the turn's end.

        Before somebody looks at how much waits, here or below, and before the connection ends.
        """
        if self._is_dirty and self._state == OPEN and self._write_backlog and not self._below_paused:
            self._seal()

    # Flow control from below, and to above

    def pause_writing(self) -> None:
        self._below_paused = True

    def resume_writing(self) -> None:
        self._below_paused = False
        if self._state in (OPEN, FLUSHING):
            self._seal()
            self._shut_if_flushed()

    def _set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high_water, self._low_water = water_marks(high, low, WRITE_KIB)
        self._write_now()
        self._control()

    def _control(self) -> None:
        """Tells the protocol above when too much waits, and when little enough does again."""
        size = self._write_buffer_size
        if not self._app_paused:
            if size >= self._high_water and size:
                self._app_paused = True
                self._tell("pause_writing")
        elif size <= self._low_water:
            self._app_paused = False
            self._tell("resume_writing")

    def _tell(self, name: str) -> None:
        if self._protocol is None:
            return  # the connection is lost
        try:
            getattr(self._protocol, name)()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._loop.call_exception_handler(
                {
                    "message": f"protocol.{name}() failed",
                    "exception": exc,
                    "transport": self._app_transport,
                    "protocol": self._protocol,
                }
            )
