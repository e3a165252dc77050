"""create_server and Server: every option, sockets passed in, addresses."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import sys

import pytest
from support.peers import Peer, has_ipv6
from support.protocols import Echo, Recorder

pytestmark = pytest.mark.io

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 on loopback")
needs_reuse_port = pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="no SO_REUSEPORT here")


async def echoes(address):
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    with Peer(socket.socket(family)) as peer:
        peer.sock.connect(address)
        await peer.send(b"hello")
        return await peer.recv(5) == b"hello"


async def end(server):
    server.close()
    await server.wait_closed()
    # Peers have gone: what the server accepted ends in the next turns.
    for _ in range(10):
        await asyncio.sleep(0)


async def test_it_serves_on_a_free_port(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    assert server.is_serving()
    (sock,) = server.sockets
    assert await echoes(sock.getsockname())
    await end(server)
    assert not server.is_serving()


@needs_ipv6
async def test_it_serves_ipv6(loop):
    server = await loop.create_server(Echo, "::1", 0)
    address = server.sockets[0].getsockname()
    assert address[0] == "::1"
    assert await echoes(address)
    await end(server)


@needs_ipv6
async def test_without_a_host_it_serves_both_families(loop):
    server = await loop.create_server(Echo, None, 0)
    assert {sock.family for sock in server.sockets} == {socket.AF_INET, socket.AF_INET6}
    for sock in server.sockets:
        host = "127.0.0.1" if sock.family == socket.AF_INET else "::1"
        assert await echoes((host, *sock.getsockname()[1:]))
    await end(server)


@needs_ipv6
async def test_an_ipv6_server_leaves_the_ipv4_port_to_others(loop):
    server = await loop.create_server(Echo, "::", 0)
    port = server.sockets[0].getsockname()[1]
    other = await loop.create_server(Echo, "0.0.0.0", port)
    assert await echoes(("127.0.0.1", port))
    await end(server)
    await end(other)


async def test_several_hosts_give_several_sockets(loop):
    server = await loop.create_server(Echo, ["127.0.0.1", "127.0.0.2"], 0)
    names = [sock.getsockname() for sock in server.sockets]
    assert sorted(name[0] for name in names) == ["127.0.0.1", "127.0.0.2"]
    for name in names:
        assert await echoes(name)
    await end(server)


async def test_a_family_can_be_asked_for(loop):
    server = await loop.create_server(Echo, "localhost", 0, family=socket.AF_INET)
    assert {sock.family for sock in server.sockets} == {socket.AF_INET}
    assert await echoes(server.sockets[0].getsockname())
    await end(server)


async def test_a_bound_socket_can_be_passed_in(loop):
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    server = await loop.create_server(Echo, sock=sock)
    assert server.sockets[0].fileno() == sock.fileno()
    assert await echoes(sock.getsockname())
    await end(server)
    assert sock.fileno() == -1


async def test_a_socket_that_listens_already_can_be_passed_in(loop):
    sock = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(sock.getsockname())
    server = await loop.create_server(Echo, sock=sock)
    with Peer(client) as peer:
        await peer.send(b"early")
        assert await peer.recv(5) == b"early"
    await end(server)


async def test_start_serving_false_waits_for_start_serving(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0, start_serving=False)
    assert not server.is_serving()
    address = server.sockets[0].getsockname()
    with socket.socket() as early, pytest.raises(ConnectionRefusedError):
        early.connect(address)
    await server.start_serving()
    await server.start_serving()
    assert server.is_serving()
    assert await echoes(address)
    await end(server)


@needs_reuse_port
async def test_reuse_port_lets_two_servers_share_a_port(loop):
    first = await loop.create_server(Echo, "127.0.0.1", 0, reuse_port=True)
    address = first.sockets[0].getsockname()
    second = await loop.create_server(Echo, "127.0.0.1", address[1], reuse_port=True)
    for _ in range(8):
        assert await echoes(address)
    await end(first)
    await end(second)


async def test_reuse_address_is_the_default_on_posix(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    assert server.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) != 0
    await end(server)
    server = await loop.create_server(Echo, "127.0.0.1", 0, reuse_address=False)
    assert server.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
    await end(server)


async def test_a_port_in_use_is_told_with_its_address(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match=re.escape(f"('127.0.0.1', {port})")) as caught:
        await loop.create_server(Echo, "127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE
    await end(server)


async def test_an_address_that_is_not_here_is_an_error(loop):
    with pytest.raises(OSError, match="bind") as caught:
        await loop.create_server(Echo, "192.0.2.1", 0)
    # From 3.12 on asyncio passes over such addresses and tells at the end that none was left.
    assert caught.value.errno in (errno.EADDRNOTAVAIL, None)


async def test_a_failed_bind_of_several_leaves_none_open(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError):
        await loop.create_server(Echo, ["127.0.0.2", "127.0.0.1"], port)
    # 127.0.0.2 is free again
    other = await loop.create_server(Echo, "127.0.0.2", port)
    await end(other)
    await end(server)


async def test_backlog_clients_wait_until_the_loop_accepts(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=50)
    clients = [Peer(socket.create_connection(server.sockets[0].getsockname())) for _ in range(40)]
    for number, peer in enumerate(clients):
        peer.send_now(b"%05d" % number)
    for number, peer in enumerate(clients):
        assert await peer.recv(5) == b"%05d" % number
        peer.close()
    await end(server)


async def test_a_client_that_is_gone_before_it_is_accepted_harms_nobody(loop, reports):
    server = await loop.create_server(Recorder, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    for _ in range(5):
        Peer(socket.create_connection(address)).reset()
    for _ in range(20):
        await asyncio.sleep(0)
    server.close()
    server = await loop.create_server(Echo, "127.0.0.1", 0)
    assert await echoes(server.sockets[0].getsockname())
    await end(server)


@pytest.mark.ours("asyncio and uvloop leave the client's socket to the garbage collector")
async def test_a_protocol_factory_that_fails_is_reported_and_serving_goes_on(loop, reports):
    calls = []

    def factory():
        calls.append(1)
        if len(calls) == 1:
            raise LookupError("as planned")
        return Echo()

    # Without debug asyncio drops such a client silently.
    loop.set_debug(True)
    server = await loop.create_server(factory, "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    with Peer(socket.create_connection(address)) as peer:
        while not reports:
            await asyncio.sleep(0)
        assert isinstance(reports.take()["exception"], LookupError)
        assert await peer.recv_end() == b""
    assert await echoes(address)
    await end(server)


async def test_connection_made_that_fails_is_reported_and_serving_goes_on(loop, reports):
    made = []

    class Failing(Recorder):
        def connection_made(self, transport):
            super().connection_made(transport)
            made.append(self)
            raise LookupError("as planned")

    server = await loop.create_server(Failing, "127.0.0.1", 0)
    with Peer(socket.create_connection(server.sockets[0].getsockname())):
        while not made:
            await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        assert isinstance(reports.take()["exception"], LookupError)
        made[0].transport.abort()
        await made[0].until_lost()
    await end(server)


async def test_accepted_sockets_have_nodelay_and_are_non_blocking(loop):
    made = loop.create_future()
    server = await loop.create_server(
        lambda: Recorder(on={"made": lambda recorder: made.set_result(recorder)}), "127.0.0.1", 0
    )
    with Peer(socket.create_connection(server.sockets[0].getsockname())) as peer:
        recorder = await made
        sock = recorder.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        assert sock.gettimeout() == 0
        assert recorder.transport.get_extra_info("peername") == peer.sock.getsockname()
        assert recorder.transport.get_extra_info("sockname") == peer.sock.getpeername()
        recorder.transport.close()
        await recorder.until_lost()
    await end(server)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="keep_alive is new in Python 3.13")
async def test_keep_alive_reaches_the_socket(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0, keep_alive=True)
    assert server.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
    await end(server)


async def test_many_clients_at_once(loop):
    server = await loop.create_server(Echo, "127.0.0.1", 0, backlog=200)
    address = server.sockets[0].getsockname()

    async def client(number):
        reader, writer = await asyncio.open_connection(*address)
        for turn in range(3):
            message = b"%d/%d." % (number, turn) * 20
            writer.write(message)
            assert await reader.readexactly(len(message)) == message
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client(number) for number in range(150)))
    await end(server)
