"""OtherDatagramTransport: a datagram socket of a family or type that the core does not know, such as netlink,
packet and raw sockets.

Python's socket object does the I/O, and so converts its family's addresses as it always does; the loop only
watches the descriptor. Slower than the core's own, by a system call and a callback each datagram. Owner and
thread: as DatagramTransport.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Callable

from csploop._compat import ALWAYS_LOOK, DATAGRAM_HEADER_BYTES, EMPTY_DATAGRAMS_ARE_SENT
from csploop._transports.common import nowhere
from csploop._transports.datagram_base import DatagramBase

if TYPE_CHECKING:
    import socket
    from contextvars import Context

    from csploop._loop.state import LoopState

__all__ = ["OtherDatagramTransport"]

MOST_BYTES = 256 * 1024
# Datagrams that one readiness takes, before others have their turn.
AT_ONCE = 16

WOULD_BLOCK = (BlockingIOError, InterruptedError)


class OtherDatagramTransport(DatagramBase):
    _queued = 0  # nothing waits for the turn's end

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
        self._lost = False
        self._out: deque[tuple[bytes, Any]] = deque()
        sock.setblocking(False)
        loop._forget_socket(self._sock_fd)
        self._begin(sock, waiter)

    def _choose_room(self) -> None:
        """Each datagram is sent at once anyway."""

    def get_write_buffer_size(self) -> int:
        return self._unsent_bytes

    # -- receiving --------------------------------------------------------------------

    def _start_reading(self) -> None:
        """After connection_made, which may have closed."""
        if not self._closing:
            self._loop._add_reader(self._sock, self._readable)

    def _readable(self) -> None:
        for _ in range(AT_ONCE):
            sock = self._sock
            if self._closing or sock is None:
                return
            try:
                data, sender = sock.recvfrom(MOST_BYTES)
            except WOULD_BLOCK:
                return
            except OSError as exc:
                self._tell(self._protocol.error_received, exc)
                return
            self._tell(self._protocol.datagram_received, data, sender)

    # -- sending ----------------------------------------------------------------------

    def sendto(self, data: Any, addr: Any = None) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if not data and not EMPTY_DATAGRAMS_ARE_SENT:
            return
        if self._address:
            if addr not in (None, self._address):
                raise ValueError(f"Invalid address: must be None or {self._address}")
            addr = self._address
        if self._sock is None or self._lost:
            return
        if not self._out:
            if self._send(data, addr):
                return
            self._loop._add_writer(self._sock, self._writable)
        self._out.append((bytes(data), addr))
        self._unsent_bytes += len(data) + DATAGRAM_HEADER_BYTES
        self._maybe_pause_protocol()

    def _send(self, data: Any, addr: Any) -> bool:
        """Whether it is dealt with; False if the kernel has no room."""
        sock = self._sock
        assert sock is not None
        try:
            if self._extra["peername"] or addr is None:
                sock.send(data)
            else:
                sock.sendto(data, addr)
        except WOULD_BLOCK:
            return False
        except OSError as exc:
            # As DatagramTransport: in the context of whoever sends, which may be the protocol itself.
            self._protocol.error_received(exc)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fatal_error(exc, "Fatal write error on datagram transport")
        return True

    def _writable(self) -> None:
        self._run(self._send_on)

    def _send_on(self) -> None:
        while self._out:
            data, addr = self._out[0]
            if not self._send(data, addr):
                break
            if self._out:  # else that was fatal
                self._out.popleft()
                self._unsent_bytes -= len(data) + DATAGRAM_HEADER_BYTES
        self._maybe_resume_protocol()
        if not self._out and not self._lost:
            self._watch_no_more(self._loop._remove_writer)
            if self._closing:
                self._lose(None)

    # -- the end ----------------------------------------------------------------------

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._watch_no_more(self._loop._remove_reader)
        if not self._out:
            self._lose(None)

    def _force_close(self, exc: BaseException | None) -> None:
        if self._lost or self._sock is None:
            return
        if self._out:
            self._out.clear()
            self._unsent_bytes = 0
            self._watch_no_more(self._loop._remove_writer)
        if not self._closing:
            self._closing = True
            self._watch_no_more(self._loop._remove_reader)
        self._lose(exc)

    def _watch_no_more(self, remove: Callable[[int], bool]) -> None:
        """Unless the number is somebody else's by now, who has it watched."""
        watcher = self._loop._watchers.get(self._sock_fd)
        if watcher is not None and watcher.file is self._sock:
            remove(self._sock_fd)

    def _lose(self, exc: BaseException | None) -> None:
        self._lost = True
        self._loop.call_soon(self._call_connection_lost, exc, context=self._context)

    def _call_connection_lost(self, exc: BaseException | None) -> None:
        loop = self._loop
        if loop._streams.get(self._sock_fd) is self:
            del loop._streams[self._sock_fd]
        sock, self._sock = self._sock, None
        assert sock is not None
        self._fileno = nowhere
        self._given = ALWAYS_LOOK
        try:
            self._protocol.connection_lost(exc)
        finally:
            sock.close()
            self._protocol = None
            self._leave_context()
