"""TLS connections whose other end is Python's own blocking ssl, in a thread."""

from __future__ import annotations

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
