"""A core's datagram sockets: UDP, and Unix ones by adoption. An address to send to is a struct sockaddr."""

from __future__ import annotations

from typing import Any

from csploop._core.turning import Turning, options_of
from csploop._ffi import ffi, lib
from csploop._ffi.errors import check
from csploop._loop import words

__all__ = ["Datagrams", "udp_address"]

OPTIONS = ("flags", "high_water", "max_datagram")
LONGEST_ADDRESS = 28  # of IPv4 and IPv6


def udp_address(host: str, port: int) -> bytes:
    """The struct sockaddr of a literal address, for `udp_send_to` and SEND."""
    out = ffi.new("char[]", LONGEST_ADDRESS)
    length = check(lib.csploop_udp_address(out, LONGEST_ADDRESS, host.encode(), port))
    address: bytes = ffi.buffer(out, length)[:]
    return address


class Datagrams(Turning):
    def udp_bind(self, host: str, port: int, token: int = 0, **options: int) -> int:
        """A new socket at a literal address; port 0: any. Nothing is received before udp_read_start."""
        return self._id(lib.csploop_udp_bind, token, host.encode(), port, options_of("udp", OPTIONS, options))

    def udp_adopt(self, fd: int, token: int = 0, **options: int) -> int:
        """Takes over a datagram socket of any family; on failure it stays the caller's."""
        return self._id(lib.csploop_udp_adopt, token, fd, options_of("udp", OPTIONS, options))

    def udp_connect(self, id: int, host: str, port: int) -> None:
        """Fixes the peer, for udp_send."""
        check(lib.csploop_udp_connect(self.handle, id, host.encode(), port))

    def udp_read_start(self, id: int) -> None:
        check(lib.csploop_udp_read_start(self.handle, id))

    def udp_read_stop(self, id: int) -> None:
        check(lib.csploop_udp_read_stop(self.handle, id))

    def udp_send(self, id: int, data: Any) -> None:
        """One datagram to the peer of a connected socket; what the network refuses is a DATAGRAM_ERROR."""
        with ffi.from_buffer(data) as memory:
            check(lib.csploop_udp_send(self.handle, id, memory, len(memory)))

    def udp_send_to(self, id: int, data: Any, address: bytes) -> None:
        """One datagram to an address: that of `udp_address`, or a record's sender."""
        with ffi.from_buffer(data) as memory, ffi.from_buffer(address) as to:
            check(lib.csploop_udp_send_to(self.handle, id, memory, len(memory), to, len(to)))

    def udp_flush(self, id: int) -> int:
        """Sends now; returns the bytes still unsent."""
        return check(lib.csploop_udp_flush(self.handle, id))

    def udp_buffered(self, id: int) -> tuple[int, int]:
        """What the kernel has not taken yet: bytes and datagrams."""
        datagrams = ffi.new("uint32_t *")
        size = check(lib.csploop_udp_buffered(self.handle, id, datagrams))
        return size, datagrams[0]

    def udp_close(self, id: int, flags: int = words.CLOSE_DRAIN) -> None:
        check(lib.csploop_udp_close(self.handle, id, flags))

    def udp_fd(self, id: int) -> int:
        return check(lib.csploop_udp_fd(self.handle, id))

    def udp_local_address(self, id: int) -> str:
        return self._address(lib.csploop_udp_local_address, id)

    def udp_peer_address(self, id: int) -> str:
        return self._address(lib.csploop_udp_peer_address, id)
