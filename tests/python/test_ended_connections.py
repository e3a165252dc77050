"""A connection that has ended is gone with its last reference: nothing of it waits for the collector."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import socket
import ssl
import sys

import pytest
from support.certificates import client_context, server_context
from support.leaks import PYPY

pytestmark = [
    pytest.mark.io,
    pytest.mark.skipif(PYPY, reason="PyPy counts no references: everything there waits for the collector"),
    pytest.mark.ours("what asyncio and uvloop leave is theirs"),
]

SERVER, CLIENT = server_context(), client_context()
holds = contextvars.ContextVar("holds")


class Ending(asyncio.Protocol):
    """Lets go of its transport when the connection is lost, as a well-behaved protocol does."""

    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, exc):
        self.transport = None
        self.lost.set_result(None)


class Answering(Ending):
    made: list = []

    def connection_made(self, transport):
        super().connection_made(transport)
        self.made.append(self)

    def data_received(self, data):
        self.transport.write(data)


class Asking(Ending):
    def connection_made(self, transport):
        super().connection_made(transport)
        transport.write(b"question")

    def data_received(self, data):
        self.transport.close()


class Aborting(Asking):
    def data_received(self, data):
        self.transport.abort()


class Remembering(Asking):
    """Its context leads back to the connection."""

    def connection_made(self, transport):
        holds.set(transport)
        super().connection_made(transport)


class IntoBuffer(asyncio.BufferedProtocol):
    def __init__(self):
        self.inner = Asking()
        self.lost = self.inner.lost
        self.connection_made = self.inner.connection_made
        self.connection_lost = self.inner.connection_lost
        self.buffer = bytearray(100)

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, nbytes):
        self.inner.data_received(self.buffer[:nbytes])


async def over(loop, factory, secure=False, path=None):
    options = {"ssl": SERVER} if secure else {}
    if path is None:
        server = await loop.create_server(Answering, "127.0.0.1", 0, **options)
        address = server.sockets[0].getsockname()
        options = {"ssl": CLIENT, "server_hostname": "localhost"} if secure else {}
        _, protocol = await loop.create_connection(factory, *address, **options)
    else:
        server = await loop.create_unix_server(Answering, path, **options)
        options = {"ssl": CLIENT, "server_hostname": "localhost"} if secure else {}
        _, protocol = await loop.create_unix_connection(factory, path, **options)
    await protocol.lost
    await Answering.made.pop().lost
    server.close()
    await server.wait_closed()
    if path is not None and os.path.exists(path):
        os.unlink(path)


async def tcp(loop, path):
    await over(loop, Asking)


async def tcp_aborted(loop, path):
    await over(loop, Aborting)


async def tcp_into_a_buffer(loop, path):
    await over(loop, IntoBuffer)


async def tcp_held_by_its_context(loop, path):
    await over(loop, Remembering)


async def unix(loop, path):
    await over(loop, Asking, path=path)


async def tls(loop, path):
    await over(loop, Asking, secure=True)


async def tls_aborted(loop, path):
    await over(loop, Aborting, secure=True)


async def tls_over_unix(loop, path):
    await over(loop, Asking, secure=True, path=path)


async def tls_into_a_buffer(loop, path):
    await over(loop, IntoBuffer, secure=True)


async def upgraded(loop, path):
    ours, theirs = socket.socketpair()
    first, client = await loop.create_connection(Ending, sock=ours)
    second, server = await loop.connect_accepted_socket(Ending, theirs)
    server.transport, client.transport = await asyncio.gather(
        loop.start_tls(second, server, SERVER, server_side=True),
        loop.start_tls(first, client, CLIENT, server_hostname="localhost"),
    )
    client.transport.write(b"x")
    client.transport.close()
    await client.lost
    await server.lost


async def a_failed_upgrade(loop, path):
    ours, theirs = socket.socketpair()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
    with theirs:
        theirs.send(b"this is no TLS at all, is it?")
        with pytest.raises(ssl.SSLError):
            await loop.start_tls(transport, asyncio.Protocol(), SERVER, server_side=True)


async def a_client_that_fails(loop, path):
    server = await loop.create_server(Ending, "127.0.0.1", 0, ssl=SERVER)
    with socket.create_connection(server.sockets[0].getsockname()) as sock:
        sock.setblocking(False)
        await loop.sock_sendall(sock, b"this is no TLS at all, is it?")
        while await loop.sock_recv(sock, 1000):
            pass
    server.close()
    await server.wait_closed()


async def paused_and_resumed(loop, path):
    ours, theirs = socket.socketpair()
    with theirs:
        transport, protocol = await loop.create_connection(Asking, sock=ours)
        transport.pause_reading()
        theirs.send(b"answer")
        await asyncio.sleep(0)
        transport.resume_reading()
        await protocol.lost


async def a_file_sent(loop, path):
    ours, theirs = socket.socketpair()
    with theirs:
        transport, protocol = await loop.create_connection(Ending, sock=ours)
        with open(__file__, "rb") as file:
            await loop.sendfile(transport, file, 0, 100)
            transport.close()
            await protocol.lost


class EndingDatagrams(asyncio.DatagramProtocol):
    def __init__(self):
        self.got = asyncio.get_running_loop().create_future()
        self.lost = asyncio.get_running_loop().create_future()

    def datagram_received(self, data, addr):
        self.got.set_result(data)

    def connection_lost(self, exc):
        self.lost.set_result(None)


async def udp(loop, path):
    first, receiver = await loop.create_datagram_endpoint(EndingDatagrams, ("127.0.0.1", 0))
    address = first.get_extra_info("sockname")
    second, sender = await loop.create_datagram_endpoint(EndingDatagrams, remote_addr=address)
    second.sendto(b"x")
    await receiver.got
    first.close()
    second.close()
    await receiver.lost
    await sender.lost


class EndingPipe(Ending):
    def data_received(self, data):
        pass


async def pipes(loop, path):
    reading, writing = os.pipe()
    _, reader = await loop.connect_read_pipe(EndingPipe, open(reading, "rb", 0))  # noqa: SIM115
    transport, writer = await loop.connect_write_pipe(EndingPipe, open(writing, "wb", 0))  # noqa: SIM115
    transport.write(b"x")
    transport.close()
    await writer.lost
    await reader.lost


class EndingChild(asyncio.SubprocessProtocol):
    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc):
        self.lost.set_result(None)


async def a_child(loop, path):
    code = "import sys; sys.stdout.write(sys.stdin.read())"
    transport, protocol = await loop.subprocess_exec(EndingChild, sys.executable, "-c", code)
    transport.get_pipe_transport(0).write(b"x")
    transport.get_pipe_transport(0).close()
    await protocol.lost
    transport.close()


CONNECTIONS = {
    each.__name__: each
    for each in (
        tcp, tcp_aborted, tcp_into_a_buffer, tcp_held_by_its_context, unix, tls, tls_aborted, tls_over_unix,
        tls_into_a_buffer, upgraded, a_failed_upgrade, a_client_that_fails, paused_and_resumed, a_file_sent,
        udp, pipes, a_child,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", CONNECTIONS)
async def test_nothing_is_left_for_the_collector(loop, tmp_path, name):
    connection = CONNECTIONS[name]
    path = str(tmp_path / "socket")
    await connection(loop, path)  # what is made once
    gc.collect()
    gc.disable()
    try:
        await connection(loop, path)
        for _ in range(5):
            await asyncio.sleep(0)
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = [repr(each)[:200] for each in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []
