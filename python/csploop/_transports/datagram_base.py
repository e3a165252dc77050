"""What datagram transports have in common, whoever does their I/O: their socket and their protocol.

Owner: Python makes and owns the socket object, which is closed after connection_lost. All methods belong on
the loop's thread.
"""

from __future__ import annotations

import asyncio
import warnings
from asyncio import transports
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Callable

from csploop._compat import closed_flag
from csploop._transports.common import Abortable, wake_waiter
from csploop._transports.transport_socket import TransportSocket

if TYPE_CHECKING:
    import socket

    from csploop._loop.state import LoopState

__all__ = ["DatagramBase"]


class DatagramBase(Abortable, transports._FlowControlMixin, asyncio.DatagramTransport):
    if TYPE_CHECKING:
        # of asyncio's flow control
        _loop: Any
        _extra: dict[str, Any]
        _high_water: int
        _protocol_paused: bool

        def _maybe_pause_protocol(self) -> None: ...
        def _maybe_resume_protocol(self) -> None: ...

        def _start_reading(self) -> None: ...

    # For __del__, __repr__ and flow control, should the making fail.
    _sock: socket.socket | None = None
    _sock_fd = -1
    _room = 0
    _queued_bytes = 0  # given to sendto, and not sent by the loop yet
    _unsent_bytes = 0  # what the kernel had no room for yet
    _closing = False

    def __init__(
        self,
        loop: LoopState,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        address: Any,
        extra: dict[str, Any] | None,
        context: Context | None,
    ) -> None:
        super().__init__(extra, loop)
        self._extra["socket"] = TransportSocket(sock, self)
        for key, ask in (("sockname", sock.getsockname), ("peername", sock.getpeername)):
            if key == "sockname" or key not in self._extra:
                try:
                    self._extra[key] = ask()
                except OSError:
                    self._extra[key] = None
        self._fileno = sock.fileno
        self._given = closed_flag(sock)
        self._sock_fd = sock.fileno()
        self._address = address
        self._context: Context = copy_context() if context is None else context
        self._run: Callable[..., Any] = self._context.run
        self._protocol: Any = protocol

    def _begin(self, sock: socket.socket, waiter: asyncio.Future[None] | None) -> None:
        """When whoever does the I/O has the socket: from now on it is ours to close."""
        loop = self._loop
        self._sock = sock
        loop._streams[self._sock_fd] = self
        loop.call_soon(self._protocol.connection_made, self, context=self._context)
        loop.call_soon(self._start_reading)
        if waiter is not None:
            loop.call_soon(wake_waiter, waiter)

    def __repr__(self) -> str:
        info = self._first_words(self._sock is None)
        if self._sock is not None and not self._loop.is_closed():
            state = "polling" if self._unsent_bytes else "idle"
            info.append("read=idle" if self._closing else "read=polling")
            info.append(f"write=<{state}, bufsize={self._queued_bytes + self._unsent_bytes}>")
        return f"<{' '.join(info)}>"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if self._sock is not None:
            _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            self._sock.close()

    def _sends(self) -> bool:
        return self._sock is not None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def _tell(self, callback: Callable[..., object], *args: Any) -> None:
        """Calls the protocol. As in asyncio, an exception is reported and the transport goes on."""
        try:
            self._run(callback, *args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._loop._callback_failed(asyncio.Handle(callback, args, self._loop, self._context), exc)
