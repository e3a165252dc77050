"""The other end of a connection: plain blocking sockets worked from threads.

So the peer is never the loop under test, and nothing has to be slept for.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Iterator
from typing import Any, Callable

TIMEOUT = 45  # seconds until a peer gives up; only a failing test gets there


def closed_port() -> int:
    """A TCP port on loopback where nobody listens.

    It is below those that systems give away by themselves: of these, one could be another program's a moment
    later, or the very one that the connecting socket gets, which then talks to itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def tcp_pair(family: int = socket.AF_INET) -> tuple[socket.socket, socket.socket]:
    """Two connected TCP sockets, blocking."""
    host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
    with socket.create_server((host, 0), family=family) as listener:
        # The number of the protocol is what makes asyncio set TCP_NODELAY.
        first = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        first.settimeout(TIMEOUT)
        first.connect(listener.getsockname())
        second, _ = listener.accept()
    return first, second


def pair(name: str) -> tuple[socket.socket, socket.socket]:
    if name == "unix":
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return tcp_pair(socket.AF_INET6 if name == "tcp6" else socket.AF_INET)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


class Peer:
    """A blocking socket. Its coroutine methods do their work in a thread."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(TIMEOUT)

    async def _in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, function, *args)

    async def send(self, data: bytes) -> None:
        await self._in_thread(self.sock.sendall, data)

    def send_now(self, data: bytes) -> None:
        """From the loop's own thread, for what fits the kernel's buffers."""
        self.sock.sendall(data)

    def read_exactly(self, count: int) -> bytes:
        parts = []
        while count:
            data = self.sock.recv(min(count, 1 << 20))
            if not data:
                raise EOFError(f"the connection ended, {count} bytes short")
            parts.append(data)
            count -= len(data)
        return b"".join(parts)

    def read_to_end(self) -> bytes:
        parts = []
        while True:
            data = self.sock.recv(1 << 20)
            if not data:
                return b"".join(parts)
            parts.append(data)

    async def recv(self, count: int) -> bytes:
        data = await self._in_thread(self.read_exactly, count)
        assert isinstance(data, bytes)
        return data

    async def recv_end(self) -> bytes:
        data = await self._in_thread(self.read_to_end)
        assert isinstance(data, bytes)
        return data

    def nothing_waits(self) -> bool:
        """Whether nothing has come that is unread; the end of the stream counts as something."""
        self.sock.setblocking(False)
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self.sock.settimeout(TIMEOUT)
        return False

    def end_writing(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Closes with RST instead of FIN (TCP)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


async def adopt(loop: Any, factory: Callable[[], Any], name: str = "tcp") -> tuple[Any, Any, Peer]:
    """A transport of the loop and its peer: (transport, protocol, peer)."""
    ours, theirs = pair(name)
    ours.setblocking(False)
    peer = Peer(theirs)
    try:
        transport, protocol = await loop.connect_accepted_socket(factory, ours)
    except BaseException:
        ours.close()
        peer.close()
        raise
    return transport, protocol, peer


@contextlib.contextmanager
def small_buffers(*socks: socket.socket) -> Iterator[None]:
    """Kernel buffers as small as the system allows, so that little data fills them."""
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    yield
