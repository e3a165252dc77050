"""DatagramTransport: a UDP or Unix datagram socket as an asyncio transport.

Owner: Python makes and owns the socket object; the core does the I/O on its descriptor and gives it back with
CLOSED, after which the socket is closed here. All methods belong on the loop's thread.

Sending: datagrams wait in `_out` until the turn's submissions are gathered, and leave together. What one of
them comes to is told by error_received in the next turn. Some rare ones are sent at once by the socket
itself: those whose address the core could not be told, and those after close().
"""

from __future__ import annotations

import asyncio
import errno
import socket
from asyncio import constants
from asyncio.log import logger
from typing import TYPE_CHECKING, Any

from csploop._compat import ALWAYS_LOOK, DATAGRAM_HEADER_BYTES, EMPTY_DATAGRAMS_ARE_SENT
from csploop._ffi import ffi, lib
from csploop._ffi.errors import error_from_code
from csploop._loop.words import (
    BACKLOG,
    CLOSE_ABORT,
    CLOSE_DRAIN,
    CLOSED,
    DATAGRAM_ERROR,
    OP_CLOSE,
    OP_READ_START,
    REJECTED,
    SLOW_GATHERING,
)
from csploop._transports.addresses import Addresses
from csploop._transports.common import AT_ONCE, bad_descriptor, nowhere
from csploop._transports.datagram_base import DatagramBase

if TYPE_CHECKING:
    import socket
    from contextvars import Context

    from csploop._loop.state import LoopState

__all__ = ["DatagramTransport"]

# Refusals that crossed with the socket's end: CLOSED tells the protocol.
GONE = (lib.CSPLOOP_EPIPE, lib.CSPLOOP_EBADID, lib.CSPLOOP_EALREADY)

WRITE_ERROR = "Fatal write error on datagram transport"

# How many bytes a protocol that was told to pause may add before the next attempt to send.
PAUSED_ROOM = 64 * 1024


