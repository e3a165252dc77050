"""What the loop does for datagram transports. create_datagram_endpoint itself is asyncio's."""

from __future__ import annotations

import asyncio
import socket
from contextvars import Context
from typing import Any

from csploop._ffi import ffi, lib
from csploop._ffi.errors import check
from csploop._loop.gather import OUT_BYTES
from csploop._loop.state import LoopState
from csploop._loop.words import OP_SEND, SUBMISSION_BYTES, SUBMIT_SEND
from csploop._transports.datagram import DatagramTransport
from csploop._transports.other_datagram import OtherDatagramTransport

__all__ = ["DatagramsMixin"]

CORE_FAMILIES = (socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_UNIX", None))

# `_gather` asks each socket for its number before it takes what is to be sent.
VOUCHED = lib.CSPLOOP_UDP_KEEP_FD | lib.CSPLOOP_UDP_VOUCHED
OPTIONS = ffi.new("csploop_udp_options *", {"size": ffi.sizeof("csploop_udp_options"), "flags": VOUCHED})


class DatagramsMixin(LoopState):
    def _make_datagram_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        address: Any = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
        context: Context | None = None,
        **newer: Any,
    ) -> DatagramTransport | OtherDatagramTransport:
        self._ensure_fd_no_transport(sock)
        known = sock.family in CORE_FAMILIES and sock.type == socket.SOCK_DGRAM
        kind = DatagramTransport if known else OtherDatagramTransport
        return kind(self, sock, protocol, address, waiter, extra, context)

    def _adopt_datagram(self, sock: socket.socket) -> int:
        """Gives a datagram socket's descriptor to the core; returns its id."""
        fd = sock.fileno()
        self._forget_socket(fd)
        out = ffi.new("csploop_id *")
        check(self._lib.csploop_udp_adopt(self._core, out, fd, OPTIONS, ffi.NULL, ffi.NULL))
        id: int = out[0]
        return id

    def _gather_datagrams(self, transport: Any, offset: int, position: int, parts: list[bytes]) -> None:
        """Packs a transport's datagrams, one submission each, the address before the data."""
        view = self._submissions_view
        end = self._submissions_end
        id = transport._id
        out = transport._out
        done = 0
        try:
            for address, data in out:
                if offset == end or position > OUT_BYTES:
                    self._pack(offset, parts)
                    offset = position = 0
                    parts = []
                    self._push()
                parts += (address, data)
                SUBMIT_SEND.pack_into(view, offset, id, position, len(data), OP_SEND, len(address))
                position += len(address) + len(data)
                offset += SUBMISSION_BYTES
                done += 1
        finally:
            self._packed = offset, position, parts
            out[:] = rest = out[done:]
            if not rest:
                transport._queued = 0
            transport._gathered(rest)
