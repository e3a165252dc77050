"""TLS connections whose other end is Python's own blocking ssl, in a thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any, Callable

from support.certificates import client_context, server_context
from support.peers import TIMEOUT, Peer, pair


async def secure(
    loop: Any,
    factory: Callable[[], Any],
    server_side: bool = True,
    name: str = "tcp",
    ours: Any = None,
    theirs: Any = None,
    **options: Any,
) -> tuple[Any, Any, Peer]:
    """A TLS transport of the loop and its peer: (transport, protocol, peer)."""
    our_socket, their_socket = pair(name)
    our_socket.setblocking(False)
    their_socket.settimeout(TIMEOUT)
    ours = ours or (server_context() if server_side else client_context())
    theirs = theirs or (client_context() if server_side else server_context())

    def shake_hands() -> ssl.SSLSocket:
        hostname = "localhost" if server_side else None
        return theirs.wrap_socket(their_socket, not server_side, server_hostname=hostname)

    shaking = loop.run_in_executor(None, shake_hands)
    if server_side:
        connecting = loop.connect_accepted_socket(factory, our_socket, ssl=ours, **options)
    else:
        connecting = loop.create_connection(
            factory, sock=our_socket, ssl=ours, server_hostname="localhost", **options
        )
    transport, _ = await connecting
    protocol = transport.get_protocol()  # what uvloop returns from connect_accepted_socket is its own
    return transport, protocol, Peer(await shaking)


async def finish(transport: Any, protocol: Any, peer: Peer) -> None:
    transport.abort()
    if not protocol.events.count("lost"):
        await protocol.until_lost()
    peer.close()


class Nested:
    """A blocking peer with TLS inside TLS. Its methods belong in a thread, one at a time."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_side: bool) -> None:
        hostname = None if server_side else "localhost"
        self.outer = context.wrap_socket(sock, server_side, server_hostname=hostname)
        self.sock = self.outer  # SSLSocket.unwrap gives another
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.inner = context.wrap_bio(self.incoming, self.outgoing, server_side, server_hostname=hostname)

    def second_handshake(self) -> None:
        """Only when the other end is ready for it: else its first bytes are taken for data."""
        self._work(self.inner.do_handshake)

    def _work(self, function: Callable[..., Any], *args: Any) -> Any:
        while True:
            try:
                return function(*args)
            except ssl.SSLWantReadError:
                self._flush()
                data = self.outer.recv(1 << 16)
                if not data:
                    raise EOFError("the outer layer ended") from None
                self.incoming.write(data)
            finally:
                self._flush()

    def _flush(self) -> None:
        if self.outgoing.pending:
            self.outer.sendall(self.outgoing.read())

    def sendall(self, data: bytes) -> None:
        for start in range(0, len(data), 1 << 16):
            self._work(self.inner.write, data[start : start + (1 << 16)])

    def read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self._work(self.inner.read, count - len(data))
        return data

    def send_and_end(self, data: bytes, end: str) -> None:
        """Sends, then ends a layer (the socket with the inner one); does not wait for the answer."""
        self.sendall(data)
        if end == "inner close_notify":
            with contextlib.suppress(ssl.SSLWantReadError):
                self.inner.unwrap()
            self._flush()
        if end == "outer close_notify":
            self.outer.setblocking(False)
            with contextlib.suppress(ssl.SSLWantReadError):
                self.outer.unwrap()
            self.outer.settimeout(TIMEOUT)
        else:
            socket.socket.shutdown(self.outer, socket.SHUT_WR)

    def close_notifies(self) -> int:
        """Reads and answers the ends of both layers; how many came."""
        count = self._work(self.inner.read, 1) == b""
        self._work(self.inner.unwrap)
        self.sock = self.outer.unwrap()
        return count + 1

    def close(self) -> None:
        self.sock.close()
        self.outer.close()