class DatagramTransport(DatagramBase):
    # What the loop's gathering asks of everything in its list of what has something to send.
    _datagrams = True
    _backlog = 0
    _id = 0

    def __init__(
        self,
        loop: LoopState,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        address: Any = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        context: Context | None = None,
    ) -> None:
        super().__init__(loop, sock, protocol, address, extra, context)
        self._addresses = Addresses(sock)
        self._out: list[tuple[bytes, bytes]] = []
        self._queued = 0  # not 0 while there are datagrams in _out
        self._queued_bytes = 0
        self._unsent_bytes = 0
        self._room = self._high_water
        self._closing = False
        self._aborted = False
        self._conn_lost = 0
        self._id = loop._adopt_datagram(sock)
        loop._owners[self._id] = self
        self._begin(sock, waiter)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket":
            self._hand_over()  # whoever uses it must find sent what was written before
        return super().get_extra_info(name, default)

    # -- receiving ----------------------------------------------------------------

    def _start_reading(self) -> None:
        """After connection_made, which may have closed."""
        if not self._closing:
            self._loop._ops.append((self._id, OP_READ_START, 0))

    def _on_datagram(self, sender: bytes, data: bytes, truncated: bool) -> None:
        if self._closing:
            return
        if truncated:
            text = f"a datagram was cut to the {len(data)} bytes that can be received"
            self._tell(self._protocol.error_received, OSError(errno.EMSGSIZE, text))
        self._tell(self._protocol.datagram_received, data, self._addresses.decode(sender))

    def _on_record(self, kind: int, result: int, offset: int) -> None:
        if kind == BACKLOG:
            self._run(self._on_backlog, result + offset * DATAGRAM_HEADER_BYTES)
        elif kind == DATAGRAM_ERROR or (kind == REJECTED and result not in GONE):
            if self._sock is not None and not self._aborted:
                self._tell(self._protocol.error_received, error_from_code(result))
        elif kind == CLOSED and self._sock is not None:
            # The end of a close(): all is sent, and what came of that is told. abort() does not wait for it.
            loop = self._loop
            try:
                loop._run_handle(asyncio.Handle(self._call_connection_lost, (None,), loop, self._context))
            except (SystemExit, KeyboardInterrupt):
                if self._sock is not None:  # it did not come to it
                    loop.call_soon(self._call_connection_lost, None, context=self._context)
                raise

    # -- sending --------------------------------------------------------------------

    def sendto(self, data: Any, addr: Any = None) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if not data and not EMPTY_DATAGRAMS_ARE_SENT:
            return
        if self._address:
            if addr not in (None, self._address):
                raise ValueError(f"Invalid address: must be None or {self._address}")
            addr = self._address
            if self._conn_lost:
                self._refuse()
                return
        if self._closing:
            self._send_now(data, addr)
            return
        try:
            native = self._destination(addr)
        except OSError as exc:  # a name that nobody knows
            self._protocol.error_received(exc)
            return
        if native is None:
            self._send_now(data, addr)
            return
        loop = self._loop
        data = bytes(data)  # the user may change what is none before it is sent
        self._out.append((native, data))
        self._queued_bytes += len(data) + DATAGRAM_HEADER_BYTES
        if not self._queued:
            self._queued = SLOW_GATHERING
            loop._dirty.append(self)
        if self._queued_bytes > self._room:
            self._over_room()

    def _destination(self, addr: Any) -> bytes | None:
        """The core's form of an address; empty: to the peer."""
        peer = self._extra["peername"]
        if peer or (addr is None and peer is not None):
            return b""
        return None if addr is None else self._addresses.encode(addr)

    def _refuse(self) -> None:
        if self._conn_lost >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
            logger.warning("socket.send() raised exception.")
        self._conn_lost += 1

    def _send_now(self, data: Any, addr: Any) -> None:
        """Sends by the socket itself, whose answer to a wrong address is the one that programs know."""
        sock = self._sock
        if sock is None:
            self._refuse()
            return
        if self._queued:
            self._loop._flush()  # the order of sending is kept
        try:
            if self._extra["peername"]:
                sock.send(data)
            else:
                sock.sendto(data, addr)
        except OSError as exc:
            self._protocol.error_received(exc)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fatal_error(exc, WRITE_ERROR)

    def _gathered(self, rest: list[tuple[bytes, bytes]]) -> None:
        """The core has got what was in _out, but for the rest that an exception left there."""
        left = sum(len(data) + DATAGRAM_HEADER_BYTES for _, data in rest) if rest else 0
        if self._unsent_bytes:
            self._unsent_bytes += self._queued_bytes - left
            self._choose_room()
        self._queued_bytes = left

    def _lose_descriptor(self) -> None:
        """The socket was closed behind our back: who has its number now does not send for us.

        The loop's gathering calls this, so no user code runs in here. As in asyncio, each datagram is an
        error and the transport stays.
        """
        lost = len(self._out)
        self._out.clear()
        self._queued = self._queued_bytes = 0
        for _ in range(lost):
            self._loop.call_soon(self._tell_lost)
        if self._protocol_paused:
            self._loop.call_soon(self._look_again, context=self._context)

    def _tell_lost(self) -> None:
        if self._sock is not None and not self._conn_lost:
            self._tell(self._protocol.error_received, bad_descriptor())

    def _look_again(self) -> None:
        if not self._closing:
            self._on_backlog(self._unsent())

    def _over_room(self) -> None:
        """More waits than the high-water mark allows: send now, then see whether the protocol must pause."""
        if self._queued:
            self._loop._flush()
        if not self._closing:
            self._on_backlog(self._unsent())

    def _unsent(self) -> int:
        """What the core has not sent yet, asked for now."""
        count = ffi.new("uint32_t *")
        size: int = self._loop._lib.csploop_udp_buffered(self._loop._core, self._id, count)
        return size + count[0] * DATAGRAM_HEADER_BYTES if size >= 0 else 0

    def _look_at_backlog(self) -> None:
        """After datagrams went to the core at once: sees whether the protocol must pause."""
        if not self._closing:
            unsent = self._unsent()
            if unsent:
                self._on_backlog(unsent)

    def _on_backlog(self, size: int) -> None:
        self._unsent_bytes = size
        if size + self._queued_bytes > self._high_water:
            if not self._closing:
                self._maybe_pause_protocol()
        elif self._protocol_paused:
            self._maybe_resume_protocol()
        self._choose_room()

    def _choose_room(self) -> None:
        """From how many queued bytes on a send looks at the high-water mark."""
        if self._at_once:
            self._room = AT_ONCE
        else:
            self._room = (
                PAUSED_ROOM if self._protocol_paused else max(self._high_water - self._unsent_bytes, 0)
            )

    def get_write_buffer_size(self) -> int:
        if self._unsent_bytes and not self._closing:
            self._unsent_bytes = self._unsent()
        return self._queued_bytes + self._unsent_bytes

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        super().set_write_buffer_limits(high, low)
        self._choose_room()

    # -- the end ----------------------------------------------------------------------

    def close(self) -> None:
        if self._closing:
            return
        if not self._queued and not self._unsent():
            self._conn_lost += 1  # nothing that is sent from now on could still precede the end
        self._end(CLOSE_DRAIN)

    def _end(self, flags: int) -> None:
        self._closing = True
        self._loop._ops.append((self._id, OP_CLOSE, flags))

    def _lose(self, exc: BaseException | None) -> None:
        """Calls connection_lost in the next turn, when the core has let go of the descriptor."""
        self._conn_lost += 1
        self._loop.call_soon(self._call_connection_lost, exc, context=self._context)

    def _force_close(self, exc: BaseException | None) -> None:
        if self._sock is None or self._conn_lost:
            return
        # What was sent before still leaves as far as the kernel takes it at once; the rest is dropped.
        self._aborted = True
        self._end(CLOSE_ABORT)
        self._lose(exc)

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        if self._sock is None:
            return
        loop = self._loop
        loop._owners.pop(self._id, None)
        if loop._streams.get(self._sock_fd) is self:
            del loop._streams[self._sock_fd]
        self._queued = self._queued_bytes = self._unsent_bytes = 0
        self._out.clear()
        sock, self._sock = self._sock, None
        self._fileno = nowhere
        self._given = ALWAYS_LOOK
        self._conn_lost = max(self._conn_lost, 1)
        try:
            self._protocol.connection_lost(exc)
        finally:
            sock.close()
            self._protocol = None
            self._leave_context()
